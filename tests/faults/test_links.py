"""Bad links between the services and the broker: one way swallowed, half open, slow, late and reset."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest
from tapelog_chassis.testing import eventually

from .harness.battery import Row
from .harness.checker import Verdict
from .harness.ports import free_port
from .harness.proxy import Proxy, Weather, proxying
from .harness.rig import Place, Rig, running
from .harness.workload import workload

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

BLACKHOLE_S: Final = 30.0
DETECTED_S: Final = 15.0
"""Two pings without an answer; then a connection is given up and another one made."""
SLOW_S: Final = 30.0
DELAY_S: Final = (0.1, 0.3)
RESET_EVERY_S: Final = 10.0
"""Not by chance for each block or byte: how many of them there are says how busy the machine is."""
SLOW_BYTES_PER_S: Final = 125_000.0
RETRIES_MAX: Final = 1.3
SLOW_CALL_S: Final = 10.0
"""With 200 ms each way and one connection for all, a call waits for the calls before it."""
SLOW_ACKED_PER_S_MIN: Final = 10.0
"""All clients together, outside of the fault: they write seldom, for the link is measured and not the machine."""
SETTLED_S: Final = 30.0
SPARE_SOCKETS: Final = 2

Judge = Callable[..., Verdict]


@asynccontextmanager
async def behind_proxies(folder: Path) -> AsyncIterator[tuple[Rig, dict[str, Proxy]]]:
    """Run a system whose services reach the broker through a proxy each."""
    async with AsyncExitStack() as stack:
        nats_port = free_port()
        proxies = {
            name: await stack.enter_async_context(proxying(("127.0.0.1", nats_port))) for name in ("session", "notify")
        }
        places = {
            name: Place(settings={"nats_url": f"nats://127.0.0.1:{proxy.port}"}) for name, proxy in proxies.items()
        }
        yield await stack.enter_async_context(running(folder / "data", places=places, nats_port=nats_port)), proxies


def sockets(rig: Rig, name: str) -> int:
    """Return how many connections a service has open."""
    return len(psutil.Process(rig.pid(name)).net_connections("tcp"))


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_way_that_swallows_everything(way: str, tmp_path: Path, judged: Judge, row: Row) -> None:
    """For 30 s nothing the service sends, or nothing it is sent, arrives: noticed, and over when the way is free."""
    async with behind_proxies(tmp_path) as (rig, proxies), workload(rig) as run:
        run.history.planned = 1
        proxy = proxies["session"]
        await run.grow(100)
        before, taken = sockets(rig, "session"), proxy.taken
        async with run.fault(f"swallow {way}"):
            getattr(proxy, way).swallows = True
            begun_s = time.monotonic()
            while proxy.taken == taken:
                await asyncio.sleep(0.05)
                assert time.monotonic() - begun_s < BLACKHOLE_S
            noticed_s = time.monotonic() - begun_s
            await asyncio.sleep(max(0.0, BLACKHOLE_S - noticed_s))
            getattr(proxy, way).swallows = False
            back_s = await run.grow(100)
        await run.grow(1000)
        await eventually(lambda: sockets(rig, "session") <= before + SPARE_SOCKETS, within_s=SETTLED_S)
        after = sockets(rig, "session")
    verdict = judged(run)
    row(
        "F10" if way == "there" else "F10 back",
        f"one way ({way}) swallowed for 30 s: noticed within 15 s, lost 0, dup 0, sockets as before",
        f"noticed after {noticed_s:.1f} s, writes again {back_s:.1f} s after; sockets {before} before, {after} after; "
        f"{verdict}",
    )
    assert noticed_s <= DETECTED_S


async def test_a_link_that_is_late_slow_and_reset(tmp_path: Path, judged: Judge, row: Row) -> None:
    """200 ms each way, a reset every 10 s, 1 Mbit/s: hardly any repeats, nothing lost or doubled."""
    async with behind_proxies(tmp_path) as (rig, proxies), workload(rig, call_s=SLOW_CALL_S, pause_s=0.25) as run:
        run.history.planned = 1
        proxy = proxies["session"]
        await run.grow(200)
        async with run.fault("bad weather"):
            first = len(run.history.ops)
            for weather in (proxy.there, proxy.back):
                weather.delay_s, weather.bytes_per_s = DELAY_S, SLOW_BYTES_PER_S
            for _ in range(int(SLOW_S / RESET_EVERY_S)):
                await asyncio.sleep(RESET_EVERY_S / 2)
                proxy.close_all()
                await asyncio.sleep(RESET_EVERY_S / 2)
            asked = [op.value for op in run.history.ops[first:] if op.kind == "invoke"]
            ratio = len(asked) / len(set(asked))
            proxy.there, proxy.back = Weather(), Weather()
            await run.grow(32)
        await run.grow(500)
    verdict = judged(run, acked_per_s_min=SLOW_ACKED_PER_S_MIN)
    row(
        "F11",
        "200±100 ms delay, a reset every 10 s, 1 Mbit/s: attempts at most 1.3 a value, lost 0, dup 0",
        f"{len(set(asked))} values in {SLOW_S:.0f} s with {proxy.resets} resets, {ratio:.2f} attempts each; {verdict}",
    )
    assert proxy.resets > 0
    assert ratio <= RETRIES_MAX
