"""A hundred hours of an endpoint that misbehaves in every way, by a fake clock; its answers come over real sockets."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from standardwebhooks.webhooks import Webhook
from tapelog_chassis.clock import FakeClock
from tapelog_notify.adapters.webhook_client import WebhookClient
from tapelog_notify.application.attempts import Attempt
from tapelog_notify.application.dispatcher import Delivering, deliver
from tapelog_notify.application.ports import DeliveryLog, Mail, Secrets
from tapelog_notify.application.registry import Registered
from tapelog_notify.domain.retry import JITTER, SCHEDULE_S, Verdict
from tapelog_notify.domain.signature import Keyring, format_secret
from tapelog_notify.domain.subscription import Channel, State, Subscription
from tapelog_notify.testing import TENANT, public_event
from tapelog_notify.testing_feed import ClockedFeed
from tapelog_notify.testing_hostile import Behaviour, HostileEndpoint

START = datetime(2026, 5, 1, tzinfo=UTC)
SECRET = bytes(range(32))
HOUR_S = 3600.0


class Notebook(DeliveryLog, Secrets, Mail):
    """The small ports of a delivery: attempts in a list, one secret, no mail."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    async def add(self, tenant: str, subscription: str, attempt: Attempt) -> None:
        """See `DeliveryLog.add`."""
        del tenant, subscription
        self.attempts.append(attempt)

    async def last(self, tenant: str, subscription: str) -> Attempt | None:
        """See `DeliveryLog.last`."""
        del tenant, subscription
        return self.attempts[-1] if self.attempts else None

    async def get(self, tenant: str, subscription: str) -> Keyring:
        """See `Secrets.get`."""
        del tenant, subscription
        return Keyring(SECRET)


class Run:
    """One delivery to one endpoint, with what was recorded of it."""

    def __init__(self, *, disable_after_s: float = 1e9) -> None:
        self.clock = FakeClock(START)
        self.notebook = Notebook()
        self.stops: list[Verdict] = []
        self._disable_after_s = disable_after_s

    async def deliver(self, endpoint: HostileEndpoint, events: int) -> ClockedFeed:
        """Deliver until the feed ends or delivery stops."""

        async def stop(item: Registered, verdict: Verdict, reason: str) -> None:
            assert reason
            assert item.id == "sub-1"
            self.stops.append(verdict)

        feed = ClockedFeed(self.clock, [public_event(position) for position in range(1, events + 1)])
        subscription = Subscription(state=State.ACTIVE, channel=Channel.WEBHOOK, url=endpoint.url)
        item = Registered(TENANT, "sub-1", 1, 1, subscription)
        async with WebhookClient(allow_loopback=True, clock=self.clock, total_s=0.25) as webhooks, feed.open() as dues:
            shared = Delivering(
                webhooks=webhooks,
                mail=self.notebook,
                secrets=self.notebook,
                deliveries=self.notebook,
                clock=self.clock,
                in_flight=asyncio.Semaphore(4),
                stop=stop,
                disable_after_s=self._disable_after_s,
            )
            await deliver(item, dues, shared)
        return feed

    def gaps_s(self) -> list[float]:
        """Return the time between each attempt and the next."""
        times = [attempt.time for attempt in self.notebook.attempts]
        return [(after - before).total_seconds() for before, after in itertools.pairwise(times)]


def is_on_schedule(gap_s: float, attempt: int) -> bool:
    """Whether the wait after an attempt is the specification's, longer by no more than the jitter."""
    return SCHEDULE_S[attempt] <= gap_s <= SCHEDULE_S[attempt] * (1 + JITTER) + 0.01


async def test_every_way_to_fail_is_retried_on_schedule_until_it_is_accepted() -> None:
    """One event, nine kinds of failure, then 200 with a body of 10 GB: one id, fresh timestamps, right signatures."""
    date = format_datetime(START + timedelta(hours=30), usegmt=True)
    behaviours = [
        Behaviour(status=500),
        Behaviour(status=307, headers=(("location", "http://127.0.0.1:9/"),)),
        Behaviour("silent"),
        Behaviour("drip head", status=200),
        Behaviour("reset"),
        Behaviour(status=429, headers=(("retry-after", str(int(6 * HOUR_S))),)),
        Behaviour("garbage"),
        Behaviour("many heads", status=200),
        Behaviour(status=503, headers=(("retry-after", date),)),
        Behaviour("endless", status=200),
    ]
    run = Run()
    async with HostileEndpoint(behaviours) as endpoint:
        feed = await run.deliver(endpoint, 1)
        assert feed.accepted_position == 1
        assert endpoint.sent_bytes < 64 * 1024 * 1024
        requests = endpoint.requests
    attempts = run.notebook.attempts
    assert [attempt.attempt for attempt in attempts] == list(range(1, 11))
    assert [attempt.status for attempt in attempts] == [500, 307, 0, 0, 0, 429, 0, 0, 503, 200]
    assert [bool(attempt.error) for attempt in attempts] == [True] * 9 + [False]
    assert "redirects are not followed" in attempts[1].error
    assert "0.25 s" in attempts[2].error
    gaps_s = run.gaps_s()
    for number, gap_s in enumerate(gaps_s, start=1):
        # Retry-After never makes a wait shorter than the schedule's.
        assert gap_s >= SCHEDULE_S[number]
        assert number in {6, 9} or is_on_schedule(gap_s, number)
    assert {request.event_id for request in requests} == {"evt-1"}
    assert {request.body for request in requests} == {requests[0].body}
    stamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert stamps == sorted(set(stamps)) == [int(attempt.time.timestamp()) for attempt in attempts]
    package = Webhook(format_secret(SECRET))
    for request, stamp in zip(requests, stamps, strict=True):
        signed = package.sign("evt-1", datetime.fromtimestamp(stamp, UTC), request.body.decode())
        assert request.headers["webhook-signature"] == signed


async def test_a_longer_retry_after_is_waited_for() -> None:
    """429 with six hours after the first attempt, 503 with a date: longer than the schedule's 5 s and 5 min."""
    run = Run()
    date = format_datetime(START + timedelta(hours=10), usegmt=True)
    behaviours = [
        Behaviour(status=429, headers=(("retry-after", "21600"),)),
        Behaviour(status=503, headers=(("retry-after", date),)),
        Behaviour(status=429, headers=(("retry-after", "1"),)),
    ]
    async with HostileEndpoint(behaviours) as endpoint:
        await run.deliver(endpoint, 1)
    first, second, third = run.gaps_s()
    assert first == 21600.0
    assert second == 4 * HOUR_S
    assert is_on_schedule(third, 3)


async def test_an_endpoint_that_always_fails_gets_ten_attempts_over_75_hours() -> None:
    """Then delivery stops with the very event, and nothing behind it was sent."""
    run = Run()
    async with HostileEndpoint(usual=Behaviour(status=500)) as endpoint:
        feed = await run.deliver(endpoint, 2)
        assert {request.event_id for request in endpoint.requests} == {"evt-1"}
    assert (run.stops, feed.accepted_position) == ([Verdict.EXHAUSTED], 0)
    assert len(run.notebook.attempts) == len(SCHEDULE_S) == 10
    assert all(is_on_schedule(gap_s, number) for number, gap_s in enumerate(run.gaps_s(), start=1))
    assert 75 * HOUR_S <= sum(run.gaps_s()) <= 75.6 * HOUR_S * (1 + JITTER)


async def test_410_stops_at_once_and_five_days_of_failure_stop_too() -> None:
    """410 is the endpoint's own word; of an endpoint that fails event after event the clock decides."""
    gone = Run()
    async with HostileEndpoint([Behaviour(), Behaviour(status=410)]) as endpoint:
        feed = await gone.deliver(endpoint, 3)
    assert (gone.stops, feed.accepted_position, len(gone.notebook.attempts)) == ([Verdict.GONE], 1, 2)
    late = Run(disable_after_s=24 * HOUR_S)
    async with HostileEndpoint(usual=Behaviour("reset")) as endpoint:
        await late.deliver(endpoint, 1)
    assert late.stops == [Verdict.FAILED_TOO_LONG]
    assert sum(late.gaps_s()) >= 24 * HOUR_S


async def test_what_drips_is_accepted_by_its_status_and_holds_nobody_up() -> None:
    """2xx is success as soon as it is said; a body that drips is let go."""
    run = Run()
    async with HostileEndpoint([Behaviour("drip body", status=200)]) as endpoint:
        feed = await run.deliver(endpoint, 2)
        assert endpoint.connections == 2
    assert feed.accepted_position == 2
    assert [attempt.attempt for attempt in run.notebook.attempts] == [1, 1]
