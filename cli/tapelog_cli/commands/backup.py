"""`tapelog backup` and `tapelog restore`."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default


async def backup(
    *,
    to: Annotated[Path, Parameter(help="Folder of the backup, best on another disk; it holds every key.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Copy a data folder while it runs: log, keys, journals, and the audio that is not in the backup yet."""
    from tapelog_chassis.logs import configure_logs

    from tapelog_cli.backup.make import make_backup
    from tapelog_cli.maintenance import broker_of
    from tapelog_cli.output import out, print_json, table

    configure_logs("error")
    began_s = time.monotonic()
    folder, target = data_dir_or_default(data_dir), to.absolute()
    async with broker_of(folder) as connection:
        manifest, copied = await make_backup(connection, folder, target)
    took_s = round(time.monotonic() - began_s, 2)
    if json:
        print_json(
            {
                "backup": str(target),
                "made": manifest.made,
                "heads": manifest.heads,
                "objects_copied": copied.objects,
                "objects_kept": copied.objects_kept,
                "object_bytes_copied": copied.object_bytes,
                "stream_bytes": copied.stream_bytes,
                "took_s": took_s,
            }
        )
        return ExitCode.OK
    rows = table("log", "events", "up to position", "digest")
    for context, head in manifest.heads.items():
        rows.add_row(context, str(head["events"]), str(head["position"]), head["digest"][:16])
    console = out()
    console.print(rows)
    console.print(
        f"{copied.objects} objects copied, {copied.objects_kept} were there; {copied.stream_bytes:,} bytes of streams; "
        f"{took_s} s"
    )
    return ExitCode.OK


async def restore(
    *,
    source: Annotated[Path, Parameter(name="--from", help="Folder that `tapelog backup` wrote.")],
    data_dir: Annotated[Path, Parameter(help="New folder; one that is not empty is refused.")],
    json: Json = False,
) -> int:
    """Put a backup into a new data folder, checked before and after; then `tapelog up` goes on from there."""
    from tapelog_chassis.logs import configure_logs

    from tapelog_cli.backup.restore import restore_backup
    from tapelog_cli.output import out, print_json

    configure_logs("error")
    began_s = time.monotonic()
    manifest = await restore_backup(source.absolute(), data_dir.absolute())
    took_s = round(time.monotonic() - began_s, 2)
    events = sum(head["events"] for head in manifest.heads.values())
    if json:
        print_json({"data_dir": str(data_dir.absolute()), "made": manifest.made, "events": events, "took_s": took_s})
    else:
        out().print(f"{events} events of {manifest.made} restored and verified in {took_s} s", soft_wrap=True)
    return ExitCode.OK
