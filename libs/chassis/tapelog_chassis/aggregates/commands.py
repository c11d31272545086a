"""Commands on aggregates: load, decide, append, once per request_id for as long as the log lives.

The log is the only memory. A request_id is found in the aggregate's own history, so a repeat is recognised after any
restart, by any process, however late it comes (AIP-155).
"""

import asyncio
import collections
import dataclasses
import functools
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from tapelog_chassis import ids, telemetry
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.freshness import Heads
from tapelog_chassis.aggregates.history import SNAPSHOT_EVERY, Evolve, History
from tapelog_chassis.aggregates.log_refusals import refusal_of
from tapelog_chassis.aggregates.versioned import SnapshotCodec, Versioned
from tapelog_chassis.clock import Clock, SystemClock
from tapelog_chassis.errors import Aborted, InvalidArgument, ServiceError
from tapelog_chassis.event_log import (
    AggregateId,
    ConcurrencyConflict,
    EventLog,
    EventLogError,
    Metadata,
    NewEvent,
    SnapshotStore,
    StoredEvent,
)
from tapelog_chassis.observability import tracing
from tapelog_chassis.rpc.etag import check_etag

CACHE_AGGREGATES_MAX: Final = 1024
"""Aggregates kept loaded per repository; a song of 2,000 events holds about 1 MiB."""
DECISIONS_MAX: Final = 8
"""Lost races after which a command gives up; each loss means that another command won."""
BACKOFF_S: Final = 0.005
"""Mean wait after the first lost race, doubled per loss: about one append."""

S = TypeVar("S")
Decide = Callable[[S], Sequence[Message]]
"""The pure decision: events from state, or the domain's own exception. May be called again on newer state."""


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
        The aggregate already knew the request_id. False does not prove that the events are new: a repeat that races
        with its first attempt is recognised by the log, and gets the first attempt's events from there.
    """

    versioned: Versioned[S]
    events: tuple[StoredEvent, ...]
    replayed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Command(Generic[S]):
    """One call of `execute`."""

    aggregate: AggregateId
    decide: Decide[S]
    metadata: Metadata
    expected_etag: str
    now: datetime


@dataclasses.dataclass(slots=True)
class _Entry(Generic[S]):
    """A loaded aggregate and the lock that puts this process's commands on it in line.

    Attributes
    ----------
    reads : int
        Reads of the log's end that were begun.
    read : int
        Number of the last one that ended well: whoever came before it began need not read again.
    """

    versioned: Versioned[S] | None = None
    lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    reads: int = 0
    read: int = 0


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
    heads : Heads, optional
        Says how far aggregates are, for `recent`.
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
        heads: Heads | None = None,
    ) -> None:
        self._log = log
        self._heads = heads
        self._history = History(
            log,
            initial=initial,
            evolve=evolve,
            events=events,
            snapshots=snapshots,
            codec=codec,
            snapshot_every=snapshot_every,
        )
        self.context = context
        self._counts = {kind: telemetry.COMMANDS.labels(context, kind) for kind in ("appended", "empty", "replayed")}
        self._events = events
        self._clock = clock or SystemClock()
        self._cache_max = cache_max
        self._entries: collections.OrderedDict[AggregateId, _Entry[S]] = collections.OrderedDict()

    def aggregate(self, tenant: str, id: str) -> AggregateId:  # noqa: A002 - the word of the log's own API
        """Return the name of an aggregate of this repository's context."""
        return _aggregate(self.context, tenant, id)

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
            begun = entry.reads
            async with entry.lock:
                if entry.versioned is not None and entry.read > begun:
                    return entry.versioned
                return await self._refresh(aggregate, entry)
        versioned, _ = await self._history.as_of(aggregate, sequence=as_of_sequence, time=as_of_time)
        return versioned

    async def recall(self, aggregate: AggregateId) -> Versioned[S]:
        """Return an aggregate as this process last knew it, which may be behind the log; loaded if it does not.

        For what cannot change any more, and for decisions that `execute` makes again on the newest state.
        Raises as `load`.
        """
        entry = self._entry(aggregate)
        if entry.versioned is not None and entry.versioned.exists:
            return entry.versioned
        return await self.load(aggregate)

    def recent(self, aggregate: AggregateId) -> Versioned[S] | None:
        """Return an aggregate that is known to be no older than the heads' limit, without asking the log.

        None if it is not loaded, or nobody knows whether it is that new: then `load` has to ask.
        """
        entry = self._entries.get(aggregate)
        if self._heads is None or entry is None or entry.versioned is None:
            return None
        sequence = self._heads.sequence(aggregate)
        if sequence is None or entry.versioned.sequence < sequence:
            return None
        self._entries.move_to_end(aggregate)
        return entry.versioned

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
        command = _Command(
            aggregate,
            decide,
            metadata.of_request(request_id, request_hash, tracing.traceparent()),
            expected_etag,
            now or self._clock.now(),
        )
        entry = self._entry(aggregate)
        async with entry.lock:
            try:
                outcome = await self._execute(command, entry)
            except asyncio.CancelledError:
                entry.versioned = None  # the append may have been on its way
                raise
            except Exception as failure:
                telemetry.COMMANDS.labels(self.context, _outcome_of(failure)).inc()
                raise
        kind = "replayed" if outcome.replayed else "appended" if outcome.events else "empty"
        self._counts[kind].inc()
        return outcome

    async def _execute(self, command: _Command[S], entry: _Entry[S]) -> Outcome[S]:
        aggregate = command.aggregate
        is_fresh = entry.versioned is None
        versioned = await self._refresh(aggregate, entry) if entry.versioned is None else entry.versioned
        losses = 0
        while True:
            if versioned.requests.may_be_older(command.metadata.request_id):
                # A snapshot does not hold old requests in full: the whole history does.
                versioned, _ = await self._history.as_of(aggregate, sequence=None, time=None)
                is_fresh, entry.versioned = True, versioned
            if replay := await self._replay(command, versioned):
                return replay
            try:
                check_etag(command.expected_etag, versioned.sequence)
                messages = command.decide(versioned.state)
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
                return await self._append(command, entry, versioned, messages)
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

    async def _replay(self, command: _Command[S], versioned: Versioned[S]) -> Outcome[S] | None:
        """Return the first outcome of a request that was answered before."""
        aggregate, metadata = command.aggregate, command.metadata
        record = versioned.requests.get(metadata.request_id)
        if record is None:
            return None
        if record.request_hash != metadata.request_hash:
            raise _reused(metadata.request_id)
        then, stored = await self._history.as_of(aggregate, sequence=record.last_sequence, time=None)
        return Outcome(then, tuple(stored[record.first_sequence - 1 :]), replayed=True)

    async def _append(
        self, command: _Command[S], entry: _Entry[S], versioned: Versioned[S], messages: Sequence[Message]
    ) -> Outcome[S]:
        aggregate, metadata = command.aggregate, command.metadata
        command_id = ids.command_id(aggregate.context, aggregate.tenant, aggregate.id, metadata.request_id)
        events = [
            NewEvent(
                event_id=ids.event_id(command_id, index),
                type=self._events.type_of(message),
                schema=self._events.schema_of(message),
                data=message.SerializeToString(deterministic=True),
                time=command.now,
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
        if stored[0].sequence != versioned.sequence + 1:
            # Another process has answered this request behind events that this one has not read.
            entry.versioned = None
            then, _ = await self._history.as_of(aggregate, sequence=stored[-1].sequence, time=None)
            return Outcome(then, tuple(stored), replayed=True)
        # Folded from what is stored and not from what was decided: a repeat finds the first attempt's bytes.
        entry.versioned = self._history.fold(versioned, stored)
        await self._history.keep_snapshot(aggregate, versioned.sequence, entry.versioned)
        return Outcome(entry.versioned, tuple(stored), replayed=False)

    async def _refresh(self, aggregate: AggregateId, entry: _Entry[S]) -> Versioned[S]:
        """Bring an entry up to the log's end."""
        entry.reads += 1
        number = entry.reads
        entry.versioned = await self._history.latest(aggregate, entry.versioned)
        entry.read = number
        return entry.versioned

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


@functools.lru_cache(maxsize=CACHE_AGGREGATES_MAX)
def _aggregate(context: str, tenant: str, id_: str) -> AggregateId:
    """Return the name, the same object again and again: what is equal at a glance is found faster."""
    return AggregateId(context, tenant, id_)


def _reused(request_id: str) -> InvalidArgument:
    text = f"{request_id} was already used for another request; make a new one for a new request"
    return InvalidArgument.of_field("request_id", text, reason="REQUEST_ID_REUSED", metadata={"request_id": request_id})


def _outcome_of(failure: Exception) -> str:
    if isinstance(failure, Aborted):
        return "conflict"
    if isinstance(failure, ServiceError) and failure.reason == "APPEND_UNKNOWN":
        return "unknown"
    return "refused"
