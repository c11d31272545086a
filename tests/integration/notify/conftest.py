"""A broker, the whole notify service on it, and the logs of the other services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.testing import Broker
from tapelog_notify.testing import NotifyClient, Recorder, running_notify, settings_for


@pytest.fixture
async def recorder(broker: Broker) -> Recorder:
    """Append events as the session and render services do."""
    return await Recorder.on(broker)


@pytest.fixture
async def notify(broker: Broker, tmp_path: Path) -> AsyncIterator[NotifyClient]:
    """Run the service with loopback webhooks allowed."""
    async with running_notify(settings_for(broker, tmp_path)) as client:
        yield client
