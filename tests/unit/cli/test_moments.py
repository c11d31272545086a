"""A moment on the command line is a number of events or a time."""

from datetime import UTC, datetime, timedelta

import pytest
from tapelog_cli.errors import UsageError
from tapelog_cli.typed.moments import moment_of, time_of


def test_a_number_is_a_sequence_and_a_date_a_time() -> None:
    """Nothing is now; a time without a zone is the machine's, one with a zone is that zone's."""
    assert moment_of("12") == {"as_of_sequence": 12}
    assert moment_of("") == {"as_of_time": None}
    assert moment_of("2026-05-03T18:00Z") == {"as_of_time": datetime(2026, 5, 3, 18, tzinfo=UTC)}
    assert time_of("2026-05-03T18:00+02:00") == datetime(2026, 5, 3, 16, tzinfo=UTC)
    local = time_of("2026-05-03")
    assert local is not None
    assert local.utcoffset() == datetime(2026, 5, 3).astimezone().utcoffset()
    assert local - datetime(2026, 5, 3, tzinfo=UTC) <= timedelta(hours=14)


@pytest.mark.parametrize("text", ["0", "-1", "yesterday", "2026-13-01", "12.5", "٣", "0001-01-01"])
def test_what_is_no_moment_is_told(text: str) -> None:
    """Before the first event there is nothing; words, months that are none and other digits are wrong usage."""
    with pytest.raises(UsageError):
        moment_of(text)
