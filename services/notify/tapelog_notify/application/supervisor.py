"""Keeps one dispatcher running for every active webhook; a failing one never disturbs another."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from tapelog_chassis.nats import NatsError

from tapelog_notify.domain.subscription import State
from tapelog_notify.errors import NotifyServiceError

from .dispatcher import Delivering, deliver
from .ports import Feeds
from .registry import Registered

RESTART_S: Final = (0.5, 30.0)
"""First and longest wait before a dispatcher that failed is started again."""

_log = structlog.get_logger(__name__)


class Supervisor:
    """
    Starts and stops dispatchers as subscriptions change.

    Parameters
    ----------
    feeds
        Each subscription's durable place.
    shared
        What dispatchers need.
    """

    def __init__(self, feeds: Feeds, shared: Delivering) -> None:
        self._feeds = feeds
        self._shared = shared
        self._wanted: dict[tuple[str, str], Registered] = {}
        self._running: dict[tuple[str, str], _Running] = {}
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"Supervisor({len(self._running)} dispatchers)"

    def changed(self, item: Registered) -> None:
        """Take note of a subscription as it is now."""
        key = (item.tenant, item.id)
        if item.subscription.exists:
            self._wanted[key] = item
        else:
            self._wanted.pop(key, None)
        self._changed.set()

    async def run(self) -> None:
        """Follow the changes for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                for key, item in list(self._wanted.items()):
                    before = self._running.get(key)
                    if before is None or before.item != item:
                        self._running[key] = self._follow_on(group, item, before)
                for key in self._running.keys() - self._wanted.keys():
                    self._running.pop(key).task.cancel()

    def _follow_on(self, group: asyncio.TaskGroup, item: Registered, before: "_Running | None") -> "_Running":
        """Start a dispatcher as the subscription is now; one that still finishes an attempt goes first."""
        earlier = before.task if before is not None else None
        if earlier is not None:
            earlier.cancel()
        return _Running(item, group.create_task(self._keep(item, earlier), name=f"dispatch {item.id}"))

    async def _keep(self, item: Registered, earlier: asyncio.Task[None] | None) -> None:
        """Bring a subscription's feed up to date, and deliver for as long as the subscription is as it is."""
        if earlier is not None:
            await asyncio.wait({earlier})
        shortest_s, longest_s = RESTART_S
        delay_s = shortest_s
        log = _log.bind(subscription=item.id, tenant=item.tenant)
        while True:
            try:
                await self._serve(item)
            except Exception as error:  # one subscription's defect must not stop the others
                if passes_by_itself(error):
                    log.warning("dispatcher starts anew", error=str(error), in_s=delay_s)
                else:
                    log.exception("dispatcher failed", in_s=delay_s)
            else:
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, longest_s)

    async def _serve(self, item: Registered) -> None:
        subscription = item.subscription
        is_active = subscription.state is State.ACTIVE
        await self._feeds.ensure(
            item.tenant,
            item.id,
            subscription.filter,
            after_position=subscription.after_position,
            ordered=subscription.is_pushed and not subscription.is_unordered,
            exact=not subscription.is_pushed,
        )
        if not subscription.is_pushed:
            await (self._feeds.release(item.id) if is_active else self._feeds.hold(item.id))
        elif is_active:
            async with self._feeds.open(item.id) as feed:
                await deliver(item, feed, self._shared)


@dataclass(frozen=True, slots=True)
class _Running:
    """A dispatcher, and the subscription as it serves it."""

    item: Registered
    task: asyncio.Task[None]


def passes_by_itself(error: BaseException) -> bool:
    """Say whether an error is a broker's that did not answer, or a group of nothing else: no defect of the code."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(passes_by_itself, error.exceptions))
    return isinstance(error, NatsError | NotifyServiceError)
