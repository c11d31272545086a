"""`tapelog verify`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from tapelog_cli.commands.backup import NatsUrl, ObjectUrl
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default

if TYPE_CHECKING:
    from tapelog_chassis.objects import ObjectStore
    from tapelog_chassis.verification import LogReport
    from tapelog_notify.adapters.public_check import PublicReport

STORES: Final = ("objects", "archive")
"""Folders of audio in a data folder."""


async def verify(
    *,
    data_dir: DataDir = None,
    objects: Annotated[
        bool, Parameter(negative="", help="Read all audio too and compare it with its digests.")
    ] = False,
    anchor_keys: Annotated[
        Path | None,
        Parameter(help="Folder of copies of `anchor-keys/*.pub.pem` that you kept. Default: those of the data folder."),
    ] = None,
    nats_url: NatsUrl = "",
    object_url: ObjectUrl = "",
    json: Json = False,
) -> int:
    """Check every event, chain, header and anchor of the log, running or stopped; say what is wrong, change nothing."""
    from tapelog_chassis.anchors import AnchorVerifier
    from tapelog_chassis.observability.logs import configure_logs
    from tapelog_chassis.topology import CONTEXTS
    from tapelog_chassis.verification import verify_log
    from tapelog_notify.adapters.public_check import check_public

    from tapelog_cli.backup.layout import layout_of
    from tapelog_cli.installation.maintenance import broker_of

    configure_logs("error")
    folder = data_dir_or_default(data_dir)
    layout = layout_of(folder, object_url=object_url)
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(broker_of(folder, nats_url=nats_url))
        logs = []
        for context in CONTEXTS:
            kept = None if anchor_keys is None else AnchorVerifier.read(anchor_keys, context)
            verifier = kept or layout.verifier(context)
            logs.append(await verify_log(connection, context, layout.anchors(context), verifier=verifier))
        public = await check_public(connection)
    stores = {name: await check_objects(name, layout.objects(name)) for name in STORES} if objects else {}
    wrong = [f"{log.context}: {line}" for log in logs for line in log.wrong]
    wrong += [f"public: {line}" for line in public.wrong]
    wrong += [line for _, lines in stores.values() for line in lines]
    _tell(folder, logs, public, stores, wrong, as_json=json)
    return ExitCode.FAILURE if wrong else ExitCode.OK


async def check_objects(name: str, store: "ObjectStore | None") -> tuple[int, list[str]]:
    """Compare all objects of a store with their names; return how many, and what is wrong."""
    from tapelog_chassis.objects import ObjectCorruptError

    count, wrong = 0, list[str]()
    if store is None:
        return 0, []
    async for found in store.stored():
        count += 1
        try:
            await _drain(store.open_stream(found.sha256))
        except ObjectCorruptError as error:
            wrong.append(f"{name}: {error}")
    return count, wrong


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    async for _ in chunks:
        pass


def _tell(
    folder: Path,
    logs: "list[LogReport]",
    public: "PublicReport",
    stores: dict[str, tuple[int, list[str]]],
    wrong: list[str],
    *,
    as_json: bool,
) -> None:
    from tapelog_cli.printed.output import out, print_json, table

    if as_json:
        print_json(
            {
                "data_dir": str(folder),
                "logs": {log.context: _log_as_json(log) for log in logs},
                "public": {"position": public.position, "events": public.events, "wrong": public.wrong_count},
                "objects": {name: {"count": count, "wrong": len(lines)} for name, (count, lines) in stores.items()},
                "wrong": wrong,
            }
        )
        return
    rows = table("log", "events", "aggregates", "anchors", "digest", "")
    for log in logs:
        mark = f"[red]{log.wrong_count} wrong[/red]" if log.wrong_count else "[green]ok[/green]"
        place = log.place
        rows.add_row(log.context, str(place.events), str(log.aggregates), str(log.anchors), place.digest[:16], mark)
    mark = f"[red]{public.wrong_count} wrong[/red]" if public.wrong_count else "[green]ok[/green]"
    rows.add_row("public", str(public.events), "", "", "", mark)
    for name, (count, lines) in stores.items():
        mark = f"[red]{len(lines)} wrong[/red]" if lines else "[green]ok[/green]"
        rows.add_row(name, str(count), "", "", "", mark)
    console = out()
    console.print(rows)
    for line in wrong:
        console.print(f"  - {line}", markup=False, soft_wrap=True)


def _log_as_json(log: "LogReport") -> dict[str, Any]:
    return {
        "position": log.place.position,
        "events": log.place.events,
        "digest": log.place.digest,
        "aggregates": log.aggregates,
        "anchors": log.anchors,
        "wrong": log.wrong_count,
    }
