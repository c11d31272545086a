"""Moments of the past and lengths of time as people say them: after so many events, at a time; 90s, 30m, 1h."""

from datetime import datetime
from typing import Annotated, Any, Final

from cyclopts import Parameter

from tapelog_cli.errors import UsageError

SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
AsOf = Annotated[
    str,
    Parameter(
        name="--as-of",
        help="As it was: after so many events, such as 12, or at a time, such as 2026-05-03T18:00 (yours, unless it "
        "says otherwise). Default: now.",
    ),
]
AsOfTime = Annotated[
    str, Parameter(name="--as-of", help="As it was at a time, such as 2026-05-03T18:00. Default: now.")
]


def time_of(text: str) -> datetime | None:
    """Return a time in its zone, the machine's where it names none; None for the empty text.

    Raises
    ------
    UsageError
        It is not a time.
    """
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is not a time; write 2026-05-03 or 2026-05-03T18:00, with +02:00 or Z") from None


def duration_s_of(text: str) -> float:
    """Return a length of time in seconds.

    Raises
    ------
    UsageError
        It is none, or not longer than 0.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in SECONDS else (text, "s")
    try:
        found = float(number) * SECONDS[unit]
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UsageError(f"{text!r} is no length of time; write seconds, or 90s, 30m, 1h, 1d") from None
    return found


def moment_of(text: str) -> dict[str, Any]:
    """Return a moment as the client's options say it: a sequence, a time, or nothing for now. Raises as `time_of`."""
    if text.isascii() and text.isdigit():
        if int(text) == 0:
            raise UsageError("0 is before the first event; leave --as-of away for now")
        return {"as_of_sequence": int(text)}
    return {"as_of_time": time_of(text)}
