"""What every handler works with: the console's parts, and who asks."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web
from tapelog_client import Tapelog

from tapelog_console.errors import NotSignedIn
from tapelog_console.identity.clients import Clients
from tapelog_console.identity.cookies import CookieKey, SignedIn
from tapelog_console.identity.sign_in import SignIn
from tapelog_console.identity.spent import Spent
from tapelog_console.live.hub import Hub
from tapelog_console.live.seats import Seats
from tapelog_console.reading.people import People
from tapelog_console.reading.reports import Reports
from tapelog_console.reading.song import SongReader

from .templates import Templates


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of a running console."""

    clients: Clients
    cookies: CookieKey
    sign_in: SignIn
    spent: Spent
    people: People
    songs: SongReader
    reports: Reports
    hub: Hub
    page_seats: Seats
    transfer_seats: Seats
    templates: Templates
    hosts: set[str]
    is_secure: bool


CONSOLE: Final = web.AppKey("console", Console)
PERSON: Final = "person"
VISIT: Final = "visit"
"""Keys of a request: who is signed in, and the id that its forms are bound to."""


def console_of(request: web.Request) -> Console:
    """Return the console's parts."""
    return request.app[CONSOLE]


def person_of(request: web.Request) -> SignedIn:
    """Return who asks; raises `NotSignedIn`."""
    person: SignedIn | None = request.get(PERSON)
    if person is None:
        raise NotSignedIn("This page is for people who are signed in.")
    return person


def api_of(request: web.Request) -> Tapelog:
    """Return the client of who asks; raises `NotSignedIn`."""
    return console_of(request).clients.of(person_of(request))


def song_of(request: web.Request) -> str:
    """Return the resource name of the song in the address."""
    return f"projects/{request.match_info['project']}/songs/{request.match_info['song']}"


def page(request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
    """Return a rendered page."""
    console = console_of(request)
    text = console.templates.render(
        template,
        person=request.get(PERSON),
        form_token=console.cookies.form_token(request.get(VISIT, "")),
        path=request.path,
        **values,
    )
    return web.Response(text=text, status=status, content_type="text/html")
