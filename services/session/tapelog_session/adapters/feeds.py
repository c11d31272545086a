"""The durable consumers that the process managers read, as steps."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from tapelog_chassis.event_log import CorruptStream, StoredEvent, chain, codec
from tapelog_chassis.nats import Delivery, Puller
from tapelog_chassis.topology import PUB, SESSION_PROCESS, SESSION_RENDERS, es_stream

from tapelog_session.application.aggregates import EVENTS
from tapelog_session.application.following.processes import ForeignMessageError
from tapelog_session.application.following.render_outcomes import ENDS, RenderOutcome

OUTSTANDING_MAX: Final = 1
"""One event at a time: what follows from it is asked for before the next one is looked at."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeliveryStep:
    """A delivered message as a step of a process."""

    delivery: Delivery

    @property
    def label(self) -> str:
        """Subject, position and attempt."""
        return repr(self.delivery)

    async def in_progress(self) -> None:
        """Renew the lease."""
        await self.delivery.in_progress()

    async def done(self) -> None:
        """Acknowledge; a lost acknowledgement brings the event again, which changes nothing."""
        await self.delivery.ack()

    async def put_off(self, delay_s: float) -> None:
        """Give it back for a while."""
        await self.delivery.nak(delay_s)


@asynccontextmanager
async def session_events(connection: Client) -> AsyncIterator[AsyncIterator[DeliveryStep]]:
    """Open the feed of the session's own facts."""
    async with Puller(connection, es_stream("session"), SESSION_PROCESS, max_outstanding=OUTSTANDING_MAX) as puller:
        yield _steps(puller)


@asynccontextmanager
async def render_ends(connection: Client) -> AsyncIterator[AsyncIterator[DeliveryStep]]:
    """Open the feed of the public events that end renders."""
    async with Puller(connection, PUB, SESSION_RENDERS, max_outstanding=OUTSTANDING_MAX) as puller:
        yield _steps(puller)


async def _steps(puller: Puller) -> AsyncIterator[DeliveryStep]:
    async for delivery in puller:
        yield DeliveryStep(delivery)


def stored_event_of(step: DeliveryStep) -> StoredEvent:
    """Read a fact of the log.

    Raises
    ------
    ForeignMessageError
        It is no event, or not what its hash says: the aggregate is closed, and nothing follows from it.
    WrittenByNewer
        What follows from it, only the version that wrote it knows.
    """
    delivery = step.delivery
    try:
        stored = codec.decode(delivery.subject, delivery.headers, delivery.data, delivery.position)
        chain.check_link(stored, None)
    except CorruptStream as failure:
        raise ForeignMessageError(str(failure)) from failure
    if stored.type not in EVENTS.types:
        EVENTS.decode(stored)  # says why not
    return stored


def render_outcome_of(step: DeliveryStep) -> RenderOutcome:
    """Read a public event that ends a render; `ForeignMessageError` if it is none.

    The public stream is a copy that its projector alone writes: what it would not have written is not a fact that could
    be missed, and must not hold up those behind it.
    """
    delivery = step.delivery

    def text(header: str) -> str:
        return codec.decode_value(delivery.headers.get(header, ""))

    event_class = ENDS.get(text("ce-type"))
    tenant = delivery.subject.split(".")[1]
    if event_class is None or not text("ce-id") or text("ce-tenant") != tenant:
        raise ForeignMessageError(f"the message at position {delivery.position} of {PUB} is no end of a render")
    try:
        end = event_class.FromString(delivery.data)
    except DecodeError as failure:
        raise ForeignMessageError(f"the body at position {delivery.position} of {PUB} is unreadable") from failure
    return RenderOutcome(
        event_id=text("ce-id"),
        tenant=tenant,
        job=text("ce-subject"),
        correlation_id=text("ce-correlationid"),
        end=end,
    )
