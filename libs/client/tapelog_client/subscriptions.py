"""Subscriptions: who gets which events, by webhook or by an own NATS consumer."""

from collections.abc import AsyncIterator, Iterable

from tapelog.notify.v1 import notify_service_pb2 as rpc
from tapelog.notify.v1 import resources_pb2 as res

from tapelog_client.group import PAGE_SIZE, Group, pages


def event_filter(
    *, projects: Iterable[str] = (), songs: Iterable[str] = (), types: Iterable[str] = ()
) -> res.EventFilter:
    """Return a filter by project ids, song ids and type patterns; every given condition must hold."""
    return res.EventFilter(projects=projects, songs=songs, types=types)


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
        request_id: str = "",
    ) -> rpc.CreateSubscriptionResponse:
        """Let events be POSTed to a URL, signed; the signing secret is in this answer and never again."""
        subscription = res.Subscription(
            title=title, filter=events, webhook=res.WebhookChannel(url=url, secret=secret), start=start
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

    def deliveries(self, name: str) -> AsyncIterator[res.Delivery]:
        """Yield the kept delivery attempts of a webhook, newest first."""

        async def fetch(token: str) -> rpc.ListDeliveriesResponse:
            request = rpc.ListDeliveriesRequest(parent=name, page_size=PAGE_SIZE, page_token=token)
            return await self._link.unary(self._link.notify.ListDeliveries, request)

        return pages(fetch, lambda page: page.deliveries, lambda page: page.next_page_token)
