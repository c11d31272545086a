"""The review page: everything it consists of, from the services it calls to the port it listens on."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from tapelog.common.v1 import event_pb2
from tapelog_chassis.auth import TokenVerifier
from tapelog_chassis.auth.http_peers import only_peers, server_context
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.errors import PortInUse
from tapelog_chassis.lifecycle import Ready
from tapelog_chassis.rpc.peers import PeerCheck
from tapelog_client.link import Channels

from .identity.clients import Clients
from .identity.cookies import CookieKey
from .identity.sign_in import AUDIENCE, SignIn
from .identity.spent import Spent
from .live.hub import EventSource, Hub
from .live.seats import PAGES_MAX, PAGES_PERSON_MAX, TRANSFERS_MAX, TRANSFERS_PERSON_MAX, Seats
from .reading.people import People
from .reading.reports import Reports
from .reading.song import SongReader
from .reading.waveform import Drawings
from .settings import ConsoleSettings
from .web.app import build_app
from .web.context import Console
from .web.templates import Templates

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
BACKLOG: Final = 128
KEEPALIVE_S: Final = 75.0


async def run(settings: ConsoleSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then let open requests come to their end."""
    tls = _tls(settings)
    settings.check_listeners()
    channels = Channels(
        session=settings.session_address,
        render=settings.render_address,
        notify=settings.notify_address,
        tls_ca=settings.services_tls_ca,
        certificate=settings.client_pair,
    )
    try:
        async with asyncio.TaskGroup() as group:
            clients = Clients(channels, settings.identity_dir)
            hub = Hub(group, lambda tenant: _events_of(clients, tenant))
            hosts: set[str] = set()
            console = _wire(settings, clients, hub, hosts, is_secure=tls is not None or _is_https(settings))
            app = build_app(console)
            if settings.tls_client_ca is not None:
                app.middlewares.insert(0, only_peers(PeerCheck(settings.tls_revoked)))
            runner = web.AppRunner(
                app,
                access_log=None,
                keepalive_timeout=KEEPALIVE_S,
                shutdown_timeout=min(settings.drain_s, 2.0),
            )
            await runner.setup()
            try:
                port = await _listen(runner, settings, tls)
                hosts.update(_hosts(settings, port))
                scheme = "http" if tls is None else "https"
                ready(
                    address=f"{settings.host}:{port}",
                    url=settings.public_url.rstrip("/") or f"{scheme}://{settings.host}:{port}",
                )
                await stop.wait()
            finally:
                hub.close()
                await runner.cleanup()
    finally:
        await channels.close()


def _wire(settings: ConsoleSettings, clients: Clients, hub: Hub, hosts: set[str], *, is_secure: bool) -> Console:
    clock = SystemClock()
    spent = Spent(settings.spent_file, clock)
    people = People(clock)
    return Console(
        clients=clients,
        cookies=CookieKey.open(settings.key_file, clock),
        sign_in=SignIn(TokenVerifier.from_file(settings.key_set_path, audience=AUDIENCE), spent, clock),
        spent=spent,
        people=people,
        songs=SongReader(people, Drawings()),
        reports=Reports(_services(settings), settings.reports_dir),
        hub=hub,
        page_seats=Seats("live pages", person_max=PAGES_PERSON_MAX, all_max=PAGES_MAX),
        transfer_seats=Seats("transfers", person_max=TRANSFERS_PERSON_MAX, all_max=TRANSFERS_MAX),
        templates=Templates(),
        hosts=hosts,
        is_secure=is_secure,
    )


def _services(settings: ConsoleSettings) -> dict[str, str]:
    """Return where the services are, in the words of a profile of the command line."""
    found = {
        "session": settings.session_address,
        "render": settings.render_address,
        "notify": settings.notify_address,
    }
    if settings.services_tls_ca is not None:
        found["tls_ca"] = str(settings.services_tls_ca.absolute())
    if settings.client_pair is not None:
        found["certificate"] = str(settings.client_pair.certificate.absolute())
        found["key"] = str(settings.client_pair.key.absolute())
    return found


def _events_of(clients: Clients, tenant: str) -> EventSource:
    """Return the event stream of a tenant, read as the console itself; pages get only what their person may read."""
    api = clients.own(tenant)

    async def events(on_position: Callable[[int], None]) -> AsyncIterator[event_pb2.Event]:
        async with aclosing(api.events.subscribe(on_position=on_position)) as stream:
            async for event in stream:
                yield event

    return events


async def _listen(runner: web.AppRunner, settings: ConsoleSettings, tls: ssl.SSLContext | None) -> int:
    """Open the port and return its number."""
    site = web.TCPSite(runner, settings.host, settings.port, ssl_context=tls, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as error:
        raise PortInUse(settings.host, settings.port) from error
    address = runner.addresses[0]
    return int(address[1])


def _tls(settings: ConsoleSettings) -> ssl.SSLContext | None:
    files = settings.tls_files()
    return None if files is None else server_context(files, ssl.TLSVersion.TLSv1_2)


def _is_https(settings: ConsoleSettings) -> bool:
    return settings.public_url.startswith("https://")


def _hosts(settings: ConsoleSettings, port: int) -> set[str]:
    """Return the names under which the page answers."""
    names = {f"{settings.host}:{port}"}
    if settings.host in LOOPBACK:
        names |= {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    if settings.public_url:
        names.add(urlsplit(settings.public_url).netloc.lower())
    return names
