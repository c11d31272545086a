"""`tapelog gate …`: what stands between a song and its next stage."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import Stage, value_of, word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

_NOBODY = Connection()


async def show(
    song: SongName,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Those that are met, too.")] = False,
    as_of: AsOf = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Show what the next gate waits for: every condition that fails."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        found = await api.stages.evaluate(await song_name(api, song), **moment_of(as_of))
    state = "open" if found.passed else "closed"
    return tell(
        found,
        f"gate from {word_of(res.Stage, getattr(found, 'from'))} to {word_of(res.Stage, found.to)}: {state}",
        *(f"  FAIL {_words(item)}" for item in found.conditions if not item.passed),
        *(f"  met  {_words(item)}" for item in found.conditions if item.passed and all_),
        f"{sum(item.passed for item in found.conditions)} of {len(found.conditions)} conditions are met",
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


def _words(condition: "res.GateCondition") -> str:
    subject = f" ({condition.subject})" if condition.subject else ""
    return f"{condition.code}{subject}: {condition.description}"
