"""What a command costs to a durable acknowledgement: `pytest -m bench -s tests/integration/session/test_bench.py`.

Beside it, in the same run and interleaved: the raw log's own append, and a bare gRPC echo of messages of the same size.
Service, echo and broker are processes of their own; the load generator is this one, and all share the machine. The
processor time that service and echo need for a call is printed too: it says more than rates on a machine with company.
"""

import asyncio
import contextlib
import os
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.event_log import JetStreamEventLog, Metadata
from tapelog_chassis.event_log.port import AggregateId
from tapelog_chassis.testing import Broker, eventually, new_event
from tapelog_client.channel import open_channel
from tapelog_client.errors import TapelogApiError

from .echo_process import METHOD
from .service_process import environment_of

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CALLERS: Final = (1, 16, 64)
ROUNDS: Final = 9
CALLS: Final = {1: 150, 16: 480, 64: 960}
"""Calls of a round, by callers: short rounds, so that what else the machine does meets all three alike."""
FLOOR: Final = 0.4
"""Of the lower of the two, echo and append: the median of what the rounds show."""

One = Callable[[int], Awaitable[object]]


@dataclass
class Figure:
    """Calls per second and times of one kind of call."""

    rates: list[float] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    server: int = 0
    server_us: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the rounds, calls/s."""
        return statistics.median(self.rates)

    def __str__(self) -> str:
        """Return rate, p50 and p99."""
        cuts = statistics.quantiles(self.times_ms, n=100)
        cpu = f"  {statistics.median(self.server_us):5.0f} us of processor time in its server" if self.server else ""
        return f"{self.rate:6.0f}/s  p50 {cuts[49]:6.2f} ms  p99 {cuts[98]:6.2f} ms{cpu}"


async def _load(figure: Figure, one: One, callers: int) -> None:
    """Let callers make calls one after another, and note rate and times."""
    calls = CALLS[callers] // callers

    async def caller(number: int) -> None:
        for _ in range(calls):
            begun = time.perf_counter()
            await one(number)
            figure.times_ms.append(1000 * (time.perf_counter() - begun))

    begun, spent_s = time.perf_counter(), _processor_s(figure.server)
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(number))
    figure.rates.append(calls * callers / (time.perf_counter() - begun))
    figure.server_us.append(1e6 * (_processor_s(figure.server) - spent_s) / (calls * callers))


def _processor_s(pid: int) -> float:
    """Return the processor time that a process has used, of all its threads, s; 0 for no process."""
    if not pid:
        return 0.0
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _share(figures: dict[str, Figure]) -> float:
    """Return the commands' share of the lower of the others, compared round by round."""
    rounds = zip(figures["command"].rates, figures["append"].rates, figures["echo"].rates, strict=True)
    return statistics.median(command / min(append, echo) for command, append, echo in rounds)


@contextlib.asynccontextmanager
async def _service(settings: Any) -> AsyncIterator[tuple[str, int]]:
    """Run the session service as a process of its own."""
    port, environment = environment_of(settings)
    environment["TAPELOG_PROCESSES"] = "false"
    log = settings.data_dir / "session.log"
    with log.open("wb") as file:
        words = (*_profiled(), sys.executable, "-m", "tapelog_session")
        process = await asyncio.create_subprocess_exec(*words, env=environment, stderr=file)
    try:
        yield f"127.0.0.1:{port}", process.pid
    finally:
        assert process.returncode is None, log.read_text()[-2000:]
        process.terminate()
        await process.wait()


def _profiled() -> list[str]:
    """Return the words of a profiler to start the service with, from `TAPELOG_BENCH_PROFILER`; usually none."""
    return os.environ.get("TAPELOG_BENCH_PROFILER", "").split()


@contextlib.asynccontextmanager
async def _echo() -> AsyncIterator[tuple[str, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("echo_process.py")), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(await process.stdout.readline())}", process.pid
    finally:
        process.kill()
        await process.wait()


async def _songs(studio: Any, count: int) -> list[str]:
    """Create the project and this many songs in RECORDING."""

    async def begun() -> bool:
        try:
            await studio.begin()
        except TapelogApiError:
            return False
        return True

    await eventually(begun, within_s=20)
    names = []
    for _ in range(count):
        create = wire.CreateSongRequest(parent=studio.project, title="Song", sample_rate_hz=48_000, bit_depth=24)
        studio.song = (await studio.call("pia", "CreateSong", create)).name
        await studio.agree()
        await studio.advance(pb.STAGE_RECORDING)
        names.append(studio.song)
    return names


def _command(channel: Any, metadata: Any, songs: list[str]) -> One:
    stub = SessionServiceStub(channel)

    async def one(caller: int) -> None:
        note = wire.AddNoteRequest(
            song=songs[caller], text="louder, please", severity=pb.NOTE_SEVERITY_NICE, request_id=str(uuid.uuid4())
        )
        while True:
            try:
                await stub.AddNote(note, metadata=metadata, timeout=10)
            except grpc.aio.AioRpcError as failure:
                # A connection has room for 100 streams, those that are just ending too: on a busy machine one of 64 may
                # be refused, and is sent again, as the client package does.
                if failure.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return

    return one


def _bare(channel: Any) -> One:
    call = channel.unary_unary(
        f"/{METHOD[0]}/{METHOD[1]}",
        request_serializer=wire.AddNoteRequest.SerializeToString,
        response_deserializer=pb.Note.FromString,
    )

    async def one(_caller: int) -> None:
        note = wire.AddNoteRequest(
            song="projects/prj-1/songs/sng-1", text="louder, please", request_id=str(uuid.uuid4())
        )
        await call(note, timeout=10)

    return one


def _append(log: JetStreamEventLog) -> One:
    sequences: dict[int, int] = {}
    data = b"x" * 200

    async def one(caller: int) -> None:
        aggregate = AggregateId("render", "bench", f"job-{caller}")
        event = new_event(str(uuid.uuid4()), data)
        stored = await log.append(aggregate, sequences.get(caller, 0), [event], Metadata(actor="pia"))
        sequences[caller] = stored[-1].sequence

    return one


async def test_commands_beside_the_raw_log_and_a_bare_echo(
    settings: Any, issuer: Any, broker: Broker, studio_class: Any, capsys: Any
) -> None:
    """At 1, 16 and 64 callers at least 0.4 of the slower of append and echo."""
    lines, shares = [], []
    async with (
        _service(settings) as (address, service),
        _echo() as (echo_address, echo),
        open_channel(address) as channel,
        open_channel(echo_address) as echo_channel,
    ):
        studio = studio_class(channel, issuer, None)
        songs = await _songs(studio, max(CALLERS))
        kinds = {
            "command": _command(channel, await studio.calls("pia")._metadata(""), songs),
            "append": _append(await broker.log("render")),
            "echo": _bare(echo_channel),
        }
        for callers in CALLERS:
            servers = {"command": service, "echo": echo}
            figures = {kind: Figure(server=servers.get(kind, 0)) for kind in kinds}
            for _ in range(ROUNDS):
                for kind, one in kinds.items():
                    await _load(figures[kind], one, callers)
            shares.append(_share(figures))
            lines += [f"{callers:3d} callers  {kind:8s}{figure}" for kind, figure in figures.items()]
            lines.append(f"{callers:3d} callers  share of the lower {shares[-1]:.2f}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))  # noqa: T201 - the figures are what the bench is for
    assert min(shares) >= FLOOR
