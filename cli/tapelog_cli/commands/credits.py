"""`tapelog credits …`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, SongName
from tapelog_cli.typed.naming import song_name

_NOBODY = Connection()


async def export(
    song: SongName,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="File to write. Default: standard output.")
    ] = None,
    live: Annotated[bool, Parameter(negative="", help="For a live recording.")] = False,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Write the credits of a song as RIN-shaped XML, and say what they lack; ends with 4 where they lack something."""
    from tapelog_cli.printed.output import err, print_json
    from tapelog_cli.printed.shapes import as_dict

    async with connection.open() as api:
        found = await api.sessions.export_credits(await song_name(api, song), live=live)
    if output is not None:
        output.write_bytes(found.xml)
    if json:
        print_json({"xml": found.xml.decode(), "missing": [as_dict(item) for item in found.missing]})
    else:
        if output is None:
            sys.stdout.write(found.xml.decode())
        for item in found.missing:
            err().print(f"lacks {item.code} ({item.subject}): {item.description}", markup=False, soft_wrap=True)
    return ExitCode.TARGET_MISSED if found.missing else ExitCode.OK
