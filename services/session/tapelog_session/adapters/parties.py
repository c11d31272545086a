"""Party records in a JetStream bucket, each encrypted under a key of its own in another bucket.

To destroy the key is to erase the person, in every copy of the records that was ever made (crypto-shredding). Cipher:
AES-256-GCM (NIST SP 800-38D), a random nonce per writing, tenant and party bound in.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

import msgspec
import nats.errors
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.aio.client import Client
from tapelog_chassis.errors import DataLoss, Unavailable
from tapelog_chassis.nats import JetStreamApiError, Unreachable, direct
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.topology import PARTIES, PARTY_KEYS, party_key_subject, party_subject

from tapelog_session.application.ports import PartyEntry, PartyRecord

TIMEOUT_S: Final = 2.0
RETRY_S: Final = 0.5
WRONG_LAST_SEQUENCE: Final = 10071
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 bits: what GCM is defined for; a record is written far fewer than 2**32 times."""
_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"


class _Sealed(msgspec.Struct, omit_defaults=True):
    """A record as it is stored: what says who somebody is, under the person's own key."""

    party: str
    created_by: str = ""
    request_id: str = ""
    request_hash: str = ""
    sealed: bytes = b""
    erased: bool = False


class _Person(msgspec.Struct):
    """What is sealed."""

    display_name: str
    email: str


class JetStreamParties:
    """`Parties` on a JetStream connection: every record under a key of its own, kept in another bucket."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    def __repr__(self) -> str:
        return f"JetStreamParties({PARTIES})"

    async def get(self, tenant: str, party: str) -> PartyEntry | None:
        """See `Parties.get`."""
        message = await self._last(PARTIES, party_subject(tenant, party))
        if message is None or not message.data:
            return None
        stored = msgspec.json.decode(message.data, type=_Sealed)
        key = None if stored.erased else await self._last(PARTY_KEYS, party_key_subject(tenant, party))
        if key is None:
            erased = PartyRecord(stored.party, "", "", stored.created_by, erased=True)
            return PartyEntry(erased, message.position)
        person = _open(key.data, stored, tenant)
        record = PartyRecord(
            party=stored.party,
            display_name=person.display_name,
            email=person.email,
            created_by=stored.created_by,
            request_id=stored.request_id,
            request_hash=stored.request_hash,
        )
        return PartyEntry(record, message.position)

    async def put(self, tenant: str, record: PartyRecord, revision: int) -> bool:
        """See `Parties.put`."""
        key = await self._key(tenant, record.party)
        stored = _Sealed(record.party, record.created_by, record.request_id, record.request_hash)
        stored.sealed = _seal(key, stored, tenant, _Person(record.display_name, record.email))
        return await self._publish(party_subject(tenant, record.party), msgspec.json.encode(stored), revision)

    async def erase(self, tenant: str, party: str) -> None:
        """See `Parties.erase`."""
        await self._destroy(PARTY_KEYS, party_key_subject(tenant, party))
        message = await self._last(PARTIES, party_subject(tenant, party))
        if message is None or (message.data and msgspec.json.decode(message.data, type=_Sealed).erased):
            return
        await self._destroy(PARTIES, party_subject(tenant, party))
        await self._publish(party_subject(tenant, party), msgspec.json.encode(_Sealed(party, erased=True)), 0)

    async def _key(self, tenant: str, party: str) -> bytes:
        """Return the key of a record, made at the first writing of it; who makes it first makes it for all."""
        subject = party_key_subject(tenant, party)
        if (known := await self._last(PARTY_KEYS, subject)) is not None:
            return known.data
        await self._publish(subject, AESGCM.generate_key(bit_length=8 * KEY_BYTES), 0)
        made = await self._last(PARTY_KEYS, subject)
        if made is None:
            raise _unavailable()
        return made.data

    async def _last(self, stream: str, subject: str) -> StoredMessage | None:
        try:
            return await direct.get_last_on(self._connection, stream, subject, timeout_s=TIMEOUT_S)
        except (Unreachable, JetStreamApiError) as failure:
            raise _unavailable() from failure

    async def _publish(self, subject: str, data: bytes, revision: int) -> bool:
        """Store a message if the newest of its subject is at a revision."""
        answer = await self._request(subject, data, headers={_EXPECTED: str(revision)})
        refusal = answer.get("error")
        if refusal is None:
            return True
        if refusal.get("err_code") == WRONG_LAST_SEQUENCE:
            return False
        raise _unavailable()

    async def _destroy(self, stream: str, subject: str) -> None:
        """Overwrite the newest message of a subject on the disk, if there is one."""
        message = await self._last(stream, subject)
        if message is None:
            return
        body = json.dumps({"seq": message.position, "no_erase": False}).encode()
        answer = await self._request(f"$JS.API.STREAM.MSG.DELETE.{stream}", body)
        if not answer.get("success") and await self._last(stream, subject) is not None:
            raise _unavailable()

    async def _request(self, subject: str, data: bytes, *, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = await self._connection.request(subject, data, timeout=TIMEOUT_S, headers=headers)
        except (nats.errors.Error, TimeoutError) as failure:
            raise _unavailable() from failure
        found: dict[str, Any] = json.loads(answer.data)
        return found


def _seal(key: bytes, stored: _Sealed, tenant: str, person: _Person) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(person), _bound(stored, tenant))


def _open(key: bytes, stored: _Sealed, tenant: str) -> _Person:
    nonce, sealed = stored.sealed[:NONCE_BYTES], stored.sealed[NONCE_BYTES:]
    try:
        plain = AESGCM(key).decrypt(nonce, sealed, _bound(stored, tenant))
    except InvalidTag as failure:
        raise DataLoss(
            "PARTY_UNREADABLE",
            f"the record of {stored.party} does not open with its key; restore both buckets of parties",
            metadata={"party": stored.party},
        ) from failure
    return msgspec.json.decode(plain, type=_Person)


def _bound(stored: _Sealed, tenant: str) -> bytes:
    """Return what a record is bound to: under another name it does not open."""
    return f"{tenant}/{stored.party}".encode()


def _unavailable() -> Unavailable:
    return Unavailable(
        "PARTIES_UNAVAILABLE",
        "the party records cannot be reached; send the call again with the same request_id",
        retry_after_s=RETRY_S,
    )
