"""A broker for load runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.testing import Broker, embedded_nats
from tapelog_notify.testing import Recorder


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a nats-server with the whole topology."""
    async with embedded_nats(tmp_path) as running:
        yield running


@pytest.fixture
async def recorder(broker: Broker) -> Recorder:
    """Append events as the session and render services do."""
    return await Recorder.on(broker)
