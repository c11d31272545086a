"""Etags: the aggregate's sequence in quotes (RFC 7232, AIP-154)."""

import re
from typing import Final

from tapelog_chassis.errors import Aborted, InvalidArgument

_PATTERN: Final = re.compile(r'"(0|[1-9][0-9]{0,18})"')


def format_etag(sequence: int) -> str:
    """Return the etag of an aggregate at `sequence`."""
    return f'"{sequence}"'


def parse_etag(etag: str) -> int | None:
    """Return the sequence an etag names, or None for the empty etag (no expectation).

    Raises
    ------
    InvalidArgument
        The text is not an etag of ours.
    """
    if not etag:
        return None
    match = _PATTERN.fullmatch(etag)
    if match is None:
        shown = etag[:64]
        raise InvalidArgument.of_field(
            "etag",
            f'{shown!r} is not an etag; send the one of the resource as you read it, quotes included, such as "12"',
            reason="INVALID_ETAG",
            metadata={"value": shown},
        )
    return int(match[1])


def check_etag(expected: str, sequence: int) -> None:
    """Refuse a stale etag.

    Raises
    ------
    Aborted
        The aggregate is not where the caller saw it.
    InvalidArgument
        The text is not an etag of ours.
    """
    wanted = parse_etag(expected)
    if wanted is None or wanted == sequence:
        return
    current = format_etag(sequence)
    raise Aborted(
        "ETAG_MISMATCH",
        f"the resource has changed: you sent etag {expected}, it is now {current}. Read it again, then decide again.",
        metadata={"etag_sent": expected, "etag_current": current},
    )
