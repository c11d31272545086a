"""Positions and passages on the command line: `1:02.5`, `62.5`, `0:13.5-0:17.4`."""

from tapelog_client import timecodes

from tapelog_cli.errors import UsageError


def frames_of(text: str, sample_rate_hz: int) -> int:
    """Return the frame of a position: seconds, `minutes:seconds`, or `hours:minutes:seconds`, with decimals.

    Raises
    ------
    UsageError
        It is none of these.
    """
    try:
        return timecodes.frames_of(text, sample_rate_hz)
    except ValueError as error:
        raise UsageError(str(error), hint="write 1:02.5, 62.5, or a passage such as 1:02.5-1:10") from error


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
