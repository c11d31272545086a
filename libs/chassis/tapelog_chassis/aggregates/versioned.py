"""An aggregate as it is kept loaded: its state, where it stands in the log, and the requests it has answered."""

import dataclasses
import uuid
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import immutables
import msgspec

from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.rpc.etag import format_etag

S = TypeVar("S")


class RequestRecord(NamedTuple):
    """A request that was answered with events: the hash of its body and the sequences it wrote."""

    request_hash: str
    first_sequence: int
    last_sequence: int


KEPT_REQUESTS: Final = 1000
"""Requests that a snapshot holds in full, the newest: a client that repeats does it soon."""
FINGERPRINT_BYTES: Final = 4
"""Of every older request: 50,000 take 200 KB, and one new request in 86,000 is taken for one of them, which costs that
one a reading of the whole history and nothing else."""


@dataclasses.dataclass(frozen=True, slots=True)
class Requests:
    """The requests that an aggregate has answered, as old as the log.

    Attributes
    ----------
    known : immutables.Map[str, RequestRecord]
        In full: all of them after a whole fold, the newest after a snapshot.
    older : frozenset of int
        Fingerprints of the others.
    """

    known: "immutables.Map[str, RequestRecord]" = dataclasses.field(default_factory=immutables.Map)
    older: frozenset[int] = frozenset()

    def get(self, request_id: str) -> RequestRecord | None:
        """Return the record of a request that is held in full."""
        return self.known.get(request_id)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self.known

    def may_be_older(self, request_id: str) -> bool:
        """Say whether a request that is not held in full may have been answered: only the whole history tells."""
        return bool(self.older) and fingerprint(request_id) in self.older

    def after(self, events: Iterable[StoredEvent]) -> "Requests":
        """Return the requests with those of further events."""
        known = self.known.mutate()
        for event in events:
            if request_id := event.metadata.request_id:
                before = known.get(request_id)
                first = event.sequence if before is None else before.first_sequence
                known[request_id] = RequestRecord(event.metadata.request_hash, first, event.sequence)
        return Requests(known.finish(), self.older)


def fingerprint(request_id: str) -> int:
    """Return what is kept of an old request_id."""
    return zlib.crc32(request_id.encode())


@dataclasses.dataclass(frozen=True, slots=True)
class Versioned(Generic[S]):
    """State and its place.

    Attributes
    ----------
    state : S
    sequence : int
        Sequence of the last event folded in; 0 when the aggregate does not exist.
    position : int
        That event's place in the context's order.
    requests : Requests
        Every answered request_id, as old as the log.
    time : datetime, optional
        When the last event was decided.
    hash : str
        The chain's hash at that event, which the next one has to continue.
    """

    state: S
    sequence: int = 0
    position: int = 0
    requests: Requests = dataclasses.field(default_factory=Requests)
    time: datetime | None = None
    hash: str = ""

    @property
    def exists(self) -> bool:
        """Whether anything has happened to the aggregate."""
        return self.sequence > 0

    @property
    def etag(self) -> str:
        """The etag of a resource read from this state."""
        return format_etag(self.sequence)

    def after(self, state: S, events: Sequence[StoredEvent]) -> "Versioned[S]":
        """Return the version after some more events, with the state that evolved from them."""
        if not events:
            return self
        last = events[-1]
        return Versioned(state, last.sequence, last.position, self.requests.after(events), last.time, last.hash)


class SnapshotCodec(Protocol[S]):
    """How a service writes its state into a snapshot."""

    @property
    def schema_hash(self) -> str:
        """Changes whenever the meaning of the bytes does; older snapshots are then ignored."""
        ...

    def encode(self, state: S) -> bytes:
        """Return the state's bytes."""
        ...

    def decode(self, data: bytes) -> S:
        """Return the state of some bytes."""
        ...


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    state: bytes
    requests: list[tuple[bytes, bytes, int, int]]
    older: bytes
    time: datetime | None
    hash: str


FORMAT: Final = "versioned-2"
"""Part of every snapshot's schema hash: the form of what surrounds the state."""


def pack(versioned: Versioned[S], codec: SnapshotCodec[S]) -> bytes:
    """Return the snapshot of a version."""
    answered = sorted(versioned.requests.known.items(), key=lambda item: item[1].last_sequence)
    old, new = answered[:-KEPT_REQUESTS], answered[-KEPT_REQUESTS:]
    requests = [
        (uuid.UUID(key).bytes, record.request_hash.encode(), record.first_sequence, record.last_sequence)
        for key, record in new
    ]
    prints = sorted(versioned.requests.older.union(fingerprint(key) for key, _ in old))
    older = b"".join(number.to_bytes(FINGERPRINT_BYTES, "big") for number in prints)
    stored = _Stored(codec.encode(versioned.state), requests, older, versioned.time, versioned.hash)
    return msgspec.msgpack.encode(stored)


def unpack(sequence: int, position: int, data: bytes, codec: SnapshotCodec[S]) -> Versioned[S]:
    """Return the version of a snapshot; raises `msgspec.MsgspecError` for bytes that are none."""
    stored = msgspec.msgpack.decode(data, type=_Stored)
    try:
        known = immutables.Map(
            {
                str(uuid.UUID(bytes=key)): RequestRecord(request_hash.decode(), first, last)
                for key, request_hash, first, last in stored.requests
            }
        )
    except ValueError as failure:
        raise msgspec.DecodeError(f"not the requests of a snapshot: {failure!r}") from failure
    older = frozenset(
        int.from_bytes(stored.older[start : start + FINGERPRINT_BYTES], "big")
        for start in range(0, len(stored.older), FINGERPRINT_BYTES)
    )
    requests = Requests(known, older)
    return Versioned(codec.decode(stored.state), sequence, position, requests, stored.time, stored.hash)
