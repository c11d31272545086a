"""The log of facts: one port, the same contract in memory and on JetStream."""

from .errors import (
    AppendRefused,
    AppendUnknown,
    ConcurrencyConflict,
    CorruptStream,
    DuplicateEventId,
    EventLogError,
    EventTooLarge,
    InvalidEvent,
    LogFull,
    LogTampered,
    LogUnavailable,
    PositionAhead,
    SnapshotTooLarge,
)
from .jetstream import JetStreamEventLog
from .jetstream_snapshots import JetStreamSnapshotStore
from .memory import MemoryEventLog, MemorySnapshotStore
from .port import (
    AggregateId,
    EventLog,
    ForeignMessage,
    LogItem,
    Metadata,
    NewEvent,
    Snapshot,
    SnapshotStore,
    StoredEvent,
)
from .shared import SharedTail

__all__ = [
    "AggregateId",
    "AppendRefused",
    "AppendUnknown",
    "ConcurrencyConflict",
    "CorruptStream",
    "DuplicateEventId",
    "EventLog",
    "EventLogError",
    "EventTooLarge",
    "ForeignMessage",
    "InvalidEvent",
    "JetStreamEventLog",
    "JetStreamSnapshotStore",
    "LogFull",
    "LogItem",
    "LogTampered",
    "LogUnavailable",
    "MemoryEventLog",
    "MemorySnapshotStore",
    "Metadata",
    "NewEvent",
    "PositionAhead",
    "SharedTail",
    "Snapshot",
    "SnapshotStore",
    "SnapshotTooLarge",
    "StoredEvent",
]
