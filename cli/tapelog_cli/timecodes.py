"""Positions in a song as people say them: `1:02.5`, `62.5`, `0:13.5-0:17.4`."""

import re
from decimal import Decimal
from typing import Final

from tapelog_cli.errors import UsageError

_POSITION: Final = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,9})?)", re.ASCII)
_SECONDS_PER_MINUTE: Final = 60


def frames_of(text: str, sample_rate_hz: int) -> int:
    """Return the frame of a position: seconds, `minutes:seconds`, or `hours:minutes:seconds`, with decimals.

    Raises
    ------
    UsageError
        It is none of these, or has 60 seconds or minutes where there are no more than 59.
    """
    match = _POSITION.fullmatch(text.strip())
    if match is None:
        raise _refuse(text)
    hours, minutes, seconds = match[1], match[2], Decimal(match[3])
    has_minutes, has_hours = minutes is not None, hours is not None
    if (has_minutes and seconds >= _SECONDS_PER_MINUTE) or (has_hours and int(minutes) >= _SECONDS_PER_MINUTE):
        raise _refuse(text)
    whole = (int(hours or 0) * _SECONDS_PER_MINUTE + int(minutes or 0)) * _SECONDS_PER_MINUTE
    return round((whole + seconds) * sample_rate_hz)


def passage_of(text: str, sample_rate_hz: int) -> tuple[int, int]:
    """Return the first frame of a passage and the one after it; a single position is one frame long.

    Raises
    ------
    UsageError
        It is no passage, or ends before it begins.
    """
    begin, dash, end = text.partition("-")
    first = frames_of(begin, sample_rate_hz)
    after = frames_of(end, sample_rate_hz) if dash else first + 1
    if after <= first:
        raise UsageError(f"the passage {text!r} ends before it begins", hint="write the earlier position first")
    return first, after


def _refuse(text: str) -> UsageError:
    return UsageError(f"{text!r} is no position in a song", hint="write 1:02.5, 62.5, or a passage such as 1:02.5-1:10")
