"""`tapelog mix propose|show|submit|diff`: mixes of a song, kept by the services."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json, SongName
from tapelog_cli.typed.moments import AsOf
from tapelog_cli.typed.naming import song_name, version_name

Number = Annotated[str, Parameter(help="Number of the mix, or its name. Default: the newest.", show_default=False)]
_NOBODY = Connection()


async def propose(
    song: SongName,
    recipe: Annotated[Path, Parameter(help="Mix recipe; the files it names must be takes of the song.")],
    *,
    comment: Annotated[str, Parameter(help="What is new, in words.")] = "",
    wait: Annotated[bool, Parameter(help="Wait until it is rendered.")] = True,
    submit: Annotated[bool, Parameter(negative="", help="Put it before artist and producer at once.")] = False,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Propose a mix: the brief is checked over the recipe at once, then it renders."""
    from tapelog_cli.commands.version import follow_proposal
    from tapelog_cli.typed.written import read_mix

    async with connection.open() as api:
        name = await song_name(api, song)
        wanted = read_mix(recipe, await api.songs.get(name))
        made = await api.versions.propose_mix(name, wanted, comment=comment)
        return await follow_proposal(api, made, wait=wait, submit=submit, json=json)


async def show(
    song: SongName, number: Number = "", *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Show a mix: where it stands, its loudness, the brief's verdicts and the approvals."""
    from tapelog_cli.commands.version import show_version

    return await show_version(connection, song, number, kind="mix", as_of=as_of, json=json)


async def submit(song: SongName, number: Number = "", *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Put a rendered mix before the artist and the producer."""
    from tapelog_cli.commands.version import submit_version

    return await submit_version(connection, song, number, kind="mix", json=json)


async def diff(
    song: SongName,
    before: Annotated[str, Parameter(help="Number of the earlier mix.")],
    after: Annotated[str, Parameter(help="Number of the later mix. Default: the newest.", show_default=False)] = "",
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Compare two mixes: what changed in the recipe, and in the measured sound."""
    from tapelog_cli.commands.version import tell_difference

    async with connection.open() as api:
        first = await version_name(api, song, before, kind="mix")
        second = await version_name(api, song, after, kind="mix")
        return await tell_difference(api, first, second, json=json)
