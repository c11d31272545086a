"""Positions in a song as people write them, `1:02.5` or `62.5`, and as every front end prints them, `1:02.500`."""

import re
from decimal import Decimal
from typing import Final

_POSITION: Final = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,4}):)?(\d{1,6}(?:\.\d{1,9})?)", re.ASCII)
_SECONDS_PER_MINUTE: Final = 60


def timecode(frame: int, sample_rate_hz: int) -> str:
    """Return a position as minutes, seconds and milliseconds: `1:02.345`; a rate that is not known counts as 1 Hz."""
    milliseconds = round(frame * 1000 / max(sample_rate_hz, 1))
    return f"{milliseconds // 60000}:{milliseconds // 1000 % 60:02d}.{milliseconds % 1000:03d}"


def frames_of(text: str, sample_rate_hz: int) -> int:
    """Return the frame of a position: seconds, `minutes:seconds`, or `hours:minutes:seconds`, with decimals.

    Raises
    ------
    ValueError
        It is none of these, or has 60 seconds or minutes where there are no more than 59.
    """
    match = _POSITION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is no position in a song")
    hours, minutes, seconds = match[1], match[2], Decimal(match[3])
    has_minutes, has_hours = minutes is not None, hours is not None
    if (has_minutes and seconds >= _SECONDS_PER_MINUTE) or (has_hours and int(minutes) >= _SECONDS_PER_MINUTE):
        raise ValueError(f"{text[:40]!r} has 60 seconds or minutes and more")
    whole = (int(hours or 0) * _SECONDS_PER_MINUTE + int(minutes or 0)) * _SECONDS_PER_MINUTE
    return round((whole + seconds) * sample_rate_hz)
