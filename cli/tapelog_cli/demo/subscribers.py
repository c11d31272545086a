"""Act 7, running from the start: three subscribers on three channels."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import nats
from nats.aio.client import RawCredentials
from tapelog.notify.v1 import notify_service_pb2, resources_pb2
from tapelog_client import Tapelog, event_filter

from tapelog_cli.demo.billing import TYPES, Billing, billing_server
from tapelog_cli.demo.received import Inbox, Received
from tapelog_cli.demo.show import Show

STUDIO_PARTY: Final = "pty-studio-desk"
"""Sets up the studio's subscriptions, and may read all of the tenant."""
FETCH_MESSAGES: Final = 64
FETCH_WAIT_S: Final = 1.0
NATS_CONNECT_S: Final = 10

FROM_THE_FIRST: Final = resources_pb2.StartPosition(after_position=0)


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The three, with what they have received so far.

    Attributes
    ----------
    studio : Tapelog
        The client as the studio's desk, which may read all of the tenant.
    """

    studio: Tapelog
    billing: Billing
    alerts: Inbox
    tool: Inbox

    @property
    def inboxes(self) -> tuple[Inbox, ...]:
        """All three."""
        return (self.billing.inbox, self.alerts, self.tool)


@asynccontextmanager
async def subscribed(api: Tapelog, show: Show) -> AsyncIterator[Subscribers]:
    """Subscribe all three from the first event on; they listen until the block ends."""
    studio = api.as_party(STUDIO_PARTY, tenant_roles=["AUDITOR"])
    async with billing_server() as billing:
        webhook = await studio.subscriptions.create_webhook(
            "Billing", billing.url, events=event_filter(types=TYPES), start=FROM_THE_FIRST
        )
        billing.secret = webhook.secret
        show.say("Billing", "subscribes by webhook: usage and stages, signed")
        consumer = await studio.subscriptions.create_nats("In-house tool", start=FROM_THE_FIRST)
        show.say("In-house tool", "subscribes by an own NATS consumer with credentials for it alone")
        subscribers = Subscribers(studio, billing, Inbox("alerts (gRPC stream)"), Inbox("in-house tool (NATS)"))
        show.say("Alert screen", "subscribes by a gRPC stream")
        async with asyncio.TaskGroup() as group:
            listening = (
                group.create_task(_alerts(studio, subscribers.alerts.add)),
                group.create_task(_tool(consumer, subscribers.tool.add)),
            )
            try:
                yield subscribers
            finally:
                for task in listening:
                    task.cancel()


async def _alerts(studio: Tapelog, keep: Callable[[Received], object]) -> None:
    async with aclosing(studio.events.subscribe(after_position=0)) as events:
        async for event in events:
            keep(Received(id=event.id, type=event.type, position=event.position))


async def _tool(created: notify_service_pb2.CreateSubscriptionResponse, keep: Callable[[Received], object]) -> None:
    """Read the consumer with the plain client package and nothing but what the subscription's answer holds."""
    channel = created.subscription.nats
    connection = await nats.connect(
        created.nats_url,
        user_credentials=RawCredentials(created.nats_credentials),
        inbox_prefix=created.nats_inbox_prefix,
        connect_timeout=NATS_CONNECT_S,
    )
    try:
        consumer = await connection.jetstream().pull_subscribe_bind(channel.consumer, stream=channel.stream)
        while True:
            try:
                messages = await consumer.fetch(FETCH_MESSAGES, timeout=FETCH_WAIT_S)
            except TimeoutError:  # nothing came in that time
                continue
            for message in messages:
                headers = message.headers or {}
                position = message.metadata.sequence.stream
                keep(Received(id=headers["ce-id"], type=headers["ce-type"], position=position))
                await message.ack()
    finally:
        await connection.close()
