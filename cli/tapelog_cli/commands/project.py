"""`tapelog project …`: projects and who works on them."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import value_of, word_of
from tapelog_cli.typed.moments import AsOf, AsOfTime, moment_of, time_of
from tapelog_cli.typed.naming import project_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Name = Annotated[str, Parameter(help="projects/{project}, or its id.")]
Party = Annotated[str, Parameter(help="Party id.")]
_NOBODY = Connection()


async def create(
    title: Annotated[str, Parameter(help="Title.")],
    *,
    artist: Annotated[str, Parameter(help="Artist name for files and credits.")],
    member: Annotated[
        list[str], Parameter(negative=(), help="Who works on it: pty-ana=artist,songwriter; may be given again.")
    ],
    external_ref: Annotated[str, Parameter(help="Your own reference, such as a booking number.")] = "",
    request_id: Annotated[str, Parameter(help="UUID that makes a repeat the same request.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Create a project; you must be among its members, and one must be the studio producer."""
    members = [_member(text) for text in member]
    async with connection.open() as api:
        made = await api.projects.create(title, artist, members, external_ref=external_ref, request_id=request_id)
    return tell(made, made.name, json=json)


async def list_(
    *,
    external_ref: Annotated[str, Parameter(help="Only projects with this reference.")] = "",
    member: Annotated[str, Parameter(help="Only projects with this person.")] = "",
    as_of: AsOfTime = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List your projects, oldest first."""
    async with connection.open() as api:
        listed = api.projects.list(external_ref=external_ref, member=member, as_of_time=time_of(as_of))
        found = [project async for project in listed]
    return tell_all(
        found,
        ("name", "title", "artist", "people", "state"),
        lambda item: (item.name, item.title, item.artist_name, str(len(item.members)), _state(item)),
        json=json,
    )


async def show(name: Name, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show a project: its title, state and policy."""
    async with connection.open() as api:
        found = await api.projects.get(project_name(name), **moment_of(as_of))
    policy = "solo" if found.policy.solo else "artist and producer approve"
    return tell(
        found,
        f"{found.title} by {found.artist_name}: {_state(found)}, {len(found.members)} people",
        f"{found.name}, policy: {policy}",
        json=json,
    )


async def members(name: Name, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """List who works on a project, and in which roles."""
    async with connection.open() as api:
        found = await api.projects.get(project_name(name), **moment_of(as_of))
    return _tell_members(found, json=json)


async def add_member(
    name: Name,
    party: Party,
    role: Annotated[list[str], Parameter(negative=(), help="Role, such as mixing-engineer; may be given again.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Add a person, or set all their roles. For the producer."""
    from tapelog.session.v1 import resources_pb2 as res

    roles = [value_of(res.Role, word) for word in role]
    async with connection.open() as api:
        changed = await api.projects.add_member(project_name(name), party, roles)
    return _tell_members(changed, json=json)


async def remove_member(name: Name, party: Party, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Remove a person; what they did before stands. For the producer."""
    async with connection.open() as api:
        changed = await api.projects.remove_member(project_name(name), party)
    return _tell_members(changed, json=json)


async def close(
    name: Name,
    *,
    reason: Annotated[str, Parameter(help="Why.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """End work on a project: until it is opened again it can only be read."""
    async with connection.open() as api:
        changed = await api.projects.close(project_name(name), reason)
    return tell(changed, f"{changed.name}: {_state(changed)}", json=json)


async def reopen(
    name: Name,
    *,
    reason: Annotated[str, Parameter(help="Why.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Let work on a closed project go on."""
    async with connection.open() as api:
        changed = await api.projects.reopen(project_name(name), reason)
    return tell(changed, f"{changed.name}: {_state(changed)}", json=json)


def _member(text: str) -> "res.Member":
    from tapelog.session.v1 import resources_pb2 as res

    party, equals, roles = text.partition("=")
    if not (party and equals and roles):
        raise UsageError(f"--member {text!r} is not understood", hint="write --member pty-ana=artist,songwriter")
    return res.Member(party=party, roles=[value_of(res.Role, word) for word in roles.split(",")])


def _tell_members(project: "res.Project", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    return tell_all(
        project.members,
        ("party", "roles"),
        lambda item: (item.party, ", ".join(word_of(res.Role, role) for role in item.roles)),
        json=json,
    )


def _state(project: "res.Project") -> str:
    return "closed" if project.closed else "open"
