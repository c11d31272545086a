"""The delivery log and the dead-letter list in streams of their own: small JSON records, bounded by the topology."""

import dataclasses
import json
from datetime import datetime
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from tapelog_chassis.nats import Unreachable, direct
from tapelog_chassis.topology import DEAD_LETTERS, DELIVERIES, dead_letter_subject, delivery_subject

from tapelog_notify.application.attempts import Attempt, DeadLetter, Kind

TIMEOUT_S: Final = 2.0


class JetStreamDeliveryLog:
    """`DeliveryLog` on a JetStream connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def add(self, tenant: str, subscription: str, attempt: Attempt) -> None:
        """See `DeliveryLog.add`."""
        # Without waiting for an answer: what was tried is worth a line, not a delay of what is tried next.
        await self._connection.publish(delivery_subject(tenant, subscription), _dump(attempt))

    async def newest_first(self, tenant: str, subscription: str) -> list[Attempt]:
        """See `DeliveryLog.newest_first`."""
        messages = await self._all(DELIVERIES, delivery_subject(tenant, subscription))
        return [_attempt(message) for message in reversed(messages)]

    async def last(self, tenant: str, subscription: str) -> Attempt | None:
        """See `DeliveryLog.last`."""
        subject = delivery_subject(tenant, subscription)
        message = await direct.get_last_on(self._connection, DELIVERIES, subject, timeout_s=TIMEOUT_S)
        return _attempt(message) if message is not None else None

    async def bury(self, tenant: str, subscription: str, letter: DeadLetter) -> None:
        """See `DeliveryLog.bury`."""
        await self._write(dead_letter_subject(tenant, subscription, letter.position), _dump(letter))

    async def unbury(self, tenant: str, subscription: str, position: int) -> None:
        """See `DeliveryLog.unbury`."""
        await self._write(dead_letter_subject(tenant, subscription, position), b"")

    async def dead_letters(self, tenant: str, subscription: str) -> list[DeadLetter]:
        """See `DeliveryLog.dead_letters`."""
        messages = await self._all(DEAD_LETTERS, dead_letter_subject(tenant, subscription))
        letters = [DeadLetter(**_load(message.data)) for message in messages if message.data]
        return sorted(letters, key=lambda letter: letter.position)

    async def _all(self, stream: str, subject: str) -> list[direct.StoredMessage]:
        found: list[direct.StoredMessage] = []
        while True:
            after = found[-1].position if found else 0
            batch = await direct.get_batch(self._connection, stream, subject, after_position=after, timeout_s=TIMEOUT_S)
            found += batch.messages
            if not batch.pending or not batch.messages:
                return found

    async def _write(self, subject: str, entry: bytes) -> None:
        try:
            answer = json.loads((await self._connection.request(subject, entry, timeout=TIMEOUT_S)).data)
        except (nats.errors.Error, TimeoutError) as error:
            raise Unreachable(f"{subject} was not written ({type(error).__name__})") from error
        if refusal := answer.get("error"):
            raise Unreachable(f"{subject} was refused: {refusal.get('description', '')}")


def _attempt(message: direct.StoredMessage) -> Attempt:
    values = _load(message.data)
    return Attempt(**{**values, "kind": Kind(values["kind"]), "number": message.position})


def _dump(record: Attempt | DeadLetter) -> bytes:
    values: dict[str, Any] = {}
    for name, value in dataclasses.asdict(record).items():
        if isinstance(value, datetime):
            values[name] = value.isoformat()
        else:
            values[name] = value.value if isinstance(value, Kind) else value
    return json.dumps(values, separators=(",", ":")).encode()


def _load(data: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(data)
    for name in ("time", "next_attempt_time", "failing_since"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    return values
