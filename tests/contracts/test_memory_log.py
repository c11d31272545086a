"""The in-memory log keeps the contract."""

from dataclasses import replace

import pytest
from tapelog_chassis.event_log import MemoryEventLog, MemorySnapshotStore, StoredEvent

from .event_log_contract import Bench, EventLogContract


async def nothing_to_outlive() -> None:
    """Wait for nothing: this log has no window."""


class TestMemoryLog(EventLogContract):
    @pytest.fixture
    def bench(self) -> Bench:
        """One log; both clients are the same object, as in one process."""
        log = MemoryEventLog()

        async def forge(event: StoredEvent) -> None:
            everything = log._contexts.setdefault(event.aggregate.context, [])
            forged = replace(event, position=len(everything) + 1)
            everything.append(forged)
            log._aggregates.setdefault(event.aggregate, []).append(forged)

        return Bench(log, log, MemorySnapshotStore(), forge, nothing_to_outlive)
