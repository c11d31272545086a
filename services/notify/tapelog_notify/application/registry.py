"""Every subscription there is, folded from the log as it grows: what to deliver, and what lists show."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.aggregates.gaps import Gaps
from tapelog_chassis.event_log import EventLog, EventLogError, LogItem
from tapelog_chassis.topology import SUBSCRIPTION_PREFIX

from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.subscription import Subscription

CATCH_UP_S: Final = 5.0
"""How long a command waits for its own event to come round."""
RESTART_S: Final = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registered:
    """
    One subscription.

    Attributes
    ----------
    sequence
        Its aggregate's version.
    created_position
        Place of its first event in the log: the order of lists.
    """

    tenant: str
    id: str
    sequence: int
    created_position: int
    subscription: Subscription


class Registry:
    """
    A fold over the notify context's log.

    Parameters
    ----------
    log
        Where the events are.
    context
        The log's context.
    events
        Decodes them.
    on_change
        Called with each subscription that changed, deleted ones included, once the past is folded in.
    """

    def __init__(
        self, log: EventLog, context: str, events: EventRegistry, *, on_change: Callable[[Registered], None]
    ) -> None:
        self._log = log
        self._context = context
        self._events = events
        self._on_change = on_change
        self._known: dict[tuple[str, str], Registered] = {}
        self._gaps = Gaps("subscriptions")
        self._position = 0
        self._is_live = False
        self._moved = asyncio.Condition()

    def __repr__(self) -> str:
        return f"Registry({len(self._known)} subscriptions, position={self._position})"

    @property
    def position(self) -> int:
        """Position in the log of the last event taken in."""
        return self._position

    def get(self, tenant: str, subscription: str) -> Registered | None:
        """Return a subscription that exists."""
        found = self._known.get((tenant, subscription))
        return found if found is not None and found.subscription.exists else None

    def of_tenant(self, tenant: str) -> list[Registered]:
        """Return a tenant's subscriptions, oldest first."""
        own = (item for item in self._known.values() if item.tenant == tenant and item.subscription.exists)
        return sorted(own, key=lambda item: item.created_position)

    def all(self) -> Iterable[Registered]:
        """Return every subscription that exists."""
        return [item for item in self._known.values() if item.subscription.exists]

    async def wait_for(self, position: int) -> None:
        """Wait until an event is folded in; after `CATCH_UP_S` go on without it."""
        try:
            async with asyncio.timeout(CATCH_UP_S), self._moved:
                await self._moved.wait_for(lambda: self._position >= position)
        except TimeoutError:
            _log.warning("registry is behind", position=self._position, wanted=position)

    async def caught_up(self) -> None:
        """Wait until the past is folded in."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._is_live)

    async def run(self) -> None:
        """Fold for ever; a log that cannot be read is tried again."""
        while True:
            try:
                await self._fold()
            except EventLogError as error:
                _log.error("registry cannot read the log", error=str(error))
            await asyncio.sleep(RESTART_S)

    async def _fold(self) -> None:
        head = await self._log.head(self._context)
        if self._position >= head:
            await self._go_live()
        async for item in self._log.tail(self._context, after_position=self._position):
            self._take(item)
            self._position = item.position
            if self._position >= head:
                await self._go_live()

    async def _go_live(self) -> None:
        if not self._is_live:
            self._is_live = True
            for item in self.all():
                self._on_change(item)
        async with self._moved:
            self._moved.notify_all()

    def _take(self, item: LogItem) -> None:
        """Fold an event in; a subscription of which something cannot be read stays as it was before."""
        event = self._gaps.event_of(item)
        if event is None or not event.aggregate.id.startswith(SUBSCRIPTION_PREFIX):
            return
        message = self._gaps.message_of(event, self._events)
        if message is None:
            return
        key = (event.aggregate.tenant, event.aggregate.id)
        before = self._known.get(key)
        state = before.subscription if before is not None else Subscription()
        registered = Registered(
            tenant=event.aggregate.tenant,
            id=event.aggregate.id,
            sequence=event.sequence,
            created_position=before.created_position if before is not None else event.position,
            subscription=domain.evolve(state, message, event.time),
        )
        if registered.subscription.exists:
            self._known[key] = registered
        else:
            self._known.pop(key, None)
        if self._is_live:
            self._on_change(registered)
