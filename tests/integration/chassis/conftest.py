"""A real, provisioned broker for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.testing import Broker, embedded_nats


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a nats-server with the whole topology."""
    async with embedded_nats(tmp_path) as broker:
        yield broker
