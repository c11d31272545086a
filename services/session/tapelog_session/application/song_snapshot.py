"""How a Song is written into a snapshot.

Every value is written with its kind. Another shape of the state, another proto or another meaning of the fold is
another schema, and older snapshots are then left alone.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import immutables
import msgspec
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2

from tapelog_session.domain import roles, song
from tapelog_session.domain.song import Song

SHAPES: Final = (
    song.Song,
    song.Brief,
    song.Track,
    song.Take,
    song.Approval,
    song.Version,
    song.Note,
    song.Alternate,
    song.Precheck,
    song.Policy,
    roles.Consent,
    song.StemSet,
)
"""Every dataclass in the state of a song; a new one is added at the end."""
FOLD: Final = 1
"""Raised by whoever lets a fold make another state of the same events: snapshots of before are then folded anew."""
ZLIB_LEVEL: Final = 1
"""States are repetitive: the fastest level gains most of what there is to gain."""

_DATACLASS, _MESSAGE, _TUPLE, _MAP, _TIME = range(5)
_INDEX: Final = {shape: index for index, shape in enumerate(SHAPES)}
_FIELDS: Final = [tuple(field.name for field in dataclasses.fields(shape)) for shape in SHAPES]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SongCodec:
    """`SnapshotCodec` of songs."""

    @functools.cached_property
    def schema_hash(self) -> str:
        """Digest of the shapes' fields and of every proto that a state or an event is made of."""
        digest = hashlib.sha256(f"fold {FOLD}\n".encode())
        for shape, fields in zip(SHAPES, _FIELDS, strict=True):
            digest.update(f"{shape.__name__}({', '.join(fields)})\n".encode())
        seen = set()
        waiting = [events_pb2.DESCRIPTOR]
        while waiting:
            file = waiting.pop()
            if file.name not in seen:
                seen.add(file.name)
                digest.update(file.serialized_pb)
                waiting += sorted(file.dependencies, key=lambda dependency: dependency.name)
        return digest.hexdigest()[:32]

    def encode(self, state: Song) -> bytes:
        """Return the bytes of a state."""
        return zlib.compress(msgspec.msgpack.encode(_plain(state)), ZLIB_LEVEL)

    def decode(self, data: bytes) -> Song:
        """Return the state of some bytes; `msgspec.MsgspecError` for bytes that are none."""
        try:
            state = _value(msgspec.msgpack.decode(zlib.decompress(data)))
        except (zlib.error, IndexError, KeyError, TypeError, ValueError) as failure:
            raise msgspec.DecodeError(f"not the state of a song: {failure!r}") from failure
        if not isinstance(state, Song):
            raise msgspec.DecodeError(f"not the state of a song but a {type(state).__name__}")
        return state

    def __repr__(self) -> str:
        return f"SongCodec({self.schema_hash})"


def _plain(value: Any) -> Any:
    """Return a value as what msgpack knows: a scalar, or a list that begins with the value's kind."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    if isinstance(value, tuple):
        return [_TUPLE, *map(_plain, value)]
    if isinstance(value, Message):
        return [_MESSAGE, value.DESCRIPTOR.full_name, value.SerializeToString(deterministic=True)]
    if isinstance(value, immutables.Map):
        return [_MAP, *(_plain(part) for key in sorted(value) for part in (key, value[key]))]
    if isinstance(value, datetime):
        return [_TIME, (value - _EPOCH) // timedelta(microseconds=1)]
    index = _INDEX[type(value)]
    return [_DATACLASS, index, *(_plain(getattr(value, name)) for name in _FIELDS[index])]


def _value(plain: Any) -> Any:
    if not isinstance(plain, list):
        return plain
    kind, rest = plain[0], plain[1:]
    if kind == _TUPLE:
        return tuple(map(_value, rest))
    if kind == _MESSAGE:
        return _message_class(rest[0]).FromString(rest[1])
    if kind == _MAP:
        parts = [_value(part) for part in rest]
        return immutables.Map(zip(parts[::2], parts[1::2], strict=True))
    if kind == _TIME:
        return _EPOCH + timedelta(microseconds=rest[0])
    return SHAPES[rest[0]](*map(_value, rest[1:]))


@functools.cache
def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
