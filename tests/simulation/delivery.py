"""The notify service of the simulation, and the endpoint that it delivers to."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from tapelog_notify.application.attempts import Attempt
from tapelog_notify.application.dispatcher import Delivering
from tapelog_notify.application.ports import Answer
from tapelog_notify.application.projector import Projector
from tapelog_notify.application.registry import Registered
from tapelog_notify.application.supervisor import Supervisor
from tapelog_notify.domain.signature import Keyring
from tapelog_notify.domain.subscription import Channel, State, Subscription

from .broker import SimulatedBroker
from .faults import Network, Process, caller
from .loop import VirtualClock
from .past import TENANT
from .ports import SimulatedFeeds, SimulatedLog, SimulatedPublicStream
from .services import NobodyElse

PUBLIC_CONTEXTS: Final = ("session", "render", "usage")
SUBSCRIPTION: Final = "sub-1"
SCHEDULE_S: Final = (0.0, 0.2, 0.5, *(1.0,) * 200)


class NotifyService:
    """The notify service: a projector, and where it is the first one, delivery to the subscriber's webhook."""

    def __init__(self, name: str, broker: SimulatedBroker, network: Network, subscriber: "Subscriber | None") -> None:
        self._broker = broker
        self._network = network
        self._subscriber = subscriber
        self._deliveries = KeptDeliveries()
        self.stopped: list[str] = []
        self.process = Process(name, self._main)

    async def _main(self) -> None:
        projector = Projector(
            SimulatedLog(self._broker, self._network),
            SimulatedPublicStream(self._broker, self._network),
            PUBLIC_CONTEXTS,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(projector.run())
            if self._subscriber is not None:
                supervisor = Supervisor(SimulatedFeeds(self._broker, self._network), self._delivering(self._subscriber))  # type: ignore[arg-type]  # `Feeds` as far as webhooks need it
                supervisor.changed(
                    Registered(
                        TENANT,
                        SUBSCRIPTION,
                        sequence=1,
                        created_position=1,
                        subscription=Subscription(
                            state=State.ACTIVE, channel=Channel.WEBHOOK, url="https://example.test/hook"
                        ),
                    )
                )
                group.create_task(supervisor.run())

    def _delivering(self, subscriber: "Subscriber") -> Delivering:
        async def stop(item: Registered, verdict: Any, reason: str) -> None:
            self.stopped.append(f"{item.id} {verdict} {reason}")

        return Delivering(
            webhooks=subscriber,
            mail=NobodyElse(),
            secrets=_Secrets(),  # type: ignore[arg-type]  # as much of it as sending needs
            deliveries=self._deliveries,
            clock=VirtualClock(),
            in_flight=asyncio.Semaphore(8),
            stop=stop,
            schedule_s=SCHEDULE_S,
        )


class _Secrets:
    async def get(self, tenant: str, subscription: str) -> Keyring:
        return Keyring(f"{tenant}/{subscription}".encode() * 3)


class KeptDeliveries:
    """As much of a `DeliveryLog` as a dispatcher uses."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    async def add(self, tenant: str, subscription: str, attempt: Attempt) -> None:
        """See `DeliveryLog.add`."""
        del tenant, subscription
        caller()
        self.attempts = [*self.attempts[-100:], attempt]

    async def last(self, tenant: str, subscription: str) -> Attempt | None:
        """See `DeliveryLog.last`."""
        del tenant, subscription
        return self.attempts[-1] if self.attempts else None

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"an ordered webhook does not {name}")


class Subscriber:
    """An endpoint that is reached or not, and notes what it was sent: a `Webhooks` port and what lies behind it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.failing = 0.0
        self.received: list[tuple[str, bytes]] = []

    async def check(self, url: str) -> None:
        """See `Webhooks.check`."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See `Webhooks.post`."""
        del url
        who, rng, weather = caller(), self._network.rng, self._network.weather
        await self._network.pause()
        if rng.random() < weather.lost_request:
            await asyncio.sleep(1.0)
            return Answer(0, "timed out", 1.0)
        if rng.random() < self.failing:
            return Answer(500, "it is down", 0.01)
        self.received.append((headers["webhook-id"], body))
        self._network.trace.add(who, "posted", len(self.received))
        if rng.random() < weather.lost_reply:
            await asyncio.sleep(1.0)
            return Answer(0, "timed out", 1.0)
        await self._network.pause()
        return Answer(200, "", 0.01)
