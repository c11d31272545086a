"""The web application: every address of the review page."""

from typing import Final

from aiohttp import web

from . import actions, alerts, audio, entrance, guards, pages, reports, static, streams
from .context import CONSOLE, Console

SONG: Final = "/projects/{project:[a-z][a-z0-9-]{0,31}}/songs/{song:[a-z][a-z0-9-]{0,31}}"
PROJECT: Final = "/projects/{project:[a-z][a-z0-9-]{0,31}}"


def build_app(console: Console) -> web.Application:
    """Return the application of a console."""
    app = web.Application(
        middlewares=[guards.errors_as_pages, guards.right_host, guards.known_person, guards.no_forged_form],
        client_max_size=guards.FORM_BYTES_MAX,
    )
    app[CONSOLE] = console
    app.on_response_prepare.append(guards.add_headers)
    app.add_routes(
        [
            web.get("/healthz", pages.healthy),
            web.get("/static/{digest}/{name}", static.serve),
            web.get("/sign-in", entrance.show_sign_in),
            web.post("/sign-in", entrance.sign_in),
            web.post("/sign-out", entrance.sign_out),
            web.get("/", pages.board),
            web.get("/events", streams.board_events),
            web.get("/alerts", alerts.show),
            web.get("/alerts/events", streams.alert_events),
            web.post("/alerts/do/{action}", alerts.act),
            web.get(PROJECT, pages.project),
            web.get(f"{PROJECT}/events", streams.board_events),
            web.get(SONG, pages.song),
            web.get(f"{SONG}/story", pages.story),
            web.get(f"{SONG}/report/{{what:delivery|(mix|master)-[1-9][0-9]{{0,5}}}}", reports.report),
            web.get(f"{SONG}/events", streams.song_events),
            web.get(f"{SONG}/audio/{{version}}/{{file}}", audio.audio),
            web.get(f"{SONG}/takes/{{take}}/audio", audio.take),
            web.get(f"{SONG}/deliveries/{{delivery}}/{{file}}", audio.delivered),
            web.post(f"{SONG}/do/{{action}}", actions.act),
        ]
    )
    return app
