"""`tapelog up`."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, LogLevel, data_dir_or_default

if TYPE_CHECKING:
    from tapelog_client.local import StackState

Port = Annotated[int, Parameter(help="Port to listen on; 0 takes a free one, written to state.json.")]


async def up(
    *,
    data_dir: Annotated[
        Path | None,
        Parameter(env_var="TAPELOG_DATA_DIR", help="Folder of everything that is kept. Default: ./tapelog-data"),
    ] = None,
    session_port: Port = 0,
    render_port: Port = 0,
    notify_port: Port = 0,
    console_port: Port = 0,
    nats_port: Annotated[int, Parameter(help="Port of the broker; 0 keeps the one of the first start.")] = 0,
    workers: Annotated[int, Parameter(help="Render worker processes.")] = 2,
    sign_in: Annotated[
        str, Parameter(help="Party whom the printed link signs in to the review page.")
    ] = "pty-producer",
    backup_to: Annotated[
        Path | None, Parameter(help="Folder, best on another disk, into which backups are made by themselves.")
    ] = None,
    backup_every: Annotated[str, Parameter(help="From one backup to the next: 90s, 30m, 1h, 1d.")] = "1h",
    backup_key: Annotated[
        Path | None, Parameter(help="File of the key that seals them; made at the first. Keep a copy of it elsewhere.")
    ] = None,
    log_level: LogLevel = "warning",
    json: Json = False,
) -> int:
    """Run the broker, the services, the review page and the render workers until Ctrl-C or SIGTERM."""
    from tapelog_chassis.observability.logs import configure_logs
    from tapelog_chassis.observability.profiling import profiling_on_demand

    from tapelog_cli.backup.schedule import Schedule, keeping_backups
    from tapelog_cli.installation.plan import StackOptions
    from tapelog_cli.installation.stack import running_stack
    from tapelog_cli.typed.moments import duration_s_of

    configure_logs(log_level)
    every_s = duration_s_of(backup_every)
    options = StackOptions(
        data_dir=data_dir_or_default(data_dir),
        session_port=session_port,
        render_port=render_port,
        notify_port=notify_port,
        console_port=console_port,
        nats_port=nats_port,
        workers=workers,
        log_level=log_level,
    )
    schedule = None
    if backup_to is not None:
        key = None if backup_key is None else backup_key.absolute()
        schedule = Schedule(data_dir=options.data_dir, to=backup_to.absolute(), every_s=every_s, key=key)
    stop = stop_on_signals()
    with profiling_on_demand(options.data_dir / "profiles", "up"):
        async with running_stack(options) as state, keeping_backups(schedule):
            _print_ready(options.data_dir, state, sign_in, as_json=json)
            await stop.wait()
    return ExitCode.OK


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _print_ready(data_dir: Path, state: "StackState", party: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    from tapelog_client.local import TENANT_DEFAULT
    from tapelog_console.identity.sign_in import sign_in_link

    from tapelog_cli.printed.output import out, print_json_line, table

    if as_json:
        print_json_line({"ready": asdict(state), "data_dir": str(data_dir)})
        return
    rows = table("part", "address")
    for part, address in (
        ("session", state.session),
        ("render", state.render),
        ("notify", state.notify),
        ("review page", state.console),
        ("broker", state.nats_url),
        ("data", str(data_dir)),
    ):
        rows.add_row(part, address)
    console = out()
    console.print(rows)
    link = sign_in_link(Path(state.identity_dir), state.console, tenant=TENANT_DEFAULT, party=party)
    console.print(f"the review page, as {party} (once, within 15 minutes; others: `tapelog sign-in PARTY`):")
    console.print(link, soft_wrap=True, markup=False, highlight=False)
    console.print("ready. Ctrl-C stops; `tapelog status` looks; `tapelog token PARTY` signs a program in.")
