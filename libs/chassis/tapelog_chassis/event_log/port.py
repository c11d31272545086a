"""The event log as the application sees it: append, load, read, tail; nothing of the broker."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from .errors import InvalidEvent

TOKEN: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""One part of an aggregate's name; also one token of a subject, so no dot, star, space or upper case."""

MAX_EVENT_BYTES: Final = 256 * 1024
"""One stored message, headers and body: the streams' max_msg_size."""

MAX_EVENTS_PER_APPEND: Final = 1000
"""The broker's limit for one atomic batch."""


@dataclass(frozen=True, slots=True)
class AggregateId:
    """
    The name of one event-sourced thing: `es.<context>.<tenant>.<id>`.

    Raises
    ------
    InvalidEvent
        If a part is not lower case, does not start with a letter or is longer than 32 characters.
    """

    context: str
    tenant: str
    id: str
    subject: str = field(init=False, repr=False, compare=False)
    """The one subject that holds this aggregate's events and nothing else."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for part, token in (("context", self.context), ("tenant", self.tenant), ("id", self.id)):
            if not TOKEN.fullmatch(token):
                raise InvalidEvent(
                    f"{part} {token!r} is not a name: use 1 to 32 of a-z, 0-9 and '-', starting with a letter"
                )

        # Kept, because a command asks for both a dozen times.
        subject = f"es.{self.context}.{self.tenant}.{self.id}"
        object.__setattr__(self, "subject", subject)
        object.__setattr__(self, "_hash", hash(subject))

    def __str__(self) -> str:
        return self.subject

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def parse(cls, subject: str) -> AggregateId:
        """Read the name back from a log subject; `InvalidEvent` if it is not one."""
        match subject.split("."):
            case ["es", context, tenant, id_]:
                return cls(context, tenant, id_)
        raise InvalidEvent(f"{subject!r} is not the subject of an aggregate (es.<context>.<tenant>.<id>)")


@dataclass(frozen=True, slots=True)
class Metadata:
    """
    Who decided and why; travels beside every event of one append.

    Attributes
    ----------
    actor, on_behalf_of
        The authenticated party, and the person an integration names.
    role_used, membership_sequence
        The role the decision was allowed by, and the project's membership sequence it was checked against.
    request_id, request_hash
        Idempotency: the caller's UUID and the SHA-256 of the canonical request, hex.
    correlation_id, causation_id
        The chain of requests, and the event or request that led to this one.
    project, song
        The ids by which public events are filed; empty where there is none.
    external_ref
        The caller's own reference (a booking, an invoice), never interpreted.
    traceparent
        The span in which it was decided, W3C; empty where nobody traces.
    """

    actor: str = ""
    on_behalf_of: str = ""
    role_used: str = ""
    membership_sequence: int = 0
    request_id: str = ""
    request_hash: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    project: str = ""
    song: str = ""
    external_ref: str = ""
    traceparent: str = ""

    def of_request(self, request_id: str, request_hash: str, traceparent: str) -> Metadata:
        """Return it with what is known of the request, as `dataclasses.replace` does in a third of the time."""
        return Metadata(
            self.actor,
            self.on_behalf_of,
            self.role_used,
            self.membership_sequence,
            request_id,
            request_hash,
            self.correlation_id,
            self.causation_id,
            self.project,
            self.song,
            self.external_ref,
            traceparent,
        )


@dataclass(frozen=True, slots=True)
class NewEvent:
    """
    A decided fact that is not stored yet.

    Attributes
    ----------
    event_id
        uuid5(command id, index): a retry of the command makes the same id.
    type
        CloudEvents type, e.g. `tapelog.song.mix_version_approved.v1`.
    schema
        Full name of the protobuf message in `data`.
    time
        When it was decided; must carry a time zone.
    """

    event_id: str
    type: str
    schema: str
    data: bytes
    time: datetime


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """
    A fact in the log.

    Attributes
    ----------
    sequence
        Place in the aggregate: 1, 2, 3 … without a gap.
    position
        Place in the context's global order: rising, gaps allowed. Not an identity; `event_id` is.
    hash, previous_hash
        Links of the aggregate's hash chain, hex (see `chain`).
    """

    aggregate: AggregateId
    sequence: int
    position: int
    event_id: str
    type: str
    schema: str
    time: datetime
    data: bytes
    metadata: Metadata
    hash: str
    previous_hash: str

    def at(self, position: int) -> StoredEvent:
        """Return the event with its place, as `dataclasses.replace` does in a third of the time."""
        return StoredEvent(
            self.aggregate,
            self.sequence,
            position,
            self.event_id,
            self.type,
            self.schema,
            self.time,
            self.data,
            self.metadata,
            self.hash,
            self.previous_hash,
        )


@dataclass(frozen=True, slots=True)
class ForeignMessage:
    """
    What lies in the log and is no event of ours: it touches the one aggregate its subject names, and no other.

    That aggregate is closed from here on: it cannot be loaded or extended, and whatever follows on its subject is
    foreign too, until somebody takes the message out or restores the log (docs/adr/0110).

    Attributes
    ----------
    subject
        As it lies there; it need not name an aggregate.
    position
        Place in the context's global order.
    reason
        Why it is none.
    """

    subject: str
    position: int
    reason: str

    @property
    def aggregate(self) -> AggregateId | None:
        """The aggregate that it closes; None where the subject is the name of none."""
        try:
            return AggregateId.parse(self.subject)
        except InvalidEvent:
            return None


LogItem: TypeAlias = StoredEvent | ForeignMessage
"""What a reader of a whole context meets."""


class EventLog(Protocol):
    """
    The log of facts. Every implementation passes `tests/contracts/event_log_contract.py`.

    An append that returned is durable. An append that raised `AppendUnknown` may have happened; any other error
    means that nothing was stored.
    """

    async def append(
        self, aggregate: AggregateId, expected_sequence: int, events: Sequence[NewEvent], metadata: Metadata
    ) -> list[StoredEvent]:
        """
        Add events after `expected_sequence` (0: the aggregate is new), all or none.

        A repeat with the same event ids returns what is stored, however long ago the first try was.

        Raises
        ------
        ConcurrencyConflict
            The aggregate is at another sequence: load and decide again.
        AppendUnknown
            No answer within the limit: retry with the same request id.
        InvalidEvent, EventTooLarge, DuplicateEventId, LogFull, AppendRefused
            Refused; nothing was stored.
        CorruptStream
            The history that is to be continued does not verify.
        """
        ...

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """
        Read an aggregate's events in order; empty if there are none.

        Parameters
        ----------
        aggregate
            Whose events.
        after_sequence
            Only events after this one (a snapshot's sequence).
        after_position
            The position of the event at `after_sequence`, if known (a snapshot remembers it): then nothing before it
            is read. A hint only, a wrong one costs time and nothing else.

        Raises
        ------
        CorruptStream
            On a gap, a wrong order or a hash that does not fit.
        LogUnavailable
            If the log cannot be read just now.
        """
        ...

    def read_all(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """
        Yield what a context holds in global order, up to the last message stored when reading began.

        Raises
        ------
        CorruptStream
            At an event whose headers were changed in a way that its hash does not cover.
        """
        ...

    def tail(self, context: str, *, after_position: int = 0) -> AsyncIterator[LogItem]:
        """
        Yield what a context holds in global order for ever, without gap or repeat, across reconnects.

        A message that is no event, does not fit its hash, or does not continue its aggregate comes as a
        `ForeignMessage`: whoever follows steps over it, and goes on with what concerns others.

        Raises
        ------
        PositionAhead
            If the log ends before `after_position`.
        CorruptStream
            If, after a reconnect, the last event that was read lies there no more.
        """
        ...

    async def head(self, context: str) -> int:
        """Return the position of a context's last event, 0 if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An aggregate's state after `sequence`, in the bytes of the code that made it; `position` is that event's."""

    sequence: int
    position: int
    data: bytes


class SnapshotStore(Protocol):
    """Disposable copies of state: each may be missing at any time, and only saves loading."""

    async def put(
        self, aggregate: AggregateId, sequence: int, schema_hash: str, data: bytes, *, position: int = 0
    ) -> None:
        """
        Keep the newest state; `position` (of the event at `sequence`) makes the load after it short.

        Raises
        ------
        SnapshotTooLarge
            If `data` is over the store's limit; going on without a snapshot is always right.
        LogUnavailable
            If the store does not answer.
        """
        ...

    async def get(self, aggregate: AggregateId, schema_hash: str) -> Snapshot | None:
        """Return the kept state, or None if there is none or other code (another `schema_hash`) made it."""
        ...
