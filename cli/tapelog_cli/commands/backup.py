"""`tapelog backup` and `tapelog restore`."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.errors import CliError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default

if TYPE_CHECKING:
    from tapelog_cli.backup.layout import Layout
    from tapelog_cli.backup.sealing import Seal

KeyFile = Annotated[
    Path | None,
    Parameter(help="File of 32 bytes that seals the backup; made at the first backup. Keep a copy of it elsewhere."),
]
NatsUrl = Annotated[str, Parameter(help="Broker of a `broker-init` folder, if not on its port of this machine.")]
ObjectUrl = Annotated[str, Parameter(help="Bucket of the audio, such as s3://bucket, if it is not in the folder.")]


async def backup(
    *,
    to: Annotated[Path, Parameter(help="Folder of the backup, best on another disk.")],
    data_dir: DataDir = None,
    keystore: Annotated[
        Path | None,
        Parameter(help="Folder of the keys of people's records, only the newest is kept. Default: beside --to."),
    ] = None,
    key: KeyFile = None,
    nats_url: NatsUrl = "",
    object_url: ObjectUrl = "",
    every: Annotated[
        float | None, Parameter(help="Go on, with so many seconds from one run's begin to the next, until Ctrl-C.")
    ] = None,
    json: Json = False,
) -> int:
    """Copy a data folder while it runs: log, keys, journals, and the audio that is not in the backup yet."""
    from tapelog_chassis.observability.logs import configure_logs

    from tapelog_cli.backup.keystore import keystore_beside
    from tapelog_cli.backup.layout import layout_of
    from tapelog_cli.backup.sealing import Seal

    configure_logs("error")
    if every is not None and every <= 0:
        raise CliError(f"--every {every:g} is no time to wait: give seconds, such as 60")
    folder, target = data_dir_or_default(data_dir), to.absolute()
    seal = None if key is None else Seal.read(key.absolute(), create=True)
    keys = keystore_beside(target) if keystore is None else keystore.absolute()
    while True:
        began_s = time.monotonic()
        try:
            await _run(layout_of(folder, object_url=object_url), target, keys, seal, nats_url=nats_url, as_json=json)
        except CliError as failure:
            if every is None or not _may_pass(failure):
                raise
            _tell_failure(failure)
        if every is None:
            return ExitCode.OK
        await asyncio.sleep(max(0.0, began_s + every - time.monotonic()))


def _may_pass(failure: CliError) -> bool:
    """Say whether the next run may succeed; a damaged log stays damaged."""
    from tapelog_cli.backup.errors import BackupRefused

    return not isinstance(failure, BackupRefused)


def _tell_failure(failure: CliError) -> None:
    from tapelog_cli.printed.output import err

    err().print(f"backup failed, the last one stands: {failure}", markup=False, soft_wrap=True)


async def _run(
    layout: "Layout", target: Path, keystore: Path, seal: "Seal | None", *, nats_url: str, as_json: bool
) -> None:
    from tapelog_chassis.nats import NatsError

    from tapelog_cli.backup.make import make_backup
    from tapelog_cli.installation.maintenance import broker_of
    from tapelog_cli.printed.output import out, print_json, table

    began_s = time.monotonic()
    try:
        async with broker_of(layout.folder, nats_url=nats_url) as connection:
            manifest, copied = await make_backup(connection, layout, target, keystore=keystore, seal=seal)
    except NatsError as failure:
        raise CliError(f"the broker did not give everything: {failure}") from failure
    took_s = round(time.monotonic() - began_s, 2)
    if as_json:
        print_json(
            {
                "backup": str(target),
                "keystore": str(keystore),
                "sealed": seal is not None,
                "made": manifest.made,
                "heads": manifest.heads,
                "objects_copied": copied.objects,
                "objects_kept": copied.objects_kept,
                "object_bytes_copied": copied.object_bytes,
                "stream_bytes": copied.stream_bytes,
                "stream_bytes_kept": copied.stream_bytes_kept,
                "took_s": took_s,
            }
        )
        return
    rows = table("log", "events", "up to position", "digest")
    for context, head in manifest.heads.items():
        rows.add_row(context, str(head["events"]), str(head["position"]), head["digest"][:16])
    console = out()
    console.print(rows)
    console.print(
        f"{copied.objects} objects copied, {copied.objects_kept} were there; {copied.stream_bytes:,} bytes of streams, "
        f"{copied.stream_bytes_kept:,} were there; {took_s} s"
    )


async def restore(
    *,
    source: Annotated[Path, Parameter(name="--from", help="Folder that `tapelog backup` wrote.")],
    data_dir: Annotated[Path, Parameter(help="New folder; one that is not empty is refused.")],
    keystore: Annotated[
        Path | None,
        Parameter(help="Folder of the newest keys of people's records. Default: beside --from."),
    ] = None,
    without_keystore: Annotated[
        bool, Parameter(negative="", help="Restore without them: nobody's name or address can be read any more.")
    ] = False,
    key: Annotated[Path | None, Parameter(help="File of the key with which the backup was sealed.")] = None,
    object_url: ObjectUrl = "",
    json: Json = False,
) -> int:
    """Put a backup into a new data folder, checked before and after; then `tapelog up` goes on from there."""
    from tapelog_chassis.observability.logs import configure_logs

    from tapelog_cli.backup.keystore import keystore_beside
    from tapelog_cli.backup.restore import Source, restore_backup
    from tapelog_cli.backup.sealing import Seal
    from tapelog_cli.printed.output import out, print_json

    configure_logs("error")
    began_s = time.monotonic()
    folder = source.absolute()
    beside = keystore_beside(folder) if keystore is None else keystore.absolute()
    seal = None if key is None else Seal.read(key.absolute())
    given = Source(folder=folder, keystore=None if without_keystore else beside, seal=seal)
    manifest = await restore_backup(given, data_dir.absolute(), object_url=object_url)
    took_s = round(time.monotonic() - began_s, 2)
    events = sum(head["events"] for head in manifest.heads.values())
    if json:
        print_json({"data_dir": str(data_dir.absolute()), "made": manifest.made, "events": events, "took_s": took_s})
    else:
        out().print(f"{events} events of {manifest.made} restored and verified in {took_s} s", soft_wrap=True)
    return ExitCode.OK
