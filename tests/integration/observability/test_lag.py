"""The health name `current` says whether what a service shows is current, and leaves the others alone."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.event_log import AggregateId, LogUnavailable, MemoryEventLog, Metadata
from tapelog_chassis.observability.health_lag import Follower, keep_current
from tapelog_chassis.rpc.grpc_server import CURRENT
from tapelog_chassis.testing import eventually, new_event

SONG = AggregateId("session", "acme", "sng-1")
SERVING = health_pb2.HealthCheckResponse.SERVING


class Told:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[bool] = []

    async def set_current(self, current: bool) -> None:
        """Remember."""
        self.said.append(current)


class Away(MemoryEventLog):
    """A log that does not answer for a while."""

    is_away = True

    async def head(self, context: str) -> int:
        """Return the end, or that nobody is there."""
        if self.is_away:
            raise LogUnavailable("away")
        return await super().head(context)


async def test_a_reader_that_stands_still_is_told_and_when_it_has_caught_up_too() -> None:
    """One of two readers stops; the other one alone is behind nothing; a log that is away says nothing about it."""
    log, told, position = Away(), Told(), {"lists": 0, "alerts": 0}
    for number in range(3):
        await log.append(SONG, number, [new_event(str(number))], Metadata())
    followers = [Follower(name, "session", lambda name=name: position[name]) for name in position]
    position["alerts"] = 3
    looking = asyncio.create_task(keep_current(told, log, followers, every_s=0.01, behind_s=0.05))
    log.is_away = False
    await eventually(lambda: told.said == [False])
    position["lists"] = 3
    await eventually(lambda: told.said == [False, True])
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_a_running_service_is_current(running: Any) -> None:
    """Asked under the name of its own, it says so."""
    async with running("session") as service, grpc.aio.insecure_channel(service.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=CURRENT), timeout=10)
        assert answer.status == SERVING
