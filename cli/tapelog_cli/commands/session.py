"""`tapelog session …`: who was in the studio, with what, and who contributed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import Role, StudioSessionType, value_of, word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Name = Annotated[str, Parameter(help="The session's resource name; `tapelog session list` shows them.")]
Party = Annotated[str, Parameter(help="Party id.")]
Contribution = Annotated[str, Parameter(help="Contribution id; `tapelog session show` lists them.")]
_NOBODY = Connection()


async def open_(
    song: SongName,
    type_: Annotated[StudioSessionType, Parameter(name="--type", help="What is done.")],
    venue: Annotated[str, Parameter(help="Where.")],
    *,
    room: Annotated[str, Parameter(help="Which room.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Open a studio session for a song."""
    from tapelog.session.v1 import resources_pb2 as res

    kind = value_of(res.StudioSessionType, type_)
    async with connection.open() as api:
        made = await api.sessions.open(await song_name(api, song), kind, venue, room=room, start_time=datetime.now(UTC))
    return tell(made, made.name, json=json)


async def list_(song: SongName, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the studio sessions of a song, oldest first."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        found = [item async for item in api.sessions.list(await song_name(api, song), **moment_of(as_of))]

    def row(item: "res.StudioSession") -> tuple[str, ...]:
        kind = word_of(res.StudioSessionType, item.type)
        people = ", ".join(attendee.party for attendee in item.attendees)
        return item.name, kind, item.venue, people, str(len(item.contributions))

    return tell_all(found, ("name", "type", "venue", "people", "contributions"), row, json=json)


async def show(name: Name, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show a studio session: people, equipment, contributions."""
    async with connection.open() as api:
        return _tell(await api.sessions.get(name, **moment_of(as_of)), json=json)


async def attend(
    name: Name,
    party: Party,
    role: Annotated[Role, Parameter(help="In which role.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Note that somebody is there."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        return _tell(await api.sessions.log_attendee(name, party, value_of(res.Role, role)), json=json)


async def equip(
    name: Name,
    equipment: Annotated[list[str], Parameter(help="What is used, one argument a piece.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Note what equipment is used."""
    async with connection.open() as api:
        return _tell(await api.sessions.log_equipment(name, equipment), json=json)


async def contribute(
    name: Name,
    party: Party,
    role: Annotated[Role, Parameter(help="In which role.")],
    *,
    detail: Annotated[str, Parameter(help="What, such as an instrument.")] = "",
    take: Annotated[list[str] | None, Parameter(negative=(), help="Take id; may be given again.")] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Note who contributed what; the person confirms or disputes it."""
    from tapelog.session.v1 import resources_pb2 as res

    async with connection.open() as api:
        made = await api.sessions.log_contribution(
            name, party, value_of(res.Role, role), detail=detail, takes=take or ()
        )
    return tell(made, _contribution_words(made), json=json)


async def confirm(
    name: Name, contribution: Contribution, *, connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Say that your contribution is noted right."""
    async with connection.open() as api:
        return _tell(await api.sessions.confirm(name, contribution), json=json)


async def dispute(
    name: Name,
    contribution: Contribution,
    reason: Annotated[str, Parameter(help="What is wrong.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say that your contribution is not noted right, and why."""
    async with connection.open() as api:
        return _tell(await api.sessions.dispute(name, contribution, reason), json=json)


async def close(name: Name, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """End a studio session now."""
    async with connection.open() as api:
        return _tell(await api.sessions.close(name, datetime.now(UTC)), json=json)


def _tell(session: "res.StudioSession", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    state = "ended" if session.HasField("end_time") else "open"
    return tell(
        session,
        f"{session.name}: {word_of(res.StudioSessionType, session.type)} at {session.venue}, {state}",
        *(f"  {item.party} ({word_of(res.Role, item.role)}) is there" for item in session.attendees),
        *(f"  {piece}" for piece in session.equipment),
        *(f"  {_contribution_words(item)}" for item in session.contributions),
        json=json,
    )


def _contribution_words(item: "res.Contribution") -> str:
    from tapelog.session.v1 import resources_pb2 as res

    detail = f", {item.detail}" if item.detail else ""
    state = word_of(res.ContributionState, item.state)
    return f"{item.id}: {item.party} ({word_of(res.Role, item.role)}{detail}), {state}"
