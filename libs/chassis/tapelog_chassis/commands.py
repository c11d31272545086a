"""Commands on aggregates: load, decide, append, once per request_id for as long as the log lives.

The log is the only memory. A request_id is found in the aggregate's own history, so a repeat is recognised after any
restart, by any process, however late it comes (AIP-155).
"""

import asyncio
import collections
import dataclasses
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar

import msgspec
import structlog
from google.protobuf.message import Message

from tapelog_chassis import ids, telemetry
from tapelog_chassis.clock import Clock, SystemClock
from tapelog_chassis.errors import Aborted, InvalidArgument, OutOfRange, ServiceError
from tapelog_chassis.etag import check_etag
from tapelog_chassis.event_log import (
    AggregateId,
    ConcurrencyConflict,
    EventLog,
    EventLogError,
    LogUnavailable,
    Metadata,
    NewEvent,
    SnapshotStore,
    SnapshotTooLarge,
    StoredEvent,
)
from tapelog_chassis.event_registry import EventRegistry
from tapelog_chassis.log_refusals import refusal_of
from tapelog_chassis.versioned import FORMAT, SnapshotCodec, Versioned, pack, unpack

CACHE_AGGREGATES_MAX: Final = 1024
"""Aggregates kept loaded per repository; a song of 2,000 events holds about 1 MiB."""
DECISIONS_MAX: Final = 8
"""Lost races after which a command gives up; each loss means that another command won."""
BACKOFF_S: Final = 0.005
"""Mean wait after the first lost race, doubled per loss: about one append."""
SNAPSHOT_EVERY: Final = 200
"""Events between two snapshots: folding this many takes a few milliseconds."""

S = TypeVar("S")
Decide = Callable[[S], Sequence[Message]]
"""The pure decision: events from state, or the domain's own exception. May be called again on newer state."""
Evolve = Callable[[S, Message, StoredEvent], S]
"""The pure fold: the state after an event."""

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """What a command led to.

    Attributes
    ----------
    versioned : Versioned[S]
        The aggregate right after the command's events; for a replay, as it was right after them.
    events : tuple[StoredEvent, ...]
        The command's events as stored; empty when it changed nothing.
    replayed : bool
        The request_id had been answered before; nothing was appended now.
    """

    versioned: Versioned[S]
    events: tuple[StoredEvent, ...]
    replayed: bool


@dataclasses.dataclass(slots=True)
class _Entry(Generic[S]):
    """A loaded aggregate and the lock that puts this process's commands on it in line."""

    versioned: Versioned[S] | None = None
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


class Repository(Generic[S]):
    """Aggregates of one type: loads them, keeps hot ones, executes commands on them.

    Parameters
    ----------
    log : EventLog
    context : str
        The log's context, such as `session`.
    initial : Callable[[], S]
        Makes the state before the first event.
    evolve : Evolve
    events : EventRegistry
        The service's event vocabulary.
    snapshots, codec : SnapshotStore, SnapshotCodec, optional
        Both or none.
    clock : Clock
    cache_max : int
        Aggregates kept loaded.
    """

    def __init__(
        self,
        log: EventLog,
        context: str,
        *,
        initial: Callable[[], S],
        evolve: Evolve[S],
        events: EventRegistry,
        snapshots: SnapshotStore | None = None,
        codec: SnapshotCodec[S] | None = None,
        clock: Clock | None = None,
        cache_max: int = CACHE_AGGREGATES_MAX,
        snapshot_every: int = SNAPSHOT_EVERY,
    ) -> None:
        if (snapshots is None) != (codec is None):
            raise ValueError("snapshots need a store and a codec")
        self._log = log
        self.context = context
        self._initial = initial
        self._evolve = evolve
        self._events = events
        self._snapshots = snapshots
        self._codec = codec
        self._clock = clock or SystemClock()
        self._cache_max = cache_max
        self._snapshot_every = snapshot_every
        self._entries: collections.OrderedDict[AggregateId, _Entry[S]] = collections.OrderedDict()

    def aggregate(self, tenant: str, id: str) -> AggregateId:  # noqa: A002 - the word of the log's own API
        """Return the name of an aggregate of this repository's context."""
        return AggregateId(self.context, tenant, id)

    async def load(
        self, aggregate: AggregateId, *, as_of_sequence: int | None = None, as_of_time: datetime | None = None
    ) -> Versioned[S]:
        """Return an aggregate as it is now, or as it was.

        Parameters
        ----------
        as_of_sequence : int, optional
            The state right after this event.
        as_of_time : datetime, optional
            The state before the first event later than this.

        Raises
        ------
        OutOfRange
            `as_of_sequence` is beyond the last event, or negative.
        Unavailable, DataLoss
            The log cannot be read, or not be trusted.
        """
        if as_of_sequence is None and as_of_time is None:
            entry = self._entry(aggregate)
            async with entry.lock:
                return await self._refresh(aggregate, entry)
        stored = await self._read(aggregate, after_sequence=0, after_position=0)
        if as_of_sequence is not None and not 0 <= as_of_sequence <= len(stored):
            raise OutOfRange(
                "SEQUENCE_OUT_OF_RANGE",
                f"as_of_sequence {as_of_sequence} is outside 0 to {len(stored)}, the history of {aggregate.id}",
                metadata={"as_of_sequence": as_of_sequence, "last_sequence": len(stored)},
            )
        last = len(stored) if as_of_sequence is None else as_of_sequence
        if as_of_time is not None:
            last = next((n for n, event in enumerate(stored[:last]) if event.time > as_of_time), last)
        return self._fold(Versioned(self._initial()), stored[:last])

    async def execute(
        self,
        aggregate: AggregateId,
        decide: Decide[S],
        *,
        request_id: str,
        request_hash: str,
        metadata: Metadata,
        expected_etag: str = "",
        now: datetime | None = None,
    ) -> Outcome[S]:
        """Execute a command at most once.

        Parameters
        ----------
        decide : Decide
            Pure; called again when another command was faster, and before a refusal that rests on state that may be
            old.
        request_id, request_hash : str
            The request's UUID, and `ids.request_hash` of its message.
        metadata : Metadata
            Travels with the events; its request fields are filled in here.
        expected_etag : str
            The etag the caller saw, or empty.
        now : datetime, optional
            The events' time; by default the clock's.

        Raises
        ------
        InvalidArgument
            The request_id was used with another body (`REQUEST_ID_REUSED`).
        Aborted
            The etag is stale, or races were lost `DECISIONS_MAX` times.
        Unavailable
            The log did not answer; whether the command took effect is unknown, a repeat resolves it.
        """
        ids.validate_request_id(request_id)
        full = dataclasses.replace(metadata, request_id=request_id, request_hash=request_hash)
        entry = self._entry(aggregate)
        async with entry.lock:
            try:
                outcome = await self._execute(aggregate, entry, decide, full, expected_etag, now or self._clock.now())
            except asyncio.CancelledError:
                entry.versioned = None  # the append may have been on its way
                raise
            except Exception as failure:
                telemetry.COMMANDS.labels(self.context, _outcome_of(failure)).inc()
                raise
        kind = "replayed" if outcome.replayed else "appended" if outcome.events else "empty"
        telemetry.COMMANDS.labels(self.context, kind).inc()
        return outcome

    async def _execute(
        self,
        aggregate: AggregateId,
        entry: _Entry[S],
        decide: Decide[S],
        metadata: Metadata,
        expected_etag: str,
        now: datetime,
    ) -> Outcome[S]:
        is_fresh = entry.versioned is None
        versioned = await self._refresh(aggregate, entry) if entry.versioned is None else entry.versioned
        losses = 0
        while True:
            if replay := await self._replay(aggregate, versioned, metadata):
                return replay
            try:
                check_etag(expected_etag, versioned.sequence)
                messages = decide(versioned.state)
            except Exception:
                if is_fresh:
                    raise
                messages = ()
            if not messages:
                if is_fresh:
                    return Outcome(versioned, (), replayed=False)
                # A refusal, or "nothing to do", must rest on the newest state.
                is_fresh, versioned = True, await self._refresh(aggregate, entry)
                continue
            try:
                return await self._append(aggregate, entry, versioned, messages, metadata, now)
            except ConcurrencyConflict:
                telemetry.COMMAND_CONFLICTS.labels(self.context).inc()
                losses += 1
                if losses >= DECISIONS_MAX:
                    raise Aborted(
                        "TOO_MANY_CONFLICTS",
                        f"{aggregate.id} changed {losses} times while this command was decided; try again",
                        metadata={"aggregate": aggregate, "attempts": losses},
                        retry_after_s=BACKOFF_S * 2**losses,
                    ) from None
                await asyncio.sleep(random.uniform(0.5, 1.5) * BACKOFF_S * 2 ** (losses - 1))  # noqa: S311 - jitter
                is_fresh, versioned = True, await self._refresh(aggregate, entry)

    async def _replay(
        self, aggregate: AggregateId, versioned: Versioned[S], metadata: Metadata
    ) -> Outcome[S] | None:
        """Return the first outcome of a request that was answered before."""
        record = versioned.requests.get(metadata.request_id)
        if record is None:
            return None
        if record.request_hash != metadata.request_hash:
            raise _reused(metadata.request_id)
        stored = await self._read(aggregate, after_sequence=0, after_position=0)
        then = self._fold(Versioned(self._initial()), stored[: record.last_sequence])
        return Outcome(then, tuple(stored[record.first_sequence - 1 : record.last_sequence]), replayed=True)

    async def _append(
        self,
        aggregate: AggregateId,
        entry: _Entry[S],
        versioned: Versioned[S],
        messages: Sequence[Message],
        metadata: Metadata,
        now: datetime,
    ) -> Outcome[S]:
        command = ids.command_id(aggregate.context, aggregate.tenant, aggregate.id, metadata.request_id)
        events = [
            NewEvent(
                event_id=ids.event_id(command, index),
                type=self._events.type_of(message),
                schema=message.DESCRIPTOR.full_name,
                data=message.SerializeToString(deterministic=True),
                time=now,
            )
            for index, message in enumerate(messages)
        ]
        try:
            stored = await self._log.append(aggregate, versioned.sequence, events, metadata)
        except ConcurrencyConflict:
            raise
        except EventLogError as failure:
            entry.versioned = None
            raise (refusal_of(failure) or failure) from failure
        if stored[0].metadata.request_hash != metadata.request_hash:
            # Another process answered this request_id, with another body, a moment ago.
            entry.versioned = None
            raise _reused(metadata.request_id)
        # Folded from what is stored and not from what was decided: a repeat finds the first attempt's bytes.
        entry.versioned = self._fold(versioned, stored)
        await self._snapshot(aggregate, versioned.sequence, entry.versioned)
        return Outcome(entry.versioned, tuple(stored), replayed=False)

    async def _refresh(self, aggregate: AggregateId, entry: _Entry[S]) -> Versioned[S]:
        """Bring an entry up to the log's end."""
        base = entry.versioned or await self._from_snapshot(aggregate) or Versioned(self._initial())
        stored = await self._read(aggregate, after_sequence=base.sequence, after_position=base.position)
        entry.versioned = self._fold(base, stored)
        return entry.versioned

    async def _read(self, aggregate: AggregateId, *, after_sequence: int, after_position: int) -> list[StoredEvent]:
        try:
            return await self._log.load(aggregate, after_sequence=after_sequence, after_position=after_position)
        except EventLogError as failure:
            raise (refusal_of(failure) or failure) from failure

    def _fold(self, versioned: Versioned[S], stored: Sequence[StoredEvent]) -> Versioned[S]:
        for event in stored:
            state = self._evolve(versioned.state, self._events.decode(event), event)
            versioned = versioned.after(state, event)
        return versioned

    async def _from_snapshot(self, aggregate: AggregateId) -> Versioned[S] | None:
        if self._snapshots is None or self._codec is None:
            return None
        try:
            snapshot = await self._snapshots.get(aggregate, _schema_hash(self._codec))
            if snapshot is not None:
                return unpack(snapshot.sequence, snapshot.position, snapshot.data, self._codec)
        except (EventLogError, msgspec.MsgspecError) as failure:
            _log.warning("snapshot not usable, folding the whole history", aggregate=str(aggregate), cause=repr(failure))
        return None

    async def _snapshot(self, aggregate: AggregateId, before: int, versioned: Versioned[S]) -> None:
        """Keep a snapshot when a multiple of `snapshot_every` was passed."""
        if self._snapshots is None or self._codec is None:
            return
        if before // self._snapshot_every == versioned.sequence // self._snapshot_every:
            return
        try:
            await self._snapshots.put(
                aggregate,
                versioned.sequence,
                _schema_hash(self._codec),
                pack(versioned, self._codec),
                position=versioned.position,
            )
        except (SnapshotTooLarge, LogUnavailable) as failure:
            _log.warning("snapshot not kept", aggregate=str(aggregate), cause=repr(failure))

    def _entry(self, aggregate: AggregateId) -> _Entry[S]:
        if aggregate.context != self.context:
            raise ValueError(f"{aggregate} is not of context {self.context}")
        entry = self._entries.get(aggregate)
        if entry is None:
            entry = self._entries[aggregate] = _Entry()
            if len(self._entries) > self._cache_max:
                self._entries.popitem(last=False)
            telemetry.AGGREGATES_CACHED.labels(self.context).set(len(self._entries))
        self._entries.move_to_end(aggregate)
        return entry

    def __repr__(self) -> str:
        return f"Repository(context={self.context!r}, cached={len(self._entries)})"


def _schema_hash(codec: SnapshotCodec[S]) -> str:
    return f"{FORMAT}-{codec.schema_hash}"


def _reused(request_id: str) -> InvalidArgument:
    return InvalidArgument.of_field(
        "request_id",
        f"{request_id} was already used for another request; make a new one for a new request",
        reason="REQUEST_ID_REUSED",
        metadata={"request_id": request_id},
    )


def _outcome_of(failure: Exception) -> str:
    if isinstance(failure, Aborted):
        return "conflict"
    if isinstance(failure, ServiceError) and failure.reason == "APPEND_UNKNOWN":
        return "unknown"
    return "refused"
