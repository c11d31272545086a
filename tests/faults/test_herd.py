"""The broker is started again under five hundred connections: all come back, and not all in the same moment."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
import structlog
from tapelog_chassis.nats import RECONNECT_CROWD_S, SERVICES, EmbeddedNats, Unreachable, binary, connect, connected
from tapelog_chassis.nats.config import MAX_CONNECTIONS, Pinned, render_config
from tapelog_chassis.testing import eventually

from .harness.battery import Row
from .harness.ports import free_port
from .harness.quiet import Stopwatch

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CROWD: Final = 500
BACK_S: Final = 15.0
PEAK_PER_S: Final = 200
LOOK_S: Final = 0.02
STORE_BYTES: Final = 1024**3


@contextmanager
def server(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a nats-server."""
    process = subprocess.Popen(
        [binary.find(), "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_up(url: str, creds: str) -> None:
    """Wait until it takes connections."""

    async def is_up() -> bool:
        try:
            async with connected(url, name="worker", creds=creds):
                return True
        except Unreachable:
            return False

    await eventually(is_up, within_s=60)


def busiest_second(at_s: list[float]) -> int:
    """Return how many moments lie in the fullest window of one second."""
    return max(sum(start_s <= other_s < start_s + 1 for other_s in at_s) for start_s in at_s)


async def test_five_hundred_come_back(tmp_path: Path, row: Row) -> None:
    """`kill -9` of the broker under 500 workers' connections: all are back in 15 s, at most 200 in a second."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # a line for each failed attempt
    async with EmbeddedNats(tmp_path, store_bytes=STORE_BYTES) as prepared:
        identity, creds = prepared.identity, prepared.identity.mint_user("worker", SERVICES["worker"])
    folder, port = tmp_path / "nats", free_port()
    config = folder / "crowd.conf"
    text = render_config(folder, Pinned(port=port, store_bytes=STORE_BYTES), identity.trust)
    config.write_text(text.replace(f"max_connections: {MAX_CONNECTIONS}", f"max_connections: {2 * CROWD}"))
    url, returned_s = f"nats://127.0.0.1:{port}", []
    async with AsyncExitStack() as stack:
        with server(config) as first:
            await until_up(url, creds)
            crowd = []
            for _ in range(CROWD):
                client = await connect(url, name="worker", creds=creds, reconnect_s=RECONNECT_CROWD_S)
                stack.push_async_callback(client.close)
                crowd.append(client)
            os.kill(first.pid, signal.SIGKILL)
            await eventually(lambda: not any(client.is_connected for client in crowd), within_s=60)
        with server(config) as second:
            watch, begun_s = Stopwatch(), time.monotonic()
            while len(returned_s) < CROWD and time.monotonic() - begun_s < 4 * BACK_S:
                now = sum(client.is_connected for client in crowd) - len(returned_s)
                returned_s += [time.monotonic()] * now
                await asyncio.sleep(LOOK_S)
            lap = watch.lap(second.pid)
            attempts = sum(client.stats["errors_received"] for client in crowd)
            await asyncio.gather(*(client.close() for client in crowd))
    gaps = [after - before for before, after in pairwise(returned_s)]
    peak = busiest_second(returned_s)
    row(
        "L08",
        "broker started again under 500 connections: all back within 15 s, at most 200 connects in a second",
        f"{len(returned_s)} back after {lap.quiet_s:.1f} s ({lap.clock_s:.1f} s by the clock), at most {peak} in a "
        f"second, longest pause {max(gaps):.1f} s, {attempts} errors",
    )
    assert len(returned_s) == CROWD
    assert lap.quiet_s <= BACK_S
    assert peak <= PEAK_PER_S
