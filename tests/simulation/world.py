"""One run of the simulation: clients at work while everything fails, then good weather, then the questions."""

import asyncio
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from google.protobuf.message import Message
from tapelog_chassis.errors import Aborted, Unavailable
from tapelog_chassis.event_log import AggregateId, Metadata, StoredEvent
from tapelog_chassis.topology import RENDER_LEDGER, SESSION_PROCESS, SESSION_RENDERS
from tapelog_render.application.events import RENDER
from tapelog_session.domain.errors import DomainError
from tapelog_session.domain.tracking import recording
from tapelog_session.domain.versioning import versions

from .broker import Defect, SimulatedBroker
from .delivery import PUBLIC_CONTEXTS, SUBSCRIPTION, NotifyService, Subscriber
from .faults import FAIR, LATE_S, TIMEOUT_S, Network, Trace, Weather
from .loop import run_virtual
from .past import MIXED, MIXER, PROJECT, RECORDED, TRACKS, past, published, recipe, sha
from .services import CallFailed, RenderService, SessionService, Worker, call, seeded
from .workshop import SimulatedObjects

STORM_S: Final = 12.0
"""How long things go wrong."""
HEALED_S: Final = 60.0
"""Within this time of good weather everything that was begun is over."""
ARRIVED_S: Final = TIMEOUT_S + LATE_S[1]
"""After this even the latest request has arrived."""
LOOK_S: Final = 0.25
CLIENTS: Final = 2
COMMANDS: Final = 4
OUTCOMES: Final = frozenset({"tapelog.render_job.render_succeeded.v1", "tapelog.render_job.render_failed.v1"})
NAMESPACE: Final = uuid.UUID("7b0b0b5e-6c58-4b60-9d5f-0f2a7f0f6f11")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A command that was answered: what its caller was told."""

    aggregate: AggregateId
    events: tuple[StoredEvent, ...]


@dataclass(slots=True)
class Run:
    """
    What a run came to.

    Attributes
    ----------
    acknowledged
        By request id.
    asked
        The decision of every command that was sent, answered or not, by request id.
    deaths
        How many processes died, the broker among them.
    took_s
        Virtual seconds of good weather until all was done; None if it never was.
    """

    seed: int
    trace: Trace
    broker: SimulatedBroker
    subscriber: Subscriber
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    asked: dict[str, Callable[[Any], Sequence[Message]]] = field(default_factory=dict)
    refused: int = 0
    deaths: int = 0
    took_s: float | None = None
    open: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    songs: dict[AggregateId, Any] = field(default_factory=dict)


def simulate(seed: int, *, defects: frozenset[Defect] = frozenset(), keep_trace: bool = False) -> Run:
    """Run one seed."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own in it
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=memory) as folder, structlog.testing.capture_logs():
        return run_virtual(_World(seed, Path(folder), defects, Trace(keep=keep_trace)).run())


class _World:
    def __init__(self, seed: int, scratch: Path, defects: frozenset[Defect], trace: Trace) -> None:
        self._rng = rng = seeded(seed)
        self._trace = trace
        self._network = network = Network(rng, FAIR, trace)
        self._broker = broker = SimulatedBroker(rng, trace=trace, defects=defects)
        self._subscriber = Subscriber(network)
        objects = SimulatedObjects()
        self._render = RenderService(broker, network)
        self._sessions = [
            SessionService(f"session-{n}", broker, network, self._render, processes=n == 1) for n in (1, 2)
        ]
        self._workers = [Worker(f"worker-{n}", broker, network, objects, scratch) for n in (1, 2)]
        self._notify = NotifyService("notify", broker, network, self._subscriber)
        self._processes = [self._render.process, self._notify.process]
        self._processes += [part.process for part in (*self._sessions, *self._workers)]
        if rng.random() < 0.3:
            self._processes.append(NotifyService("standby", broker, network, None).process)
        self.result = Run(seed, trace, broker, self._subscriber)

    async def run(self) -> Run:
        broker, rng, result = self._broker, self._rng, self.result
        broker.preload(past(), published(), (SESSION_PROCESS, SESSION_RENDERS, SUBSCRIPTION))
        broker.on_death = self._broker_died
        loop = asyncio.get_running_loop()
        for process in self._processes:
            process.start()
        clients = [loop.create_task(self._client(number)) for number in range(CLIENTS)]
        storm = loop.create_task(self._storm())
        await asyncio.wait([storm])
        self._network.weather, broker.dies_at_write = FAIR, 0.0
        self._subscriber.failing = 0.0
        for worker in self._workers:
            worker.engine.failing = 0.0
        healed_s = loop.time()
        while loop.time() - healed_s < HEALED_S:
            self._revive()
            result.open = [] if all(client.done() for client in clients) else ["a client waits"]
            result.open += self._unsettled()
            if not result.open and loop.time() - healed_s > ARRIVED_S:
                result.took_s = loop.time() - healed_s
                break
            await asyncio.sleep(LOOK_S)
        for client in clients:
            client.cancel()
            if client.done() and (failure := client.exception()) is not None:
                result.stopped.append(f"a client was told {failure!r}")
        result.stopped += [state.stopped_at for state in self._sessions[0].states if state.stopped_at]
        result.stopped += self._notify.stopped
        for aggregate in (RECORDED, MIXED):
            session = rng.choice(self._sessions)
            result.songs[aggregate] = (await session.aggregates.songs.load(aggregate)).state
        self._trace.add("end", len(broker.public), rng.random())
        return result

    async def _storm(self) -> None:
        """Let things go wrong, of some kinds in this run and of others in another, and for some time."""
        rng = self._rng
        is_on = [rng.random() < 0.6 for _ in range(7)]
        self._network.weather = Weather(
            lost_request=0.10 * is_on[0],
            lost_reply=0.12 * is_on[1],
            late=0.06 * is_on[2],
            doubled=0.06 * is_on[3],
            delay_s=rng.choice((0.002, 0.02, 0.2)),
        )
        self._broker.dies_at_write = 0.06 * is_on[4]
        self._broker.loses_queue = is_on[6]
        self._subscriber.failing = rng.choice((0.0, 0.0, 0.3))
        for worker in self._workers:
            worker.engine.failing = rng.choice((0.0, 0.0, 0.2))
        left_s = STORM_S
        while left_s > 0:
            pause_s = rng.uniform(0.1, 3.0)
            await asyncio.sleep(pause_s)
            left_s -= pause_s
            if is_on[5]:
                self._strike()
            self._revive(chance=0.6)

    def _strike(self) -> None:
        """Kill something, or several at once."""
        rng = self._rng
        for process in rng.sample(self._processes, rng.choice((1, 1, 2, len(self._processes)))):
            if process.is_up:
                self._trace.add("kill", process.name)
                process.kill()
                self.result.deaths += 1
        if rng.random() < 0.4:
            self._broker.kill()

    def _broker_died(self) -> None:
        self.result.deaths += 1
        asyncio.get_running_loop().call_later(self._rng.uniform(0.05, 1.5), self._broker.start)

    def _revive(self, *, chance: float = 1.0) -> None:
        """Start again what is down, or has ended by itself, as a supervisor does."""
        for process in self._processes:
            if process.failure is not None:
                self._trace.add("ended", process.name, type(process.failure).__name__)
                process.failure = None
                process.kill()
            if not process.is_up and self._rng.random() < chance:
                self._trace.add("start", process.name)
                process.start()

    async def _client(self, number: int) -> None:
        """Give commands, each again under its request id until it is answered."""
        rng = self._rng
        for turn in range(COMMANDS):
            await asyncio.sleep(rng.uniform(0.0, STORM_S / COMMANDS))
            aggregate, decide = self._command(f"{number}-{turn}")
            request_id = str(uuid.uuid5(NAMESPACE, f"{self.result.seed}/{number}/{turn}"))
            self.result.asked[request_id] = decide
            await self._until_answered(aggregate, decide, request_id)

    async def _until_answered(
        self, aggregate: AggregateId, decide: Callable[[Any], Sequence[Message]], request_id: str
    ) -> None:
        metadata = Metadata(actor="rex", project=PROJECT, song=aggregate.id)
        while True:
            session = self._rng.choice(self._sessions)
            execute = partial(
                session.aggregates.songs.execute,
                aggregate,
                decide,
                request_id=request_id,
                request_hash=sha(request_id),
                metadata=metadata,
            )
            try:
                outcome = await call(self._network, session.process, execute)
            except (CallFailed, Unavailable, Aborted):
                await asyncio.sleep(self._rng.uniform(0.05, 0.5))
            except DomainError:
                self.result.refused += 1
                return
            else:
                self.result.acknowledged[request_id] = Acknowledged(aggregate, outcome.events)
                return

    def _command(self, name: str) -> tuple[AggregateId, Callable[[Any], Sequence[Message]]]:
        rng = self._rng
        kind = rng.random()
        if kind < 0.5:
            gain_db = rng.choice((-1.0, -2.0, -3.0))
            return MIXED, lambda song: versions.propose_mix(song, MIXER, recipe(gain_db), "")
        track, take = rng.choice(TRACKS), f"tk-{name}"
        if kind < 0.9:
            return RECORDED, lambda song: recording.record_take(song, take, track, sha(take), "rex")
        return RECORDED, lambda song: recording.select_take(song, track, take)

    def _unsettled(self) -> list[str]:
        """Return what is not over yet."""
        broker = self._broker
        ends = {
            SESSION_PROCESS: len(broker.contexts.get("session", ())),
            SESSION_RENDERS: len(broker.public),
            RENDER_LEDGER: len(broker.contexts.get("render", ())),
            SUBSCRIPTION: len(broker.public),
        }
        found = []
        for name, end in ends.items():
            place = broker.place(name)
            if place.leases or (place.next < end and name != SESSION_RENDERS):
                found.append(f"{name} is at {place.next} of {end}, {len(place.leases)} leased")
        ends = {aggregate: events[-1].type for aggregate, events in broker.aggregates.items() if events}
        if running := [a.id for a, type_ in ends.items() if a.context == RENDER and type_ not in OUTCOMES]:
            found.append(f"{len(running)} jobs have not ended")
        if broker.jobs:
            found.append(f"{len(broker.jobs)} jobs are queued")
        if not broker.is_up or not all(process.is_up for process in self._processes):
            found.append("something is down")
        if len(broker.public) < sum(len(broker.contexts.get(c, ())) for c in PUBLIC_CONTEXTS):
            found.append("events are not published")
        return found
