"""A worker's side of the work queue: one job at a time, urgent classes first, nothing hoarded.

An idle worker has a pull open on every class, so a new job reaches it at once. A busy one takes nothing: what arrives
on a pull that was open when it took its job goes straight back, to a worker that has time.
"""

import asyncio
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
from tapelog_chassis.nats import Delivery, Unreachable
from tapelog_chassis.nats.api import nanoseconds

from tapelog_render.adapters.job_queue import key_of
from tapelog_render.application.ports import JobKey
from tapelog_render.application.schedule import ClassRotation

LOOK_TIMEOUT_S: Final = 1.0
"""For the answer to "is there a job now?"; a broker on the way back may never give it."""
WAIT_S: Final = 2.0
"""How long a pull stays open while there is no job."""
TICK_S: Final = 0.1
"""How often an idle worker looks whether its connection was made anew."""

_log = structlog.get_logger(__name__)


class DeliveredJob:
    """A `Lease` on a job that JetStream has delivered."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.key: JobKey = key_of(delivery.subject)

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
        self._numbers = itertools.count()
        self._wanted: asyncio.Future[Delivery] | None = None
        self._answered: dict[str, asyncio.Future[None]] = {}
        self._inbox = ""
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._inbox = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe(
            f"{self._inbox}.*", cb=self._on_message, pending_msgs_limit=0, pending_bytes_limit=0
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._subscription is not None and not self._connection.is_closed:
            await self._subscription.unsubscribe()

    async def next(self) -> DeliveredJob:
        """Wait for the next job and take it."""
        loop = asyncio.get_running_loop()
        while True:
            self._wanted = wanted = loop.create_future()
            try:
                delivery = await self._look(wanted) or await self._wait(wanted)
            except asyncio.CancelledError:
                if wanted.done():
                    await wanted.result().nak()
                raise
            finally:
                self._wanted = None
                self._answered.clear()
            if delivery is None:
                continue
            self._rotation.took(delivery.subject.split(".")[2])
            return DeliveredJob(delivery)

    async def _look(self, wanted: asyncio.Future[Delivery]) -> Delivery | None:
        """Ask each class in turn whether it has a job now."""
        for class_ in self._rotation.order():
            answered = await self._pull(class_, {"batch": 1, "no_wait": True})
            if answered is not None:
                either: list[asyncio.Future[Any]] = [wanted, answered]
                await asyncio.wait(either, timeout=LOOK_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
        return None

    async def _wait(self, wanted: asyncio.Future[Delivery]) -> Delivery | None:
        """Wait on all classes until one has a job, the pulls are over, or the connection was made anew."""
        reconnects = self._connection.stats["reconnects"]
        for class_ in topology.JOB_CLASSES:
            await self._pull(class_, {"batch": 1, "expires": nanoseconds(WAIT_S)})
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s and self._connection.stats["reconnects"] == reconnects:
            await asyncio.wait([wanted], timeout=TICK_S)
            if wanted.done():
                return wanted.result()
        return None

    async def _pull(self, class_: str, body: dict[str, Any]) -> asyncio.Future[None] | None:
        inbox = f"{self._inbox}.{next(self._numbers)}"
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{topology.JOBS}.{class_}"
        self._answered[inbox] = answered = asyncio.get_running_loop().create_future()
        try:
            await self._connection.publish(subject, json.dumps(body).encode(), reply=inbox)
        except nats.errors.Error as error:
            _log.info("cannot pull", cause=type(error).__name__)
            await asyncio.sleep(TICK_S)
            return None
        return answered

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
        return f"JobPuller({topology.JOBS}, {self._rotation!r})"
