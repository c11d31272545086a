"""The billing subscriber: a real HTTP server that verifies Standard Webhooks signatures and keeps its own ledger."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from tapelog_cli.demo.received import Inbox, Received

TYPES: Final = ("tapelog.usage_account.*", "tapelog.song.stage_*")
CLOCK_SKEW_S_MAX: Final = 300
"""Older or newer deliveries are refused: somebody recorded and replays them."""
BODY_BYTES_MAX: Final = 64 * 1024
HOST: Final = "127.0.0.1"


class Billing:
    """Receives signed webhooks.

    Attributes
    ----------
    inbox : Inbox
    usage : list of dict
        Usage events, new ones only, in the order they came: what an invoice is made from.
    refused : int
        Deliveries whose signature or time was wrong.
    """

    def __init__(self) -> None:
        self.inbox = Inbox("billing (webhook)", TYPES)
        self.usage: list[dict[str, Any]] = []
        self.refused = 0
        self.secret = ""
        self.url = ""

    async def receive(self, request: web.Request) -> web.Response:
        """Verify one delivery, keep it, and accept it."""
        body = await request.read()
        if not is_signed(self.secret, request.headers, body, now_s=time.time()):
            self.refused += 1
            return web.Response(status=401)
        event = json.loads(body)
        received = Received(id=event["id"], type=event["type"], position=int(event["position"]))
        if self.inbox.add(received) and received.type.startswith("tapelog.usage_account."):
            self.usage.append(event)
        return web.Response(status=204)


@asynccontextmanager
async def billing_server() -> AsyncIterator[Billing]:
    """Serve on a free loopback port."""
    billing = Billing()
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_post("/hooks", billing.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        billing.url = f"http://{HOST}:{runner.addresses[0][1]}/hooks"
        yield billing
    finally:
        await runner.cleanup()


def is_signed(secret: str, headers: Any, body: bytes, *, now_s: float) -> bool:
    """Say whether a delivery is fresh and from the holder of the secret.

    Source: Standard Webhooks 1.0.0, "Verifying webhook authenticity": HMAC-SHA256 over `id.timestamp.body`, base64,
    in a space-separated list of `v1,` signatures (several while a secret is rotated).
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(now_s - int(timestamp)) > CLOCK_SKEW_S_MAX:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256"))
    given = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split() if part[:3] == "v1,"]
    matches = [
        hmac.compare_digest(expected, signature.encode()) for signature in given
    ]  # all, so that time tells nothing
    return any(matches)
