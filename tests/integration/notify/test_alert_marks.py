"""Alert rules over restarts: they read on from where they were, and remember what they had counted."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from tapelog.notify.v1 import alerts_pb2
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.event_log import AggregateId, JetStreamEventLog, JetStreamSnapshotStore, Metadata
from tapelog_chassis.testing import Broker, eventually
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents, JetStreamPublicStream
from tapelog_notify.application.alert_engine import AlertBook, AlertEngine
from tapelog_notify.application.alert_marks import AlertMarks, Mark
from tapelog_notify.application.projector import Projector
from tapelog_notify.domain import alert_rule as rules
from tapelog_notify.domain.alert import Alert
from tapelog_notify.domain.alert_rule import Rule
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.main import EVENTS, evolve_alert, evolve_rule
from tapelog_notify.testing import TENANT, Recorder

FAILED = "tapelog.render_job.render_failed.v1"


class Watched(JetStreamPublicEvents):
    """The public stream, which remembers what was read of it."""

    read_again: list[int]

    async def range(
        self, tenant: str, *, after_position: int, last: int, event_filter: EventFilter | None = None
    ) -> AsyncGenerator[PublicEvent, None]:
        """See `PublicEvents.range`."""
        async for event in super().range(tenant, after_position=after_position, last=last, event_filter=event_filter):
            self.read_again.append(event.position)
            yield event


class Engine:
    """An engine on a broker, started and stopped at will, and the projector that feeds it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def open(self) -> None:
        """Connect."""
        connection = await self._broker.connect("notify")
        self.log = JetStreamEventLog(connection)
        self.public = Watched(connection)
        self.public.read_again = []
        self.marks = AlertMarks(JetStreamSnapshotStore(connection), "notify")
        self.book = AlertBook(self.log, "notify", EVENTS)
        clock = SystemClock()
        self.rules = Repository(self.log, "notify", initial=Rule, evolve=evolve_rule, events=EVENTS, clock=clock)
        alerts = Repository(self.log, "notify", initial=Alert, evolve=evolve_alert, events=EVENTS, clock=clock)
        self._engine = AlertEngine(self.book, self.public, alerts, clock, self.marks, tick_s=0.05, save_s=0.05)
        self._projector = Projector(self.log, JetStreamPublicStream(connection), ("render", "notify"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run; a cancelled engine keeps its mark."""
        self.public.read_again.clear()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run()) for part in (self.book, self._projector, self._engine)]
            yield
            for task in tasks:
                task.cancel()

    async def add_rule(self, id_: str, rule: alerts_pb2.AlertRule) -> None:
        """Create a rule."""
        rule.title, rule.severity = rule.title or id_, alerts_pb2.ALERT_SEVERITY_WARNING
        await self.rules.execute(
            AggregateId("notify", TENANT, id_),
            lambda state: rules.create(state, rule, created_by="pty-ana"),
            request_id=str(uuid.uuid4()),
            request_hash="",
            metadata=Metadata(actor="pty-ana"),
        )

    async def mark(self) -> Mark | None:
        """Return the kept mark."""
        return await self.marks.load(TENANT)


@pytest.fixture
async def engine(broker: Broker) -> Engine:
    """Make an engine."""
    made = Engine(broker)
    await made.open()
    return made


def _three_failures() -> alerts_pb2.AlertRule:
    rule = alerts_pb2.AlertRule(filter={"types": [FAILED]}, threshold={"count": 3}, group_by="project")
    rule.threshold.window.FromTimedelta(timedelta(hours=1))
    return rule


async def _fail(recorder: Recorder, job: str, *, time: datetime | None = None) -> None:
    await recorder.append(job, context="render", type_=FAILED, schema="tapelog.render.v1.RenderFailed", time=time)


async def test_counts_go_on_over_restarts_without_reading_the_past_again(
    broker: Broker, engine: Engine, recorder: Recorder
) -> None:
    """Two failures before a restart and one after it are three; what was looked at is not read twice."""
    await engine.add_rule("alr-1", _three_failures())
    async with engine.running():
        for job in ("job-1", "job-2"):
            await _fail(recorder, job)
        await eventually(lambda: _stands_at(engine, 3))
    mark = await engine.mark()
    assert mark is not None
    assert {key: len(window) for key, window in mark.rules["alr-1"].windows.items()} == {"prj-1": 2}
    async with engine.running():
        await _fail(recorder, "job-3")
        await eventually(lambda: len(engine.book.alerts) == 1)
        assert engine.public.read_again == []
    ((_, alert),) = engine.book.alerts.values()
    assert alert.last is not None
    assert len(alert.last.event_ids) == 3


async def test_a_new_rule_begins_with_its_creation_and_the_others_count_nothing_twice(
    broker: Broker, engine: Engine, recorder: Recorder
) -> None:
    """Rules changed while the engine was away: each one reads from where it stood."""
    await engine.add_rule("alr-1", _three_failures())
    async with engine.running():
        await _fail(recorder, "job-1")
        await eventually(lambda: _stands_at(engine, 2))
    await engine.add_rule("alr-2", alerts_pb2.AlertRule(filter={"types": [FAILED]}, group_by="aggregate"))
    await _fail(recorder, "job-2")
    async with engine.running():
        await eventually(lambda: len(engine.book.alerts) == 1)
    ((_, alert),) = engine.book.alerts.values()
    assert alert.last is not None
    assert (alert.last.rule, alert.last.key) == ("alertRules/alr-2", "job-2")
    mark = await engine.mark()
    assert mark is not None
    assert {key: len(window) for key, window in mark.rules["alr-1"].windows.items()} == {"prj-1": 2}


async def test_a_mark_that_does_not_fit_the_stream_is_not_used(
    broker: Broker, engine: Engine, recorder: Recorder
) -> None:
    """A mark behind the stream's end (a stream made anew) means reading back as without one; nothing is missed."""
    await engine.add_rule("alr-1", alerts_pb2.AlertRule(filter={"types": [FAILED]}, group_by="aggregate"))
    await engine.marks.save(TENANT, 10_000, [])
    async with engine.running():
        await _fail(recorder, "job-1")
        await eventually(lambda: len(engine.book.alerts) == 1)


async def _stands_at(engine: Engine, events: int) -> bool:
    """Whether the engine has looked at so many events, and has kept that."""
    mark = await engine.mark()
    return mark is not None and mark.position >= events
