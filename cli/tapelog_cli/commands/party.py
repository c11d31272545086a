"""`tapelog party …`: the records of people."""

from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json
from tapelog_cli.printed.answers import tell

Id = Annotated[str, Parameter(help="Party id, such as pty-ana.")]
_NOBODY = Connection()


async def set_(
    party: Id,
    display_name: Annotated[str, Parameter(help="Name to show and to credit.")],
    *,
    email: Annotated[str, Parameter(help="Address.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Create or replace the record of a person or organisation."""
    async with connection.open() as api:
        made = await api.parties.upsert(party, display_name, email=email)
    return tell(made, f"{party}: {made.display_name}", json=json)


async def show(party: Id, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show the record of a person."""
    async with connection.open() as api:
        found = await api.parties.get(party)
    words = "erased" if found.erased else f"{found.display_name} {found.email}".strip()
    return tell(found, f"{party}: {words}", json=json)


async def export(party: Id, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Show what is kept about a person. For the person, or the tenant's ADMIN."""
    async with connection.open() as api:
        found = await api.parties.export(party)
    return tell(
        found,
        f"{party}: {found.party.display_name} {found.party.email}".rstrip(),
        *(f"  member of {item.project}" for item in found.memberships),
        *(f"  acted in {song}" for song in found.songs),
        json=json,
    )


async def erase(
    party: Id,
    *,
    confirm: Annotated[str, Parameter(help="The party id again: there is no way back.")],
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Erase a person's name and address for ever. For the person, or the tenant's ADMIN."""
    if confirm != party:
        raise UsageError(f"--confirm {confirm!r} is not {party!r}", hint="nothing was erased; write the same id twice")
    async with connection.open() as api:
        erased = await api.parties.erase(party)
    return tell(erased, f"{party}: erased", json=json)
