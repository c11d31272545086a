"""Followers in a process of their own: many event streams, each on one song; says what each of them got, and how late.

Reads one JSON object from standard input ({address, metadata, songs, channels, events}), prints `ready` when every
stream stands, and one JSON object when every stream got its events or the time is over.
"""

import asyncio
import json
import sys
import time
from typing import Any

import grpc
from tapelog.notify.v1 import notify_service_pb2 as pb
from tapelog.notify.v1.notify_service_pb2_grpc import NotifyServiceStub

PATIENCE_S = 60.0


class Follower:
    """One stream, and what came over it."""

    def __init__(self, stub: Any, song: str, metadata: tuple[tuple[str, str], ...]) -> None:
        request = pb.SubscribeRequest()
        request.filter.songs.append(song)
        self._call = stub.Subscribe(request, metadata=metadata)
        self.sequences: list[int] = []
        self.times_s: list[float] = []
        self.waits_s: list[float] = []

    async def ready(self) -> None:
        """Wait for the first sign of life."""
        await self._call.read()

    async def follow(self, events: int) -> None:
        """Read until so many events have come."""
        while len(self.sequences) < events:
            response = await self._call.read()
            if response.HasField("event"):
                now_s = time.time()
                event = response.event
                self.sequences.append(event.sequence)
                self.times_s.append(event.time.seconds + event.time.nanos / 1e9)
                self.waits_s.append(now_s - self.times_s[-1])
        self._call.cancel()


def say(line: str) -> None:
    """Write a line for the process that started this one."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Open the streams, read, report."""
    asked = json.loads(sys.stdin.readline())
    metadata = tuple((name, value) for name, value in asked["metadata"])
    # Channels to one address share a connection unless something tells them apart.
    channels = [
        grpc.aio.insecure_channel(asked["address"], options=[("grpc.use_local_subchannel_pool", 1), ("tapelog.n", n)])
        for n in range(asked["channels"])
    ]
    stubs = [NotifyServiceStub(channel) for channel in channels]
    followers = [Follower(stubs[n % len(stubs)], song, metadata) for n, song in enumerate(asked["songs"])]
    await asyncio.gather(*(follower.ready() for follower in followers))
    say("ready")
    try:
        async with asyncio.timeout(asked["length_s"] + PATIENCE_S):
            await asyncio.gather(*(follower.follow(asked["events"]) for follower in followers))
    except TimeoutError:
        pass
    report = {
        "sequences": [follower.sequences for follower in followers],
        "waits_s": [wait_s for follower in followers for wait_s in follower.waits_s],
        "times_s": [time_s for follower in followers for time_s in follower.times_s],
        "cpu_s": time.process_time(),
    }
    say(json.dumps(report))
    for channel in channels:
        await channel.close()


if __name__ == "__main__":
    asyncio.run(main())
