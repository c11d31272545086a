"""Party records in a JetStream bucket: the newest message of a key is the record, an older one is gone for good."""

from __future__ import annotations

import json
from typing import Final

import msgspec
import nats.errors
from nats.aio.client import Client
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.nats import JetStreamApiError, Unreachable, direct
from tapelog_chassis.topology import PARTIES, party_subject

from tapelog_session.application.ports import PartyEntry, PartyRecord

TIMEOUT_S: Final = 2.0
RETRY_S: Final = 0.5
WRONG_LAST_SEQUENCE: Final = 10071
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"


class JetStreamParties:
    """`Parties` on a JetStream connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        return f"JetStreamParties({PARTIES})"

    async def get(self, tenant: str, party: str) -> PartyEntry | None:
        """See `Parties.get`."""
        try:
            message = await direct.get_last_on(
                self._connection, PARTIES, party_subject(tenant, party), timeout_s=TIMEOUT_S
            )
        except (Unreachable, JetStreamApiError) as failure:
            raise _unavailable() from failure
        if message is None or not message.data:
            return None
        return PartyEntry(msgspec.json.decode(message.data, type=PartyRecord), message.position)

    async def put(self, tenant: str, record: PartyRecord, revision: int) -> bool:
        """See `Parties.put`."""
        headers = {_EXPECTED: str(revision)}
        subject = party_subject(tenant, record.party)
        try:
            answer = await self._connection.request(
                subject, msgspec.json.encode(record), timeout=TIMEOUT_S, headers=headers
            )
        except (nats.errors.Error, TimeoutError) as failure:
            raise _unavailable() from failure
        refusal = json.loads(answer.data).get("error")
        if refusal is None:
            return True
        if refusal.get("err_code") == WRONG_LAST_SEQUENCE:
            return False
        raise _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable(
        "PARTIES_UNAVAILABLE",
        "the party records cannot be reached; send the call again with the same request_id",
        retry_after_s=RETRY_S,
    )
