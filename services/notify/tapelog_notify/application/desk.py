"""What the handlers work with, who asks, and what they show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from tapelog_chassis.aggregates.commands import Outcome, Repository
from tapelog_chassis.clock import Clock
from tapelog_chassis.event_log import Metadata

from tapelog_notify.domain.errors import UnknownSubscription
from tapelog_notify.domain.subscription import Subscription

from .ports import DeliveryLog, Feeds, Mail, NatsAccessMint, PublicEvents, Secrets, Webhooks
from .registry import Registered, Registry


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the request that makes a repeat recognisable."""

    tenant: str
    party: str
    on_behalf_of: str
    request_id: str = ""
    request_hash: str = ""
    correlation_id: str = ""

    def metadata(self) -> Metadata:
        """Return what travels with the events."""
        return Metadata(actor=self.party, on_behalf_of=self.on_behalf_of, correlation_id=self.correlation_id)


@dataclass(frozen=True, slots=True)
class View:
    """A subscription as it is shown."""

    id: str
    sequence: int
    subscription: Subscription
    delivered_position: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports that the handlers work with."""

    repository: Repository[Subscription]
    registry: Registry
    feeds: Feeds
    secrets: Secrets
    webhooks: Webhooks
    mail: Mail
    public: PublicEvents
    deliveries: DeliveryLog
    access: NatsAccessMint
    clock: Clock


def registered(desk: Desk, tenant: str, id_: str) -> Registered:
    """Return a subscription, or refuse (`UnknownSubscription`)."""
    found = desk.registry.get(tenant, id_)
    if found is None:
        raise UnknownSubscription(f"there is no subscription {id_}; it may have been deleted")
    return found


async def execute(
    desk: Desk, caller: Caller, id_: str, decide: Callable[[Subscription], Sequence[Message]], *, etag: str = ""
) -> Outcome[Subscription]:
    """Run a command on a subscription, and wait until everything here knows its outcome."""
    outcome = await desk.repository.execute(
        desk.repository.aggregate(caller.tenant, id_),
        decide,
        request_id=caller.request_id,
        request_hash=caller.request_hash,
        metadata=caller.metadata(),
        expected_etag=etag,
    )
    if outcome.events:
        # Read your own writes: lists, and the dispatchers, know it before the caller does.
        await desk.registry.wait_for(outcome.events[-1].position)
    return outcome


async def with_progress(desk: Desk, tenant: str, view: View) -> View:
    """Return a view with how far delivery is, and what was wrong with its last attempt."""
    last = await desk.deliveries.last(tenant, view.id) if view.subscription.is_pushed else None
    return replace(
        view,
        delivered_position=await desk.feeds.accepted_position(view.id),
        last_error=last.error if last is not None else "",
    )
