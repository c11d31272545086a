"""Time as a dependency: nothing below `main` asks the machine for the hour."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """Return the current time, in UTC and aware of it."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def __repr__(self) -> str:
        return "SystemClock()"


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time last set."""
        return self._now

    def advance(self, delta_s: float) -> None:
        """Move on by `delta_s` seconds; negative moves back, as a stepped clock does."""
        self._now += timedelta(seconds=delta_s)

    def __repr__(self) -> str:
        return f"FakeClock({self._now.isoformat()})"
