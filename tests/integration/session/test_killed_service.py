"""kill -9 of the service's process in the middle of commands: nothing acknowledged is lost, retries are harmless."""

import asyncio
import contextlib
import os
import signal
import uuid
from typing import Any

import pytest
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.testing import eventually
from tapelog_client.channel import open_channel
from tapelog_client.errors import DeadlineExceeded, TapelogApiError, Unavailable

from tests.faults.harness.battery import Row

from .service_process import environment_of, start

ROUNDS = 5
WRITERS = 8
UNKNOWN = (Unavailable, DeadlineExceeded)
"""What a kill makes of a call: the command may have taken effect."""
COMMANDS_PER_ROUND = 45
KILL_AFTER = 15


@pytest.mark.faults
async def test_acknowledged_commands_survive_kill_9_and_retries_give_the_first_answer(
    settings: Any, issuer: Any, broker: Any, studio_class: Any, row: Row
) -> None:
    """Five kills under load: every acknowledged event is there once, every retry gives the first answer."""
    port, environment = environment_of(settings)
    acknowledged: dict[str, Any] = {}
    sent: dict[str, Any] = {}
    async with open_channel(f"127.0.0.1:{port}") as channel:
        studio = studio_class(channel, issuer, ObjectStore(settings.objects_url))
        process = await start(environment)
        await eventually(lambda: _begun(studio), within_s=20)
        for round_ in range(ROUNDS):
            queue = [_define(studio, round_, n) for n in range(COMMANDS_PER_ROUND)]
            await studio.get_song()  # the client waits until the service is back
            goal = len(acknowledged) + KILL_AFTER
            sent |= {request.request_id: request for request in queue}
            async with asyncio.TaskGroup() as group:
                for writer in range(WRITERS):
                    group.create_task(_write(studio, queue[writer::WRITERS], acknowledged))
                await eventually(lambda goal=goal: len(acknowledged) >= goal)
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
                process = await start(environment)
        for request_id, request in sent.items():
            again = await studio.call("rex", "DefineTrack", request)
            if request_id in acknowledged:
                assert again == acknowledged[request_id]
        song = await studio.get_song()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert sorted(track.id for track in song.tracks) == sorted(request.track for request in sent.values())
    log = await broker.log("session")
    aggregate = studio.song.rpartition("/")[2]
    stored = [event async for event in log.read_all("session") if event.aggregate.id == aggregate]
    assert [event.sequence for event in stored] == list(range(1, len(sent) + 2))
    row(
        "F01 answers",
        f"session killed {ROUNDS} times: acknowledged lost 0, every request asked again has its first answer",
        f"{len(sent)} sent, {len(acknowledged)} acked, lost 0, dup 0, gap 0",
    )


def _define(studio: Any, round_: int, number: int) -> wire.DefineTrackRequest:
    return wire.DefineTrackRequest(
        song=studio.song, track=f"t{round_}-{number}", title="Track", request_id=str(uuid.uuid4())
    )


async def _write(studio: Any, requests: list[Any], acknowledged: dict[str, Any]) -> None:
    """Send commands; one whose answer is lost is left unknown."""
    for request in requests:
        with contextlib.suppress(*UNKNOWN):
            acknowledged[request.request_id] = await studio.calls("rex").unary(
                studio.stub.DefineTrack, request, timeout_s=0.5
            )


async def _begun(studio: Any) -> bool:
    try:
        await studio.begin()
    except TapelogApiError:
        return False
    return True
