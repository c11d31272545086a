"""The certificates of those who call over HTTP: metrics and the review page ask for the same as the gRPC servers."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tapelog_chassis.errors import ConfigRefusal, Unauthenticated
from tapelog_chassis.rpc.grpc_options import TlsFiles
from tapelog_chassis.rpc.peers import PeerCheck

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def server_context(files: TlsFiles, minimum: ssl.TLSVersion) -> ssl.SSLContext:
    """Return the server's side of TLS, with certificates on both sides where the files name the clients' authorities.

    Raises
    ------
    ConfigRefusal
        A file cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = minimum
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as failure:
        raise ConfigRefusal(f"the certificates of this port cannot be used: {failure}") from failure
    return context


def only_peers(peers: PeerCheck) -> Any:
    """Return a middleware that refuses certificates that were revoked or have no identity of the installation."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.transport and request.transport.get_extra_info("ssl_object")
        shown = connection.getpeercert(binary_form=True) if connection else None
        peers.refresh()
        try:
            peers.check(ssl.DER_cert_to_PEM_cert(shown or b"").encode())
        except Unauthenticated as refusal:
            raise web.HTTPForbidden(text=f"{refusal.reason}: {refusal.message}\n") from None
        return await handler(request)

    return check
