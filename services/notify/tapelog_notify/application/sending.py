"""One event sent once, by whatever channel: what schedules, tests, redeliveries and replays have in common."""

import json
import time
from typing import Final

from tapelog_chassis.clock import Clock

from tapelog_notify.domain.public_event import CONTENT_TYPE, PublicEvent, to_json
from tapelog_notify.domain.signature import Keyring, signed_headers
from tapelog_notify.domain.subscription import Channel
from tapelog_notify.domain.wording import message_of

from .ports import Answer, Mail, Secrets, Webhooks
from .registry import Registered

KEYRING_AGE_S: Final = 5.0
"""How old a read secret may be: a replaced one signs on for this long at most, also where nobody said so."""


class Signer:
    """The secrets of one subscription, read again every few seconds."""

    def __init__(self, tenant: str, subscription: str, secrets: Secrets) -> None:
        self._tenant = tenant
        self._subscription = subscription
        self._secrets = secrets
        self._keyring: Keyring | None = None
        self._read_s = 0.0

    def __repr__(self) -> str:
        return f"Signer({self._tenant}/{self._subscription})"

    async def keyring(self) -> Keyring:
        """Return the secrets that sign."""
        now_s = time.monotonic()
        if self._keyring is None or now_s - self._read_s > KEYRING_AGE_S:
            self._keyring = await self._secrets.get(self._tenant, self._subscription)
            self._read_s = now_s
        return self._keyring


async def send(
    item: Registered, event: PublicEvent, signer: Signer, *, webhooks: Webhooks, mail: Mail, clock: Clock
) -> Answer:
    """Send an event once; its id is the event's on every channel."""
    keyring = await signer.keyring()
    match item.subscription.channel:
        case Channel.SLACK:
            title, text = message_of(event)
            # What Slack and its likes read; they sign nothing, the URL itself is the secret.
            body = json.dumps({"text": f"*{title}*\n{text}"}, ensure_ascii=False).encode()
            headers = {"content-type": "application/json; charset=utf-8"}
            return await webhooks.post(keyring.current.decode(), body, headers)
        case Channel.EMAIL:
            title, text = message_of(event)
            return await mail.send(keyring.current.decode().split(), title, text, message_id=event.id)
    body = to_json(event)
    now = clock.now()
    headers = signed_headers(keyring.secrets_at(now), event.id, int(now.timestamp()), body)
    return await webhooks.post(item.subscription.url, body, {**headers, "content-type": CONTENT_TYPE})
