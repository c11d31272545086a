import pytest
from hypothesis import given
from hypothesis import strategies as st
from tapelog_cli.errors import UsageError
from tapelog_cli.typed.timecodes import frames_of, passage_of
from tapelog_client.timecodes import timecode


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("0", 0),
        ("1:02.5", 62_500 * 48),
        ("62.5", 62_500 * 48),
        ("1:00:00", 3_600 * 48_000),
        ("0:00.000020833", 1),
        ("90:00", 90 * 60 * 48_000),
    ],
)
def test_positions_as_people_say_them(text: str, frames: int) -> None:
    """Seconds, minutes and hours, with decimals, at 48 kHz."""
    assert frames_of(text, 48_000) == frames


@pytest.mark.parametrize("text", ["", "1:60", "1:60:00", "-1", "1:2:3:4", "one", "1,5", "1:", "٣", "1e3", "nan"])
def test_what_is_no_position_is_told(text: str) -> None:
    """Wrong positions are wrong usage, with an example of a right one."""
    with pytest.raises(UsageError) as refused:
        frames_of(text, 48_000)

    assert "1:02.5" in refused.value.hint


@given(st.integers(0, 100 * 60 * 1000), st.sampled_from([44_100, 48_000, 96_000]))
def test_what_is_printed_is_read_back(milliseconds: int, rate_hz: int) -> None:
    """A position that a command printed names the same millisecond when it is typed."""
    frame = round(milliseconds * rate_hz / 1000)

    assert abs(frames_of(timecode(frame, rate_hz), rate_hz) - frame) <= rate_hz / 2000 + 1


def test_passages() -> None:
    """Two positions are from and to; one is a single frame; the order matters."""
    assert passage_of("1:02.5-1:10", 48_000) == (3_000_000, 3_360_000)
    assert passage_of("1:02.5", 48_000) == (3_000_000, 3_000_001)
    with pytest.raises(UsageError, match="ends before it begins"):
        passage_of("2-1", 48_000)
