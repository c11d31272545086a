"""A broker for load runs."""

import pytest
from tapelog_chassis.testing import Broker
from tapelog_notify.testing import Recorder


@pytest.fixture
async def recorder(broker: Broker) -> Recorder:
    """Append events as the session and render services do."""
    return await Recorder.on(broker)
