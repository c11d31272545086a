"""The feed on the broker and the one in memory keep the same contract."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.clock import FakeClock
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.testing import embedded_nats, eventually
from tapelog_notify.adapters.feeds import JetStreamFeeds
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents, JetStreamPublicStream
from tapelog_notify.application.projector import Projector
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.testing import TENANT, Recorder, public_event
from tapelog_notify.testing_feed import ClockedFeed

from .feed_contract import FeedBench, FeedContract

SUBSCRIPTION = "sub-1"


class TestJetStreamFeed(FeedContract):
    @pytest.fixture
    async def bench(self, tmp_path: Path) -> AsyncIterator[FeedBench]:
        """Make a durable consumer on the public stream, which has three events."""
        async with embedded_nats(tmp_path) as broker:
            recorder = await Recorder.on(broker)
            connection = await broker.connect("notify")
            public, feeds = JetStreamPublicEvents(connection), JetStreamFeeds(connection)
            projector = Projector(JetStreamEventLog(connection), JetStreamPublicStream(connection), ("session",))
            async with asyncio.TaskGroup() as group:
                running = group.create_task(projector.run())
                await recorder.append(count=3)

                async def is_published() -> bool:
                    return (await public.bounds()).last == 3

                await eventually(is_published)
                await feeds.ensure(TENANT, SUBSCRIPTION, EventFilter(), after_position=0, ordered=True, exact=False)
                yield FeedBench(lambda: feeds.open(SUBSCRIPTION), lambda: feeds.restart(SUBSCRIPTION))
                running.cancel()


class TestClockedFeed(FeedContract):
    @pytest.fixture
    def bench(self) -> FeedBench:
        """Three events in memory."""
        clock = FakeClock()
        feed = ClockedFeed(clock, [public_event(position) for position in (1, 2, 3)])

        async def restart() -> None:
            feed.restart()

        return FeedBench(feed.open, restart, lambda: clock.now().timestamp())
