"""What stands in the audit of one call, and how it becomes a line: ids only, nothing that anybody wrote."""

from __future__ import annotations

import contextvars
import dataclasses
import functools
import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor

NAMES: Final = ("name", "song", "project", "version", "parent", "job", "batch", "subscription", "party", "song_name")
"""Fields in which requests name what they are about, the first that is set counts."""
RESOURCE_CHARS_MAX: Final = 200
_RESOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,199}")
UNREADABLE: Final = "?"
"""Stands for a name that is none: what somebody sent is not copied into the audit."""
_TAIL: Final = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n')
_TAIL_BYTES: Final = len(b',"hash":""}\n') + 64


class Line(msgspec.Struct, omit_defaults=True):
    """One line of the audit, without its hash.

    Attributes
    ----------
    sequence : int
        From 1, gapless.
    time : str
        RFC 3339, when the call came to its decision.
    kind : str
        `call`; `started` and `stopped` of the service; `gap`: records that were lost because they came faster than
        they could be written; `trimmed`: older lines were let go.
    decision, reason : str
        `allow`, or `deny` with the refusal's reason.
    code : str
        Status the call ended with, where it had ended.
    lost : int
        Of a gap.
    through, through_hash : int, str
        Of `trimmed`: the last line that was let go.
    """

    sequence: int
    time: str
    kind: str = "call"
    tenant: str = ""
    party: str = ""
    caller: str = ""
    on_behalf_of: str = ""
    rpc: str = ""
    resource: str = ""
    decision: str = ""
    reason: str = ""
    code: str = ""
    trace: str = ""
    identity: str = ""
    lost: int = 0
    through: int = 0
    through_hash: str = ""


@dataclasses.dataclass(slots=True)
class Decision:
    """What is known of a call when it is decided; see `Line`."""

    rpc: str
    decision: str = ""
    reason: str = ""
    code: str = ""
    tenant: str = ""
    party: str = ""
    caller: str = ""
    on_behalf_of: str = ""
    resource: str = ""
    trace: str = ""
    identity: str = ""
    time_s: float = 0.0


_current: contextvars.ContextVar[Decision] = contextvars.ContextVar("tapelog_audit")


def set_current(decision: Decision) -> None:
    """Make a call's record known to its handler."""
    _current.set(decision)


def annotate(*, tenant: str, party: str, resource: str) -> None:
    """Say who a call without a token turned out to be, and what it was about."""
    found = _current.get(None)
    if found is not None:
        found.tenant, found.party, found.resource = tenant, party, resource


def resource_of(request: Any) -> str:
    """Return the resource that a request names; `?` for what is no name, empty for none."""
    descriptor = getattr(request, "DESCRIPTOR", None)
    if descriptor is None:
        return ""
    for read in _readers(descriptor):
        value = read(request)
        if value:
            return value if _RESOURCE.fullmatch(value) else UNREADABLE
    return ""


@functools.lru_cache(maxsize=512)
def _readers(descriptor: Descriptor) -> tuple[Callable[[Any], str], ...]:
    """Return how to read the naming fields of a message, or those of its only message that has a `name`."""
    own = [field for name in NAMES if _is_text(field := descriptor.fields_by_name.get(name))]
    if own:
        return tuple(functools.partial(_read, (field.name,)) for field in own if field is not None)
    inner = [
        (field.name, "name")
        for field in descriptor.fields
        if field.message_type is not None
        and not field.is_repeated
        and _is_text(field.message_type.fields_by_name.get("name"))
    ]
    return tuple(functools.partial(_read, path) for path in inner[:1])


def _is_text(field: FieldDescriptor | None) -> bool:
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _read(path: tuple[str, ...], message: Any) -> str:
    for name in path:
        message = getattr(message, name)
    return str(message)


def genesis(service: str) -> str:
    """Return what stands for the hash before the first line."""
    return hashlib.sha256(f"tapelog audit {service}".encode()).hexdigest()


def written(line: Line, previous: str) -> tuple[bytes, str]:
    """Return a line as it is written, and its hash, which covers the line and the hash before."""
    body = msgspec.json.encode(line)
    digest = hashlib.sha256(previous.encode() + body).hexdigest()
    return body[:-1] + b',"hash":"' + digest.encode() + b'"}\n', digest


def parsed(raw: bytes, previous: str | None) -> tuple[Line, str]:
    """Return a line and its hash.

    Parameters
    ----------
    previous : str, optional
        The hash before; None where it is not known.

    Raises
    ------
    ValueError
        It is no line, or does not follow.
    """
    tail = _TAIL.fullmatch(raw[-_TAIL_BYTES:])
    if tail is None:
        raise ValueError("it is not a line of the audit")
    body, digest = raw[:-_TAIL_BYTES] + b"}", tail[1].decode()
    if previous is not None and hashlib.sha256(previous.encode() + body).hexdigest() != digest:
        raise ValueError("its hash does not fit it and the line before")
    try:
        return msgspec.json.decode(body, type=Line, strict=True), digest
    except msgspec.MsgspecError:
        raise ValueError("it is not a line of the audit") from None
