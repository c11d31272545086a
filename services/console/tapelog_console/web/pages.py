"""The pages that are read: board, project, song, story."""

import asyncio
import re
from collections.abc import Iterable, Mapping

from aiohttp import web

from tapelog_console.errors import NoSuchPage
from tapelog_console.reading import history
from tapelog_console.reading.board import digest_of, read_board
from tapelog_console.reading.song import parties
from tapelog_console.reading.story import Teller

from .actions import ACTIONS
from .context import api_of, console_of, page, person_of, song_of


async def board(request: web.Request) -> web.StreamResponse:
    """Show every song the person can see, by stage."""
    read = await read_board(api_of(request), person_of(request))
    names = await _names(request, read.parties)
    return page(request, "board", board=read, cursor=digest_of(read), names=names)


async def project(request: web.Request) -> web.StreamResponse:
    """Show one project: its songs by stage, and its people."""
    api, person = api_of(request), person_of(request)
    read = await read_board(api, person, project=f"projects/{request.match_info['project']}")
    found = read.projects[0]
    names = await _names(request, read.parties | {member.party for member in found.members})
    return page(request, "project", board=read, project=found, cursor=digest_of(read), names=names)


async def song(request: web.Request) -> web.StreamResponse:
    """Show one song."""
    view = await console_of(request).songs.read(
        api_of(request),
        person_of(request),
        song_of(request),
        shown=request.query.get("version", ""),
        against=request.query.get("against", ""),
    )
    _, done = ACTIONS.get(request.query.get("done", ""), (None, ""))
    return page(request, "song", view=view, names=view.names, done=done)


async def story(request: web.Request) -> web.StreamResponse:
    """Tell a song, a chapter at a time: the newest, or the one that ends before a fact."""
    api, name = api_of(request), song_of(request)
    before = request.query.get("before", "")
    if before and not re.fullmatch(r"[1-9][0-9]{0,9}", before):
        raise NoSuchPage(f"A story is read before a number, not before {before[:40]!r}.")
    found, project = await asyncio.gather(api.songs.get(name), api.projects.get("/".join(name.split("/")[:2])))
    read = await history.chapter(api, found, int(before or 0))
    names = await _names(request, parties(found, project, read.lines))
    return page(request, "story", song=found, chapter=read, names=names, tell=Teller(found, names))


async def _names(request: web.Request, parties: Iterable[str] = ()) -> Mapping[str, str]:
    """Return the names of parties, and of who asks."""
    person = person_of(request)
    return await console_of(request).people.names(api_of(request), person.tenant, {person.party, *parties})


async def healthy(_: web.Request) -> web.StreamResponse:
    """Say that the process serves."""
    return web.Response(text="serving\n")
