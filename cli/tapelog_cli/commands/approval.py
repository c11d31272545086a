"""`tapelog approve` and `tapelog request-changes`."""

from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import CliError
from tapelog_cli.options import Json, SongName
from tapelog_cli.typed.naming import song_name, version_name

Version = Annotated[str, Parameter(help="mix-2 or master-1. Default: the newest version.", show_default=False)]
_NOBODY = Connection()


class NothingToHear(CliError):  # noqa: N818 - names a state
    """A version cannot be approved before it is rendered."""


async def approve(
    song: SongName,
    version: Version = "",
    *,
    heard: Annotated[
        str, Parameter(help="Sample digest you heard: refused where it is not what stands. Default: what stands now.")
    ] = "",
    brief_revision: Annotated[
        int, Parameter(help="Brief you read. Default: the one in force.", show_default=False)
    ] = 0,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Approve exactly the samples of a version in your role, under the brief in force."""
    from tapelog_cli.commands.version import tell_version

    async with connection.open() as api:
        name = await version_name(api, song, version)
        found = await api.versions.get(name)
        if not found.audio:
            raise NothingToHear(f"{name} has no audio yet", hint="wait for its render: `tapelog mix show`")
        revision = brief_revision or (await api.songs.get(await song_name(api, name))).brief.revision
        digest = heard or found.audio[0].sample_digest
        return tell_version(await api.versions.approve(name, digest, brief_revision=revision), json=json)


async def request_changes(
    song: SongName,
    summary: Annotated[str, Parameter(help="What should change, in a sentence.")],
    *,
    version: Version = "",
    note: Annotated[
        list[str] | None, Parameter(negative=(), help="Note id that says which; may be given again.")
    ] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Ask for changes to a version. For the producer."""
    from tapelog_cli.commands.version import tell_version

    async with connection.open() as api:
        name = await version_name(api, song, version)
        return tell_version(await api.versions.request_changes(name, summary, notes=note or ()), json=json)


async def reject(
    song: SongName,
    summary: Annotated[str, Parameter(help="Why, in a sentence.")],
    *,
    version: Version = "",
    note: Annotated[
        list[str] | None, Parameter(negative=(), help="Note id that says more; may be given again.")
    ] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Reject a version for good; a new one has to be proposed. For the producer."""
    from tapelog_cli.commands.version import tell_version

    async with connection.open() as api:
        name = await version_name(api, song, version)
        return tell_version(await api.versions.reject(name, summary, notes=note or ()), json=json)


async def withdraw(
    song: SongName,
    reason: Annotated[str, Parameter(help="Why.")],
    *,
    version: Version = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Take your approval back."""
    from tapelog_cli.commands.version import tell_version

    async with connection.open() as api:
        name = await version_name(api, song, version)
        return tell_version(await api.versions.withdraw_approval(name, reason), json=json)


async def waive(
    song: SongName,
    rule: Annotated[str, Parameter(help="Id of the rule of the brief.")],
    reason: Annotated[str, Parameter(help="Why.")],
    *,
    disagreement: Annotated[str, Parameter(help="Id of the disagreement whose decision waives it.")],
    version: Version = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Waive a rule of taste for one version, under a decision the artist consented to. For the producer."""
    from tapelog_cli.commands.version import tell_version

    async with connection.open() as api:
        name = await version_name(api, song, version)
        return tell_version(await api.versions.waive_check(name, rule, disagreement, reason), json=json)
