"""Durable consumers on the public stream, one per subscription: its place outlives every process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from nats.aio.client import Client
from tapelog_chassis.nats import Delivery, JetStreamApiError, Puller, api, delete_consumer
from tapelog_chassis.nats.provision import consumer_config
from tapelog_chassis.topology import PUB, subscription_consumer

from tapelog_notify.application.ports import Due
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent

from .public_codec import readable
from .subjects import SUBJECTS_MAX, is_exact, public_subjects

FAR_FUTURE: Final = "2262-01-01T00:00:00Z"
"""Held until released; the broker's times end in 2262."""
_FIXED: Final = ("deliver_policy", "opt_start_seq")
"""Set once, when a consumer is made: its place is its own from then on."""


class JetStreamFeeds:
    """`Feeds` on a JetStream connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def ensure(
        self,
        tenant: str,
        subscription: str,
        event_filter: EventFilter,
        *,
        after_position: int,
        ordered: bool,
        exact: bool,
    ) -> None:
        """See `Feeds.ensure`."""
        if exact and not is_exact(event_filter):
            raise InvalidValue(
                "filter",
                "FILTER_TOO_WIDE",
                f"needs more than {SUBJECTS_MAX} subjects for a NATS consumer; name fewer projects, songs or types",
            )
        spec = subscription_consumer(
            subscription,
            public_subjects(tenant, event_filter),
            after_position=after_position,
            ordered=ordered,
        )
        config = consumer_config(spec)
        have = await self._info(subscription)
        if have is None:
            await self._create(subscription, config)
            return
        config |= {key: have["config"][key] for key in _FIXED if key in have["config"]}
        if have["config"].get("pause_until"):
            config["pause_until"] = have["config"]["pause_until"]
        if _filters(have["config"]) != _filters(config):
            await self._create(subscription, config)

    async def restart(self, subscription: str) -> None:
        """See `Feeds.restart`."""
        await api.request(self._connection, f"CONSUMER.RESET.{PUB}.{subscription}", {})

    async def hold(self, subscription: str) -> None:
        """See `Feeds.hold`."""
        await api.request(self._connection, f"CONSUMER.PAUSE.{PUB}.{subscription}", {"pause_until": FAR_FUTURE})

    async def release(self, subscription: str) -> None:
        """See `Feeds.release`."""
        await api.request(self._connection, f"CONSUMER.PAUSE.{PUB}.{subscription}", {})

    async def remove(self, subscription: str) -> None:
        """See `Feeds.remove`."""
        await delete_consumer(self._connection, PUB, subscription)

    async def accepted_position(self, subscription: str) -> int:
        """See `Feeds.accepted_position`."""
        info = await self._info(subscription)
        return int(info["ack_floor"]["stream_seq"]) if info is not None else 0

    @asynccontextmanager
    async def open(self, subscription: str) -> AsyncIterator[AsyncIterator[Due]]:
        """See `Feeds.open`."""
        # One more than the consumer lets out: the next request waits at the server while an event is in hand.
        async with Puller(self._connection, PUB, subscription, max_outstanding=2) as puller:
            yield _due(puller)

    async def _info(self, subscription: str) -> dict[str, Any] | None:
        try:
            return await api.request(self._connection, f"CONSUMER.INFO.{PUB}.{subscription}")
        except JetStreamApiError as error:
            if error.err_code != api.CONSUMER_NOT_FOUND:
                raise
            return None

    async def _create(self, subscription: str, config: dict[str, Any]) -> None:
        """Make a consumer, or change its filter."""
        subject = f"CONSUMER.CREATE.{PUB}.{subscription}"
        if "filter_subject" in config:
            subject += f".{config['filter_subject']}"
        await api.request(self._connection, subject, {"stream_name": PUB, "config": config})


class DueDelivery:
    """A delivery of an ordered consumer: a `Due`."""

    def __init__(self, delivery: Delivery, event: PublicEvent) -> None:
        self._delivery = delivery
        self._event = event

    @property
    def event(self) -> PublicEvent:
        """The event."""
        return self._event

    @property
    def attempt(self) -> int:
        """See `Due.attempt`."""
        return self._delivery.attempt

    async def extend(self) -> None:
        """See `Due.extend`."""
        await self._delivery.in_progress()

    async def accept(self) -> None:
        """See `Due.accept`."""
        # Without waiting for an answer: a lost one costs a repeat after the short lease, and a broker that was killed
        # does not answer acknowledgements of deliveries it has forgotten.
        await self._delivery.ack()

    async def retry(self, delay_s: float) -> None:
        """See `Due.retry`."""
        await self._delivery.nak(delay_s)


async def _due(puller: Puller) -> AsyncIterator[Due]:
    """Yield events; what is none is settled and passed by."""
    async for delivery in puller:
        event = readable(delivery)
        if event is None:
            await delivery.ack()
        else:
            yield DueDelivery(delivery, event)


def _filters(config: dict[str, Any]) -> set[str]:
    one = config.get("filter_subject")
    return {one} if one else set(config.get("filter_subjects") or ())
