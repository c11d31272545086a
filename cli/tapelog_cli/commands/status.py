"""`tapelog status`."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default

if TYPE_CHECKING:
    from tapelog_cli.backup.schedule import BackupState

HEALTH_TIMEOUT_S: Final = 2.0


async def status(*, data_dir: DataDir = None, json: Json = False) -> int:
    """Say what runs on a data folder: each service's health, how long it took to answer, and what came of backups."""
    from dataclasses import asdict

    from tapelog_client.local import StackState

    from tapelog_cli.backup.schedule import BackupState
    from tapelog_cli.printed.output import out, print_json, table

    folder: Path = data_dir_or_default(data_dir)
    state = StackState.read(folder)
    services = {"session": state.session, "render": state.render, "notify": state.notify}
    found = await asyncio.gather(*(_health(address) for address in services.values()))
    answers = dict(zip(services, found, strict=True))
    backup = BackupState.read(folder)
    wrong = "" if backup is None else backup.wrong(datetime.now(UTC))
    is_well = all(answer == "SERVING" for answer, _ in answers.values()) and not wrong
    if json:
        print_json(
            {
                "data_dir": str(folder),
                "pid": state.pid,
                "started": state.started,
                "nats_url": state.nats_url,
                "console": state.console,
                "backup": None if backup is None else {**asdict(backup), "wrong": wrong},
                "services": {
                    name: {"address": services[name], "health": answer, "answer_ms": round(took_ms, 1)}
                    for name, (answer, took_ms) in answers.items()
                },
            }
        )
    else:
        rows = table("part", "address", "health", "answer")
        for name, (answer, took_ms) in answers.items():
            rows.add_row(name, services[name], answer, f"{took_ms:.1f} ms")
        console = out()
        console.print(f"process {state.pid}, data {folder}, since {state.started}", soft_wrap=True)
        console.print(rows)
        if backup is not None:
            console.print(f"backup into {backup.to}: {wrong or _made(backup)}", soft_wrap=True, markup=False)
        console.print(f"review page {state.console}; `tapelog sign-in PARTY` prints a link to it", soft_wrap=True)
    return ExitCode.OK if is_well else ExitCode.UNAVAILABLE


def _made(backup: "BackupState") -> str:
    running = f"; one runs since {backup.running_since}" if backup.running_since else ""
    if not backup.made:
        return f"none yet{running}"
    return f"{backup.events} events of {backup.made}, {backup.written_bytes:,} bytes new, {backup.took_s} s{running}"


async def _health(address: str) -> tuple[str, float]:
    """Return what a service says of itself, and how long it took, in ms."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from tapelog_client.channel import open_channel

    begin = time.perf_counter()
    async with open_channel(address) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=HEALTH_TIMEOUT_S
            )
            word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.aio.AioRpcError as failure:
            word = failure.code().name
    return word, (time.perf_counter() - begin) * 1000
