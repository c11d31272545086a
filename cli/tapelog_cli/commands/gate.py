"""`tapelog gate …`: what stands between a song and its next stage."""

from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.answers import tell
from tapelog_cli.choices import Stage, value_of, word_of
from tapelog_cli.connection import Connection
from tapelog_cli.naming import song_name
from tapelog_cli.options import Json, SongName

_NOBODY = Connection()


async def show(song: SongName, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show every condition of the next gate, met or not."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        found = await api.stages.evaluate(await song_name(api, song))
    state = "open" if found.passed else "closed"
    return tell(
        found,
        f"gate from {word_of(res.Stage, getattr(found, 'from'))} to {word_of(res.Stage, found.to)}: {state}",
        *(f"  {'met ' if item.passed else 'FAIL'} {item.code}: {item.description}" for item in found.conditions),
        json=json,
    )


async def advance(
    song: SongName,
    to: Annotated[Stage | None, Parameter(help="The stage you expect. Default: the next.", show_default=False)] = None,
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Move a song to the next stage; a closed gate lists every condition that fails. For the producer."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        name = await song_name(api, song)
        stage = value_of(res.Stage, to) or (await api.stages.evaluate(name)).to
        changed = await api.stages.advance(name, stage)
    return tell(changed, f"{changed.title}: {word_of(res.Stage, changed.stage)}", json=json)
