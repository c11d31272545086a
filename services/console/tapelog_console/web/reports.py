"""Reports to send: one self-contained page of a version or a delivery."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from tapelog_console.errors import NoSuchPage
from tapelog_console.reading.song import find

from .context import api_of, console_of, person_of, song_of

POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
"""A report brings its own style, and nothing else: no script runs in it, and it loads nothing."""


async def report(request: web.Request) -> web.StreamResponse:
    """Send the report of a version ("mix-2"), or of the song's delivery ("delivery")."""
    console, api, person, what = console_of(request), api_of(request), person_of(request), request.match_info["what"]
    song = await api.songs.get(song_of(request))
    if what == "delivery":
        kind, name = "delivery", song.delivery
        if not name:
            raise NoSuchPage("The song has no delivery yet.")
        await api.deliveries.get(name)  # who may not read it gets no report of it either
    else:
        version = find(song, what)
        kind, name = "version", version.name
        if not version.audio:
            raise NoSuchPage("There is a report when the version is rendered.")
    page = await console.reports.of(person, console.clients.token(person), kind, name, song.sequence)
    filename = "-".join((*"".join(c if c.isalnum() else " " for c in song.title.lower()).split(), what, "report"))
    return web.Response(
        body=page,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": POLICY,
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(filename)}.html",
        },
    )
