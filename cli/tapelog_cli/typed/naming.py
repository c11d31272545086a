"""Which project, song, version or package a person means: a resource name, an id, or a title."""

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from tapelog_cli.errors import CliError, UsageError

if TYPE_CHECKING:
    from tapelog_client import Tapelog

Kind = Literal["mix", "master"]

_ID: Final = r"[a-z][a-z0-9-]{0,31}"
_PROJECT: Final = re.compile(rf"(?:projects/)?({_ID})")
_SONG: Final = re.compile(rf"(?:projects/)?({_ID})/(?:songs/)?({_ID})")
_VERSION: Final = re.compile(rf"(projects/{_ID}/songs/{_ID})/(mix|master)Versions/([0-9]+)")
_SHORT: Final = re.compile(r"(mix|master)[- ]?([0-9]+)")
_DELIVERY: Final = re.compile(rf"(projects/{_ID}/songs/{_ID})/deliveries/{_ID}")
SEEN_MAX: Final = 5000
"""Songs looked through for an id or a title; who has more names the project too."""


class NotFoundByName(CliError):  # noqa: N818 - names a state
    """Nothing, or more than one thing, is called so."""


def project_name(text: str) -> str:
    """Return `projects/{project}` of a project's name or id.

    Raises
    ------
    UsageError
        It is neither.
    """
    match = _PROJECT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no project", hint="write projects/prj-…; `tapelog project list` shows them")
    return f"projects/{match[1]}"


def project_id(text: str) -> str:
    """Return the id of a project, as usage accounts and render jobs know it."""
    return project_name(text).split("/")[1]


def project_of(song: str) -> str:
    """Return the name of the project that a song, version or package belongs to."""
    return "/".join(song.split("/")[:2])


async def song_name(api: "Tapelog", text: str) -> str:
    """Return the name of a song given by name, as `project/song`, by its id, or by its title.

    Raises
    ------
    NotFoundByName
        No song of the caller's projects is called so, or more than one.
    """
    if match := _SONG.fullmatch(text):
        return f"projects/{match[1]}/songs/{match[2]}"
    if match := _VERSION.fullmatch(text) or _DELIVERY.fullmatch(text):
        return match[1]
    found: list[str] = []
    seen = 0
    by_id = text.startswith("sng-")
    async for song in api.songs.search(title="" if by_id else text):
        seen += 1
        called = song.name.rpartition("/")[2] if by_id else song.title.casefold()
        if called == (text if by_id else text.casefold()):
            found.append(song.name)
        if seen == SEEN_MAX:
            break
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFoundByName(f"{len(found)} songs are called {text!r}", hint="name one of " + ", ".join(found[:5]))
    raise NotFoundByName(
        f"no song of your projects is called {text!r}",
        hint="write projects/prj-…/songs/sng-… ; `tapelog project list` and `tapelog song list` show them",
    )


async def version_name(api: "Tapelog", song_text: str, version: str = "", *, kind: Kind | None = None) -> str:
    """Return the name of a version: full, `mix-2` or `master-1`, `2` where the kind is plain, or else the newest.

    Raises
    ------
    NotFoundByName
        The song has no version yet.
    UsageError
        The version is not written like one.
    """
    if match := _VERSION.fullmatch(version or song_text):
        return match[0]
    song = await song_name(api, song_text)
    if match := _SHORT.fullmatch(version):
        return f"{song}/{match[1]}Versions/{match[2]}"
    if version.isdecimal() and kind is not None:
        return f"{song}/{kind}Versions/{version}"
    if version:
        raise UsageError(f"{version!r} is no version", hint="write mix-2 or master-1")
    known = [item.name for item in (await api.songs.get(song)).versions if kind is None or _kind(item.name) == kind]
    if not known:
        wanted = kind or "version"
        raise NotFoundByName(f"{song} has no {wanted} yet", hint=f"propose one: `tapelog {kind or 'mix'} propose`")
    return known[-1]


async def delivery_name(api: "Tapelog", text: str) -> str:
    """Return the name of a delivery package: its own, or the newest of a song.

    Raises
    ------
    NotFoundByName
        The song has none.
    """
    if _DELIVERY.fullmatch(text):
        return text
    song = await api.songs.get(await song_name(api, text))
    if not song.delivery:
        raise NotFoundByName(f"{song.name} has no delivery package yet", hint="make one: `tapelog delivery build`")
    return str(song.delivery)


def short(version: str) -> str:
    """Return `mix-2` or `master-1` of a version's name."""
    match = _VERSION.fullmatch(version)
    return f"{match[2]}-{match[3]}" if match else version


def resource(collection: str, text: str) -> str:
    """Return `{collection}/{id}` of a resource's name or id."""
    return text if "/" in text else f"{collection}/{text}"


def only(messages: Any, id_: str, what: str) -> Any:
    """Return the message with this id.

    Raises
    ------
    NotFoundByName
        There is none; the message lists the ids there are.
    """
    for message in messages:
        if message.id == id_:
            return message
    have = ", ".join(message.id for message in messages) or "none"
    raise NotFoundByName(f"there is no {what} {id_!r}", hint=f"there is: {have}")


def _kind(version: str) -> str:
    match = _VERSION.fullmatch(version)
    return match[2] if match else ""
