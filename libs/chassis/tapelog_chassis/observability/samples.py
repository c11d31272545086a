"""Figures that nobody is told about: they are looked at, every few seconds, while metrics are on."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from tapelog_chassis import telemetry, topology
from tapelog_chassis.event_log import EventLog
from tapelog_chassis.nats.api import request
from tapelog_chassis.observability.exposition import Sample

TIMEOUT_S: Final = 2.0


def consumers_of(connection: Client, owner: str) -> Sample:
    """Sample how much each durable of a service has before it; the figure of one that stands still grows."""
    own = [spec for spec in topology.CONSUMERS if spec.owner == owner]

    async def sample() -> None:
        for spec in own:
            info = await request(connection, f"CONSUMER.INFO.{spec.stream}.{spec.name}", timeout_s=TIMEOUT_S)
            pending = int(info["num_pending"]) + int(info["num_ack_pending"])
            telemetry.CONSUMER_PENDING.labels(spec.name).set(pending)

    return sample


def lag_of(projection: str, log: EventLog, context: str, position: Callable[[], int]) -> Sample:
    """Sample how far a projection is behind the end of its context's log."""

    async def sample() -> None:
        head = await log.head(context)
        telemetry.PROJECTION_LAG.labels(projection).set(max(0, head - position()))

    return sample


def disk_of(name: str, folder: Path) -> Sample:
    """Sample the room on the disk of a folder."""

    async def sample() -> None:
        usage = await asyncio.to_thread(shutil.disk_usage, folder)
        telemetry.DISK_FREE_BYTES.labels(name).set(usage.free)
        telemetry.DISK_BYTES.labels(name).set(usage.total)

    return sample
