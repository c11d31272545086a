"""Runs the alert rules: folds rules and alerts from the log, reads the public stream, raises and resolves.

Every few seconds it keeps where it is (`alert_marks`), and reads on from there after a restart. What it finds twice all
the same it asks for under the same request id, and the log knows that it has that already.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from google.protobuf.message import Message
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.gaps import CLOSED, Gaps
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import ServiceError
from tapelog_chassis.event_log import EventLog, EventLogError, LogItem, Metadata
from tapelog_chassis.nats import NatsError

from tapelog_notify.domain import alert as alerts
from tapelog_notify.domain import alert_rule as rules
from tapelog_notify.domain.alert import Alert
from tapelog_notify.domain.alert_detector import Detector, Finding
from tapelog_notify.domain.alert_rule import SPAN_MAX, Rule
from tapelog_notify.domain.event_filter import EventFilter

from .alert_marks import AlertMarks, Mark, remembered
from .ports import PublicEvents

RULE_PREFIX: Final = "alr-"
ALERT_PREFIX: Final = "alt-"
SERVICE_PARTY: Final = "svc-notify"
LOOK_BACK: Final = SPAN_MAX + timedelta(hours=1)
TICK_S: Final = 1.0
"""How often it looks whether something has waited for too long."""
RESTART_S: Final = 1.0
SAVE_S: Final = 5.0
"""How often it keeps where it is: a restart looks at so many seconds of events twice."""

_log = structlog.get_logger(__name__)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """An alert or a rule of a tenant, with its version and its place in the log."""

    tenant: str
    id: str
    sequence: int
    position: int


class AlertBook:
    """Every rule and every alert there is, folded from the notify log."""

    def __init__(self, log: EventLog, context: str, events: EventRegistry) -> None:
        self._log = log
        self._context = context
        self._events = events
        self.rules: dict[Key, tuple[Known, Rule]] = {}
        self.alerts: dict[Key, tuple[Known, Alert]] = {}
        self.rules_changed = asyncio.Event()
        self._gaps = Gaps("alerts")
        self._position = 0
        self._head = -1
        self._moved = asyncio.Condition()

    def __repr__(self) -> str:
        return f"AlertBook({len(self.rules)} rules, {len(self.alerts)} alerts)"

    @property
    def position(self) -> int:
        """Position in the log of the last event folded in."""
        return self._position

    @property
    def firing(self) -> int:
        """How many alerts are raised and not resolved."""
        return sum(alert.is_open for _, alert in self.alerts.values())

    async def wait_for(self, position: int, *, within_s: float = 5.0) -> None:
        """Wait until an event is folded in."""
        async with asyncio.timeout(within_s), self._moved:
            await self._moved.wait_for(lambda: self._position >= position)

    async def run(self) -> None:
        """Fold for ever."""
        while True:
            try:
                self._head = max(self._head, await self._log.head(self._context))
                async for item in self._log.tail(self._context, after_position=self._position):
                    self._take(item)
                    self._position = item.position
                    async with self._moved:
                        self._moved.notify_all()
            except EventLogError as error:
                _log.error("alerts cannot read the log", error=str(error))
            await asyncio.sleep(RESTART_S)

    async def caught_up(self) -> None:
        """Wait until the past is folded in."""
        head = await self._log.head(self._context)
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= head)

    def _take(self, item: LogItem) -> None:
        """Fold an event in; a rule or an alert of which something cannot be read stays as it was before."""
        event = self._gaps.event_of(item)
        if event is None or not event.aggregate.id.startswith((RULE_PREFIX, ALERT_PREFIX)):
            return
        message = self._gaps.message_of(event, self._events)
        if message is None:
            return
        key = (event.aggregate.tenant, event.aggregate.id)
        if event.aggregate.id.startswith(RULE_PREFIX):
            known, rule = self.rules.get(key, (Known(*key, 0, event.position), Rule()))
            rule = rules.evolve(rule, message, event.time)
            self.rules[key] = (Known(*key, event.sequence, known.position), rule)
            if not rule.exists:
                del self.rules[key]
            self.rules_changed.set()
        else:
            _, alert = self.alerts.get(key, (None, Alert()))
            alert = alerts.evolve(alert, message, event.time)
            self.alerts[key] = (Known(*key, event.sequence, event.position), alert)


class AlertEngine:
    """
    Raises and resolves alerts for ever.

    Parameters
    ----------
    book
        Rules as they are.
    public
        The public stream.
    repository
        Of alerts.
    marks
        Where it stands, over restarts.
    tick_s, save_s
        How often time rules are looked at, and how often it keeps where it is.
    """

    def __init__(
        self,
        book: AlertBook,
        public: PublicEvents,
        repository: Repository[Alert],
        clock: Clock,
        marks: AlertMarks,
        *,
        tick_s: float = TICK_S,
        save_s: float = SAVE_S,
    ) -> None:
        self._save_s = save_s
        self._marks = marks
        self._book = book
        self._public = public
        self._repository = repository
        self._clock = clock
        self._tick_s = tick_s

    def __repr__(self) -> str:
        return f"AlertEngine({self._book!r})"

    async def run(self) -> None:
        """Watch the tenants that have rules; begin anew when rules change, or reading fails."""
        await self._book.caught_up()
        while True:
            self._book.rules_changed.clear()
            try:
                async with asyncio.TaskGroup() as group:
                    watchers = [
                        group.create_task(self._watch(tenant, detectors), name=f"alerts {tenant}")
                        for tenant, detectors in self._detectors().items()
                    ]
                    await self._book.rules_changed.wait()
                    for watcher in watchers:
                        watcher.cancel()
            except* (NatsError, EventLogError, ServiceError) as failures:
                _log.warning("alerts begin anew", errors=[str(error) for error in failures.exceptions])
                await asyncio.sleep(RESTART_S)

    def _detectors(self) -> dict[str, list[Detector]]:
        found: dict[str, list[Detector]] = {}
        for known, rule in self._book.rules.values():
            found.setdefault(known.tenant, []).append(Detector(known.id, rule))
        return found

    async def _watch(self, tenant: str, detectors: list[Detector]) -> None:
        position = await self._catch_up(tenant, detectors)
        saved, saved_s = 0, time.monotonic()
        # What a rule remembers and the position belong together only between two events.
        is_between = True
        try:
            async with self._public.reader(tenant, EventFilter(), after_position=position) as reader:
                while True:
                    is_between = False
                    for detector in detectors:
                        await self._act(tenant, detector, detector.due(self._clock.now()))
                    is_between = True
                    if position != saved and time.monotonic() - saved_s >= self._save_s:
                        await self._marks.save(tenant, position, detectors)
                        saved, saved_s = position, time.monotonic()
                    try:
                        async with asyncio.timeout(self._tick_s):
                            event = await anext(reader)
                    except TimeoutError:
                        continue
                    is_between = False
                    for detector in detectors:
                        await self._act(tenant, detector, detector.on_event(event))
                    position = event.position
                    is_between = True
        finally:
            if is_between and position != saved:
                await self._marks.save(tenant, position, detectors)

    async def _catch_up(self, tenant: str, detectors: list[Detector]) -> int:
        """Bring the rules to where the stream is now, each from where it stood, and return that position."""
        bounds = await self._public.bounds()
        mark = await self._marks.load(tenant)
        if mark is None or not bounds.first - 1 <= mark.position <= bounds.last:
            mark = Mark(await self._public.position_before(self._clock.now() - LOOK_BACK))
        known = [detector for detector in detectors if detector.id in mark.rules]
        events = await remembered(self._public, mark, [detector.id for detector in known])
        for detector in known:
            detector.restore(mark.rules[detector.id], events)
        start = mark.position
        for detector in detectors:
            # A rule that the mark does not know begins with its creation: the others were beyond that already.
            if detector not in known and detector.rule.create_time is not None:
                start = min(start, await self._public.position_before(detector.rule.create_time))
        async for event in self._public.range(tenant, after_position=start, last=bounds.last):
            for detector in detectors:
                if event.position > mark.position or detector not in known:
                    await self._act(tenant, detector, detector.on_event(event))
        return bounds.last

    async def _act(self, tenant: str, detector: Detector, findings: list[Finding]) -> None:
        for finding in findings:
            id_ = alert_id(tenant, detector.id, finding.key)
            decide: Callable[[Alert], Sequence[Message]]
            if finding.raised is None:
                if (tenant, id_) not in self._book.alerts:
                    continue
                step = "resolve"
                reason = f"closed by event {finding.cause}"
                decide = partial(alerts.close, happened=finding.happened, reason=reason)
            else:
                step = "raise"
                decide = partial(
                    alerts.raise_,
                    wanted=finding.raised,
                    happened=finding.happened,
                    now=self._clock.now(),
                    dedup=detector.rule.dedup,
                )
            try:
                outcome = await self._repository.execute(
                    self._repository.aggregate(tenant, id_),
                    decide,
                    request_id=ids.follow_up_request_id(f"{tenant}/{id_}/{finding.cause}", step),
                    request_hash="",
                    metadata=Metadata(
                        actor=SERVICE_PARTY,
                        causation_id=finding.cause,
                        project=finding.event.project,
                        song=finding.event.song,
                    ),
                )
            except CLOSED as refusal:
                # This one alert can be neither raised nor resolved; the others can.
                _log.error("alert that cannot be written", id=id_, tenant=tenant, step=step, cause=refusal.message)
                continue
            if outcome.events:
                await self._book.wait_for(outcome.events[-1].position)


def alert_id(tenant: str, rule: str, key: str) -> str:
    """Return the id of a rule's alert for a value of its group."""
    return ids.derive_id("alt", tenant, rule, "Alert", key)
