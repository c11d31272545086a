"""The log of facts: one port, the same contract in memory and on JetStream."""

from .errors import (
    AppendUnknown,
    ConcurrencyConflict,
    CorruptStream,
    DuplicateEventId,
    EventLogError,
    EventTooLarge,
    InvalidEvent,
    LogFull,
    LogUnavailable,
    SnapshotTooLarge,
)
from .memory import MemoryEventLog, MemorySnapshotStore
from .port import AggregateId, EventLog, Metadata, NewEvent, Snapshot, SnapshotStore, StoredEvent

__all__ = [
    "AggregateId",
    "AppendUnknown",
    "ConcurrencyConflict",
    "CorruptStream",
    "DuplicateEventId",
    "EventLog",
    "EventLogError",
    "EventTooLarge",
    "InvalidEvent",
    "LogFull",
    "LogUnavailable",
    "MemoryEventLog",
    "MemorySnapshotStore",
    "Metadata",
    "NewEvent",
    "Snapshot",
    "SnapshotStore",
    "SnapshotTooLarge",
    "StoredEvent",
]
