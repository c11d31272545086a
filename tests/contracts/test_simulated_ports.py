"""The simulated broker keeps the contracts of the real one: what is simulated on it is worth something."""

import random
from dataclasses import replace

import pytest
from tapelog_chassis.event_log import MemorySnapshotStore, StoredEvent

from tests.simulation.broker import SimulatedBroker
from tests.simulation.faults import Network
from tests.simulation.past import published
from tests.simulation.ports import SimulatedFeeds, SimulatedLog

from .event_log_contract import Bench, EventLogContract
from .feed_contract import FeedBench, FeedContract

SUBSCRIPTION = "sub-1"


async def nothing_to_outlive() -> None:
    """Wait for nothing: this log has no window."""


class TestSimulatedLog(EventLogContract):
    @pytest.fixture
    async def bench(self) -> Bench:
        """Open two clients of one broker, in good weather."""
        rng = random.Random(0)
        broker, network = SimulatedBroker(rng), Network(rng)

        async def forge(event: StoredEvent) -> None:
            everything = broker.contexts.setdefault(event.aggregate.context, [])
            forged = replace(event, position=len(everything) + 1)
            everything.append(forged)
            broker.aggregates.setdefault(event.aggregate, []).append(forged)

        return Bench(
            SimulatedLog(broker, network),
            SimulatedLog(broker, network),
            MemorySnapshotStore(),
            forge,
            nothing_to_outlive,
        )


class TestSimulatedFeed(FeedContract):
    @pytest.fixture
    async def bench(self) -> FeedBench:
        """Read three public events with a durable consumer, in good weather."""
        rng = random.Random(0)
        broker = SimulatedBroker(rng)
        broker.public.extend(published()[:3])
        feeds = SimulatedFeeds(broker, Network(rng))
        return FeedBench(lambda: feeds.open(SUBSCRIPTION), lambda: feeds.restart(SUBSCRIPTION))
