"""Snapshots in a JetStream key-value bucket: one message per aggregate, ignored when its digest does not fit."""

from __future__ import annotations

import hashlib
from typing import Final

import nats.errors
from nats.aio.client import Client

from tapelog_chassis.nats import direct
from tapelog_chassis.nats.errors import JetStreamApiError, Unreachable
from tapelog_chassis.topology import MAX_SNAPSHOT_BYTES, SNAP, snapshot_subject

from .errors import LogUnavailable, SnapshotTooLarge
from .port import AggregateId, Snapshot

HEADER_ROOM_BYTES: Final = 1024
TIMEOUT_S: Final = 2.0


class JetStreamSnapshotStore:
    """A `SnapshotStore` on a JetStream connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def put(
        self, aggregate: AggregateId, sequence: int, schema_hash: str, data: bytes, *, position: int = 0
    ) -> None:
        """See `SnapshotStore.put`."""
        limit_bytes = MAX_SNAPSHOT_BYTES - HEADER_ROOM_BYTES
        if len(data) > limit_bytes:
            raise SnapshotTooLarge(f"snapshot of {aggregate} is {len(data)} bytes, the limit is {limit_bytes}")
        headers = {
            "tl-sequence": str(sequence),
            "tl-position": str(position),
            "tl-schema-hash": schema_hash,
            "tl-sha256": hashlib.sha256(data).hexdigest(),
        }
        try:
            await self._connection.request(_subject(aggregate), data, timeout=TIMEOUT_S, headers=headers)
        except nats.errors.Error as error:
            raise LogUnavailable(f"snapshot of {aggregate} was not kept ({type(error).__name__})") from error

    async def get(self, aggregate: AggregateId, schema_hash: str) -> Snapshot | None:
        """See `SnapshotStore.get`; a store that does not answer has no snapshot."""
        try:
            message = await direct.get_last_on(self._connection, SNAP, _subject(aggregate), timeout_s=TIMEOUT_S)
        except (Unreachable, JetStreamApiError):
            return None
        if message is None or message.headers.get("tl-schema-hash") != schema_hash:
            return None
        if message.headers.get("tl-sha256") != hashlib.sha256(message.data).hexdigest():
            return None
        return Snapshot(int(message.headers["tl-sequence"]), int(message.headers["tl-position"]), message.data)


def _subject(aggregate: AggregateId) -> str:
    return snapshot_subject(aggregate.context, aggregate.tenant, aggregate.id)
