"""
The plug is pulled: everything lies on an image, and the system starts again on what the image held at that moment.

Every process is stopped with SIGSTOP, then the image's file is copied: what the kernel has not written to it is lost,
as with a power cut. The control does the same to a broker with its own default `sync_interval` and must lose data;
otherwise the test would prove nothing.
"""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tapelog_chassis.event_log import AggregateId, Metadata
from tapelog_chassis.event_log.jetstream import JetStreamEventLog
from tapelog_chassis.nats import SERVICES, EmbeddedNats, connected, provision
from tapelog_chassis.testing import new_event

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.disks import TOOLS, Disk, ext4_disk
from .harness.needs import root_and
from .harness.rig import running
from .harness.workload import SEED, Workload, look_again, workload

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    *root_and(*TOOLS),
]

CUTS: Final = 5
BEFORE_S: Final = (2.0, 5.0)
CONTROL_EVENTS: Final = 2_000
STORE_BYTES: Final = 400 * 1024**2

Judge = Callable[[Workload], Verdict]


async def _until_cut(disk: Disk, copy: Path, after_s: float) -> Workload:
    """Run W for a while on a disk, then copy what the disk holds; whatever follows happens to the old one."""
    async with running(disk.folder / "data", store_bytes=STORE_BYTES) as rig, workload(rig) as run:
        run.history.planned = 1
        await run.grow(100)
        await asyncio.sleep(after_s)
        async with run.fault("power cut"), rig.frozen("nats", *rig.parts):
            await asyncio.to_thread(disk.snapshot, copy)
            await run.cut()
    return run


async def test_five_power_cuts(tmp_path: Path, judged: Judge, row: Row) -> None:
    """Five cuts under W: every acknowledged value is there, once, in order; every event is published once."""
    chance, verdicts, seen = random.Random(SEED), [], 0
    for cut in range(CUTS):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        with ext4_disk(folder) as disk:
            copy = folder / "image-1"
            run = await _until_cut(disk, copy, chance.uniform(*BEFORE_S))
            before = run.history.subscribers
            disk.replace(copy)
            async with running(disk.folder / "data", store_bytes=STORE_BYTES) as rig:
                await look_again(run, rig)
        verdicts.append(judged(run))
        after = [event.event_id for event in run.history.subscribers["after"]]
        assert len(after) == len(set(after))
        seen += len(after)
        assert {event for events in before.values() for event in events} <= set(run.history.log)
    acked = sum(verdict.acked for verdict in verdicts)
    lost = sum(len(verdict.lost) for verdict in verdicts)
    row(
        "F03",
        "power cut 5 times: lost 0, published twice 0",
        f"{acked} acked, lost {lost}; {seen} events published, twice 0",
    )


async def test_the_control_without_syncs_loses_what_was_acknowledged(tmp_path: Path, row: Row) -> None:
    """The same cut with the broker's default `sync_interval`: acknowledged events are gone, so the method sees it."""
    with ext4_disk(tmp_path) as disk:
        copy, acked = tmp_path / "image-1", []
        async with EmbeddedNats(disk.folder, store_bytes=STORE_BYTES, syncs=False) as server:
            await _append(server, acked)
            os.kill(server.pid, signal.SIGSTOP)
            await asyncio.to_thread(disk.snapshot, copy)
            os.kill(server.pid, signal.SIGCONT)
        disk.replace(copy)
        async with EmbeddedNats(disk.folder, store_bytes=STORE_BYTES) as server:
            there = await _stored(server)
    lost = len(set(acked) - there)
    row("F03 control", "the same with sync_interval at its default must lose data", f"{len(acked)} acked, lost {lost}")
    assert lost > 0


async def _append(server: EmbeddedNats, acked: list[str]) -> None:
    creds = {name: server.identity.mint_user(name, SERVICES[name]) for name in ("admin", "session")}
    async with (
        connected(server.url, name="admin", creds=creds["admin"]) as admin,
        connected(server.url, name="session", creds=creds["session"]) as connection,
    ):
        await provision(admin, store_bytes=server.store_bytes)
        log, aggregate = JetStreamEventLog(connection), AggregateId("session", "acme", "sng-control")
        for sequence in range(CONTROL_EVENTS):
            (stored,) = await log.append(
                aggregate, sequence, [new_event(f"control/{sequence}")], Metadata(actor="usr-1")
            )
            acked.append(stored.event_id)


async def _stored(server: EmbeddedNats) -> set[str]:
    """Return what is there; the streams are made again if they are gone."""
    creds = {name: server.identity.mint_user(name, SERVICES[name]) for name in ("admin", "session")}
    async with (
        connected(server.url, name="admin", creds=creds["admin"]) as admin,
        connected(server.url, name="session", creds=creds["session"]) as connection,
    ):
        await provision(admin, store_bytes=server.store_bytes)
        return {event.event_id async for event in JetStreamEventLog(connection).read_all("session")}
