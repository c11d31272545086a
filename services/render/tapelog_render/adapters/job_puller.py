"""A worker's side of the work queue: one job at a time, urgent classes first, tenants alike, nothing hoarded.

Each tenant has a lane per class. A worker asks the broker which lanes have jobs and takes from the one whose turn it
is. An idle one is told of each new job; it also keeps a pull open on lanes whose jobs others have, because these come
back when their worker dies. A busy one takes nothing: what arrives on a pull that was open when it took its job goes
straight back, to a worker that has time.
"""

import asyncio
import dataclasses
import itertools
import json
import time
from types import TracebackType
from typing import Any, Final, Self

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from tapelog_chassis import topology
from tapelog_chassis.nats import Delivery, JetStreamApiError, Unreachable
from tapelog_chassis.nats.api import nanoseconds, request
from tapelog_chassis.observability.tracing import TRACEPARENT

from tapelog_render.adapters.job_queue import key_of
from tapelog_render.application.ports import JobKey
from tapelog_render.application.queueing.schedule import ClassRotation, FairShare

LOOK_TIMEOUT_S: Final = 1.0
"""For the answer to "is there a job now?"; a broker on the way back may never give it."""
WAIT_S: Final = 2.0
"""How long a pull stays open while there is no job."""
TICK_S: Final = 0.1
"""How often an idle worker looks whether its connection was made anew."""
TURN_S: Final = 0.05
"""What a job counts at least in its tenant's share."""
OPEN_PULLS_MAX: Final = 16
"""Lanes on which an idle worker waits for a lost job; the others it looks at every `WAIT_S`."""
PAGES_MAX: Final = 40
"""Pages of 256 lanes that are looked at: 10,000 lanes."""

_log = structlog.get_logger(__name__)


class DeliveredJob:
    """A `Lease` on a job that JetStream has delivered."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.key: JobKey = key_of(delivery.subject)
        self.traceparent = delivery.headers.get(TRACEPARENT, "")

    async def heartbeat(self) -> None:
        """See `Lease.heartbeat`; a beat that is lost with its broker is made up for by the next."""
        try:
            await self._delivery.in_progress()
        except nats.errors.Error as error:
            _log.warning("heartbeat not sent", job=self.key.job, cause=type(error).__name__)

    async def done(self) -> None:
        """See `Lease.done`; a job that stays queued is handed out again, and found ended."""
        try:
            await self._delivery.ack_sync()
        except Unreachable as error:
            _log.warning("job not taken off the queue", job=self.key.job, cause=str(error))

    async def give_back(self, *, delay_s: float = 0.0) -> None:
        """See `Lease.give_back`; if it is lost, the lease ends by itself."""
        await self._answer(self._delivery.nak(delay_s))

    async def refuse(self, reason: str) -> None:
        """See `Lease.refuse`."""
        _log.error("refused a job", job=self.key.job, reason=reason)
        await self._answer(self._delivery.term(reason))

    async def _answer(self, answer: Any) -> None:
        try:
            await answer
        except nats.errors.Error as error:
            _log.warning("answer to the queue not sent", job=self.key.job, cause=type(error).__name__)

    def __repr__(self) -> str:
        return f"DeliveredJob({self.key.job}, delivery={self._delivery.attempt})"


@dataclasses.dataclass(frozen=True, slots=True)
class Lane:
    """A tenant's lane of one class, as the broker counts it.

    Attributes
    ----------
    name : str
        Of its durable.
    waiting, taken : int
        Jobs that nobody has, and jobs that workers have.
    """

    name: str
    class_: str
    tenant: str
    waiting: int
    taken: int


class JobPuller:
    """Hands out jobs. Use as `async with JobPuller(connection) as puller: lease = await puller.next()`.

    Parameters
    ----------
    connection : Client
        Of the user `worker`.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._rotation = ClassRotation(topology.JOB_CLASSES)
        self._share = FairShare()
        self._at_work: tuple[str, float] | None = None
        self._numbers = itertools.count()
        self._wanted: asyncio.Future[Delivery] | None = None
        self._answered: dict[str, asyncio.Future[None]] = {}
        self._told = asyncio.Event()
        self._inbox = ""
        self._subscriptions: list[Subscription] = []

    async def __aenter__(self) -> Self:
        self._inbox = self._connection.new_inbox()
        subjects = ((f"{self._inbox}.*", self._on_message), (topology.QUEUED_SUBJECT, self._on_queued))
        for subject, told in subjects:
            subscribing = self._connection.subscribe(subject, cb=told, pending_msgs_limit=0, pending_bytes_limit=0)
            self._subscriptions.append(await subscribing)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._connection.is_closed:
            for subscription in self._subscriptions:
                await subscription.unsubscribe()

    async def next(self) -> DeliveredJob:
        """Wait for the next job and take it."""
        self._count_work()
        loop = asyncio.get_running_loop()
        while True:
            self._wanted = wanted = loop.create_future()
            self._told.clear()
            try:
                lanes = await self._lanes()
                delivery = await self._look(lanes, wanted) or await self._wait(lanes, wanted)
            except asyncio.CancelledError:
                if wanted.done():
                    await wanted.result().nak()
                raise
            finally:
                self._wanted = None
                self._answered.clear()
            if delivery is None:
                continue
            job = DeliveredJob(delivery)
            self._rotation.took(delivery.subject.split(".")[2])
            self._at_work = (job.key.tenant, time.monotonic())
            return job

    def _count_work(self) -> None:
        """Charge the last job's time to its tenant; a job that took none still took its turn."""
        if self._at_work is not None:
            tenant, since_s = self._at_work
            now_s = time.monotonic()
            self._share.took(tenant, now_s, max(now_s - since_s, TURN_S))
            self._at_work = None

    async def _lanes(self) -> list[Lane]:
        """Return the lanes that may have a job: something waits, or somebody has one and may have lost it."""
        lanes: list[Lane] = []
        seen = 0
        try:
            for _ in range(PAGES_MAX):
                answer = await request(
                    self._connection, f"CONSUMER.LIST.{topology.JOBS}", {"offset": seen}, timeout_s=LOOK_TIMEOUT_S
                )
                page = answer.get("consumers") or []
                seen += len(page)
                for info in page:
                    class_, _, tenant = info["name"].partition("-")
                    lane = Lane(info["name"], class_, tenant, int(info["num_pending"]), int(info["num_ack_pending"]))
                    if class_ in topology.JOB_CLASSES and (lane.waiting or lane.taken):
                        lanes.append(lane)
                if not page or seen >= int(answer.get("total", 0)):
                    break
        except (Unreachable, JetStreamApiError) as error:
            _log.info("cannot look at the queue", cause=str(error))
            await asyncio.sleep(TICK_S)
        return self._in_order(lanes)

    def _in_order(self, lanes: list[Lane]) -> list[Lane]:
        """Order lanes by the turn of their class, then by how little their tenant had."""
        classes = self._rotation.order()
        tenants = self._share.order({lane.tenant for lane in lanes}, time.monotonic())
        turn = {tenant: place for place, tenant in enumerate(tenants)}
        return sorted(lanes, key=lambda lane: (classes.index(lane.class_), turn[lane.tenant]))

    async def _look(self, lanes: list[Lane], wanted: asyncio.Future[Delivery]) -> Delivery | None:
        """Ask each lane in turn whether it has a job now."""
        for lane in lanes:
            answered = await self._pull(lane.name, {"batch": 1, "no_wait": True})
            if answered is not None:
                either: list[asyncio.Future[Any]] = [wanted, answered]
                await asyncio.wait(either, timeout=LOOK_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
        return None

    async def _wait(self, lanes: list[Lane], wanted: asyncio.Future[Delivery]) -> Delivery | None:
        """Wait until a lane is said to have a job, or a job that somebody lost comes back; then it is time to look."""
        reconnects = self._connection.stats["reconnects"]
        for lane in lanes[:OPEN_PULLS_MAX]:
            await self._pull(lane.name, {"batch": 1, "expires": nanoseconds(WAIT_S)})
        end_s = time.monotonic() + WAIT_S
        told = asyncio.ensure_future(self._told.wait())
        try:
            while (left_s := end_s - time.monotonic()) > 0 and self._connection.stats["reconnects"] == reconnects:
                either: list[asyncio.Future[Any]] = [wanted, told]
                await asyncio.wait(either, timeout=min(TICK_S, left_s), return_when=asyncio.FIRST_COMPLETED)
                if wanted.done():
                    return wanted.result()
                if told.done():
                    return None
        finally:
            told.cancel()
        return None

    async def _pull(self, lane: str, body: dict[str, Any]) -> asyncio.Future[None] | None:
        inbox = f"{self._inbox}.{next(self._numbers)}"
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{topology.JOBS}.{lane}"
        self._answered[inbox] = answered = asyncio.get_running_loop().create_future()
        try:
            await self._connection.publish(subject, json.dumps(body).encode(), reply=inbox)
        except nats.errors.Error as error:
            _log.info("cannot pull", cause=type(error).__name__)
            await asyncio.sleep(TICK_S)
            return None
        return answered

    async def _on_queued(self, _message: Msg) -> None:
        self._told.set()

    async def _on_message(self, message: Msg) -> None:
        if not message.reply.startswith("$JS.ACK."):
            # 404 and 408: no job. 409 and 503: the broker is on its way back; the next look asks again.
            answered = self._answered.get(message.subject)
            if answered is not None and not answered.done():
                answered.set_result(None)
            return
        delivery = Delivery(message, self._connection, lambda: None)
        if self._wanted is None or self._wanted.done():
            await delivery.nak()
        else:
            self._wanted.set_result(delivery)

    def __repr__(self) -> str:
        return f"JobPuller({topology.JOBS}, {self._rotation!r}, {self._share!r})"
