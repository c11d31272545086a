"""Subscriptions: who gets which events, by webhook or by an own NATS consumer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import Final, Literal

from tapelog.notify.v1 import notify_service_pb2 as rpc
from tapelog.notify.v1 import resources_pb2 as res

from tapelog_client.errors import Unavailable
from tapelog_client.group import PAGE_SIZE, Group, pages

REPLAY_BREAKS_MAX: Final = 6
REPLAY_PAUSE_S: Final = 1.0
"""A replay that is interrupted this often in a row, without an event between, is given up."""


THREADS: Final = {
    "": res.EVENT_THREAD_UNSPECIFIED,
    "internal": res.EVENT_THREAD_INTERNAL,
    "client": res.EVENT_THREAD_CLIENT,
}
ThreadName = Literal["", "internal", "client"]


def event_filter(
    *, projects: Iterable[str] = (), songs: Iterable[str] = (), types: Iterable[str] = (), thread: ThreadName = ""
) -> res.EventFilter:
    """Return a filter by project ids, song ids and type patterns; every given condition must hold.

    `thread` keeps the notes of one thread apart: with `client`, no event of an internal note passes.
    """
    return res.EventFilter(projects=projects, songs=songs, types=types, thread=THREADS[thread])


class Subscriptions(Group):
    """Subscriptions of a tenant: `api.subscriptions`."""

    async def create_webhook(
        self,
        title: str,
        url: str,
        *,
        events: res.EventFilter | None = None,
        start: res.StartPosition | None = None,
        secret: str = "",
        unordered: bool = False,
        request_id: str = "",
    ) -> rpc.CreateSubscriptionResponse:
        """Let events be POSTed to a URL, signed; the signing secret is in this answer and never again."""
        subscription = res.Subscription(
            title=title,
            filter=events,
            webhook=res.WebhookChannel(url=url, secret=secret, unordered=unordered),
            start=start,
        )
        return await self._create(subscription, request_id)

    async def create_nats(
        self,
        title: str,
        *,
        events: res.EventFilter | None = None,
        start: res.StartPosition | None = None,
        request_id: str = "",
    ) -> rpc.CreateSubscriptionResponse:
        """Make a durable NATS consumer; its credentials are in this answer and never again."""
        subscription = res.Subscription(title=title, filter=events, nats=res.NatsChannel(), start=start)
        return await self._create(subscription, request_id)

    async def _create(self, subscription: res.Subscription, request_id: str) -> rpc.CreateSubscriptionResponse:
        request = rpc.CreateSubscriptionRequest(subscription=subscription, request_id=request_id)
        return await self._link.unary(self._link.notify.CreateSubscription, request)

    async def get(self, name: str) -> res.Subscription:
        """Read a subscription."""
        request = rpc.GetSubscriptionRequest(name=name)
        return await self._link.unary(self._link.notify.GetSubscription, request)

    def list(self) -> AsyncIterator[res.Subscription]:
        """Yield the tenant's subscriptions, oldest first."""

        async def fetch(token: str) -> rpc.ListSubscriptionsResponse:
            request = rpc.ListSubscriptionsRequest(page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.notify.ListSubscriptions, request)

        return pages(fetch, lambda page: page.subscriptions, lambda page: page.next_page_token)

    async def pause(self, name: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Subscription:
        """Pause delivery; nothing is lost."""
        request = rpc.PauseSubscriptionRequest(name=name, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.notify.PauseSubscription, request)

    async def resume(self, name: str, *, etag: str = "", request_id: str = "") -> res.Subscription:
        """Go on where delivery stopped."""
        request = rpc.ResumeSubscriptionRequest(name=name, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.notify.ResumeSubscription, request)

    async def delete(self, name: str, *, etag: str = "", request_id: str = "") -> None:
        """Remove a subscription and its consumer."""
        request = rpc.DeleteSubscriptionRequest(name=name, request_id=request_id, etag=etag)
        await self._link.unary(self._link.notify.DeleteSubscription, request)

    async def rotate_secret(
        self, name: str, *, overlap_s: float | None = None, secret: str = "", etag: str = "", request_id: str = ""
    ) -> rpc.RotateSecretResponse:
        """Replace a webhook's signing secret; the new one is in this answer and never again.

        Parameters
        ----------
        overlap_s : float, optional
            How long the old secret signs too; absent is 24 h.
        """
        request = rpc.RotateSecretRequest(name=name, secret=secret, etag=etag, request_id=request_id)
        if overlap_s is not None:
            request.overlap.FromTimedelta(timedelta(seconds=overlap_s))
        return await self._link.unary(self._link.notify.RotateSecret, request)

    async def test(self, name: str) -> res.Delivery:
        """Post a test delivery, and return what became of it."""
        return await self._link.unary(self._link.notify.TestSubscription, rpc.TestSubscriptionRequest(name=name))

    async def redeliver(self, name: str, position: int) -> res.Delivery:
        """Post one event again, and return what became of it."""
        request = rpc.RedeliverEventRequest(name=name, position=position)
        return await self._link.unary(self._link.notify.RedeliverEvent, request)

    async def replay(
        self, name: str, *, after_position: int, end_position: int | None = None, events: res.EventFilter | None = None
    ) -> AsyncGenerator[rpc.ReplayEventsResponse, None]:
        """Post a range of events again and yield what became of each; goes on by itself after a broken link.

        Ends with the range: then the last answer has no delivery. Ends before it with an event that failed for good.
        """
        start = res.StartPosition(after_position=after_position)
        request = rpc.ReplayEventsRequest(name=name, start=start, filter=events)
        if end_position is not None:
            request.end_position = end_position
        failures = 0
        while True:
            try:
                async with aclosing(self._link.stream(self._link.notify.ReplayEvents, request)) as answers:
                    async for answer in answers:
                        request.start.after_position, failures = answer.position, 0
                        yield answer
            except Unavailable:
                failures += 1
                if failures >= REPLAY_BREAKS_MAX:
                    raise
                await asyncio.sleep(REPLAY_PAUSE_S)
            else:
                return

    def dead_letters(self, name: str) -> AsyncIterator[res.DeadLetter]:
        """Yield the events that an unordered webhook gave up, oldest first."""

        async def fetch(token: str) -> rpc.ListDeadLettersResponse:
            request = rpc.ListDeadLettersRequest(parent=name, page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.notify.ListDeadLetters, request)

        return pages(fetch, lambda page: page.dead_letters, lambda page: page.next_page_token)

    def deliveries(self, name: str) -> AsyncIterator[res.Delivery]:
        """Yield the kept delivery attempts of a webhook, newest first."""

        async def fetch(token: str) -> rpc.ListDeliveriesResponse:
            request = rpc.ListDeliveriesRequest(parent=name, page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.notify.ListDeliveries, request)

        return pages(fetch, lambda page: page.deliveries, lambda page: page.next_page_token)
