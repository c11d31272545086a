"""`tapelog master propose|show|submit`: masters of a song, kept by the services."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json, SongName
from tapelog_cli.typed.moments import AsOf
from tapelog_cli.typed.naming import song_name

Number = Annotated[str, Parameter(help="Number of the master, or its name. Default: the newest.", show_default=False)]
_NOBODY = Connection()


async def propose(
    song: SongName,
    recipe: Annotated[Path, Parameter(help="Master recipe; its source is the approved mix, whatever file it names.")],
    *,
    comment: Annotated[str, Parameter(help="What is new, in words.")] = "",
    wait: Annotated[bool, Parameter(help="Wait until it is rendered.")] = True,
    submit: Annotated[bool, Parameter(negative="", help="Put it before artist and producer at once.")] = False,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Propose a master of the approved mix; it renders and is checked against the brief."""
    from tapelog_cli.commands.version import follow_proposal
    from tapelog_cli.typed.written import read_master

    wanted = read_master(recipe)
    async with connection.open() as api:
        made = await api.versions.propose_master(await song_name(api, song), wanted, comment=comment)
        return await follow_proposal(api, made, wait=wait, submit=submit, json=json)


async def show(
    song: SongName, number: Number = "", *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Show a master: where it stands, its loudness, the brief's verdicts and the approvals."""
    from tapelog_cli.commands.version import show_version

    return await show_version(connection, song, number, kind="master", as_of=as_of, json=json)


async def submit(song: SongName, number: Number = "", *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Put a rendered master before the artist and the producer."""
    from tapelog_cli.commands.version import submit_version

    return await submit_version(connection, song, number, kind="master", json=json)
