"""An aggregate as it is kept loaded: its state, where it stands in the log, and the requests it has answered."""

import dataclasses
from datetime import datetime
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import immutables
import msgspec

from tapelog_chassis.etag import format_etag
from tapelog_chassis.event_log import StoredEvent

S = TypeVar("S")


class RequestRecord(NamedTuple):
    """A request that was answered with events: the hash of its body and the sequences it wrote."""

    request_hash: str
    first_sequence: int
    last_sequence: int


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
    requests : immutables.Map[str, RequestRecord]
        Every answered request_id, as old as the log.
    time : datetime, optional
        When the last event was decided.
    hash : str
        The chain's hash at that event, which the next one has to continue.
    """

    state: S
    sequence: int = 0
    position: int = 0
    requests: "immutables.Map[str, RequestRecord]" = dataclasses.field(default_factory=immutables.Map)
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

    def after(self, state: S, event: StoredEvent) -> "Versioned[S]":
        """Return the version after `event`, with the state that evolved from it."""
        requests = self.requests
        if request_id := event.metadata.request_id:
            known = requests.get(request_id)
            first = event.sequence if known is None else known.first_sequence
            requests = requests.set(request_id, RequestRecord(event.metadata.request_hash, first, event.sequence))
        return Versioned(state, event.sequence, event.position, requests, event.time, event.hash)


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
    requests: dict[str, tuple[str, int, int]]
    time: datetime | None
    hash: str


FORMAT: Final = "versioned-1"
"""Part of every snapshot's schema hash: the form of what surrounds the state."""


def pack(versioned: Versioned[S], codec: SnapshotCodec[S]) -> bytes:
    """Return the snapshot of a version."""
    requests = {
        key: (record.request_hash, record.first_sequence, record.last_sequence)
        for key, record in sorted(versioned.requests.items())
    }
    return msgspec.msgpack.encode(_Stored(codec.encode(versioned.state), requests, versioned.time, versioned.hash))


def unpack(sequence: int, position: int, data: bytes, codec: SnapshotCodec[S]) -> Versioned[S]:
    """Return the version of a snapshot; raises `msgspec.MsgspecError` for bytes that are none."""
    stored = msgspec.msgpack.decode(data, type=_Stored)
    requests = immutables.Map({key: RequestRecord(*record) for key, record in stored.requests.items()})
    return Versioned(codec.decode(stored.state), sequence, position, requests, stored.time, stored.hash)
