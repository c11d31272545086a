"""Bytes that no encoder writes, made of a request's own: what the wire can do to a message."""

import random
from collections.abc import Callable
from typing import Final

VARINT: Final = 0
LENGTH: Final = 2
GROUP_START: Final = 3
DEPTH: Final = 200
"""Messages inside one another; decoders stop at 100."""
LONG_VARINT: Final = b"\xff" * 11


def spoil(data: bytes, chosen: random.Random) -> bytes:
    """Return the bytes with one thing wrong, or only unusual."""
    return chosen.choice(WAYS)(data, chosen)


def _bits(data: bytes, chosen: random.Random) -> bytes:
    spoilt = bytearray(data or b"\x00")
    for _ in range(chosen.randint(1, 4)):
        spoilt[chosen.randrange(len(spoilt))] ^= 1 << chosen.randrange(8)
    return bytes(spoilt)


def _cut(data: bytes, chosen: random.Random) -> bytes:
    return data[: chosen.randrange(len(data) + 1)]


def _twice(data: bytes, _: random.Random) -> bytes:
    return data + data


def _bad_utf8(data: bytes, chosen: random.Random) -> bytes:
    text = chosen.choice((b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"ok\xf5\x80\x80\x80", b"\x80"))
    return data + _field(chosen.randint(1, 12), LENGTH) + _varint(len(text)) + text


def _other_type(data: bytes, chosen: random.Random) -> bytes:
    number = chosen.randint(1, 12)
    value = {VARINT: b"\x01", 1: b"\x00" * 8, LENGTH: b"\x02hi", 5: b"\x00" * 4}
    wire_type = chosen.choice(list(value))
    return data + _field(number, wire_type) + value[wire_type]


def _unknown(data: bytes, chosen: random.Random) -> bytes:
    blob = chosen.randbytes(chosen.choice((1, 100, 10_000)))
    return data + _field(chosen.choice((99, 18_999, 19_000, 536_870_911)), LENGTH) + _varint(len(blob)) + blob


def _nested(data: bytes, chosen: random.Random) -> bytes:
    tag = _field(chosen.randint(1, 12), LENGTH)
    inner = b""
    for _ in range(chosen.choice((3, 99, 101, DEPTH))):
        inner = tag + _varint(len(inner)) + inner
    return data + inner


def _groups(data: bytes, chosen: random.Random) -> bytes:
    return data + _field(chosen.randint(1, 12), GROUP_START) * chosen.choice((1, 99, DEPTH))


def _long_varint(data: bytes, chosen: random.Random) -> bytes:
    return data + _field(chosen.randint(1, 12), VARINT) + LONG_VARINT


def _lying_length(data: bytes, chosen: random.Random) -> bytes:
    return data + _field(chosen.randint(1, 12), LENGTH) + _varint(chosen.choice((1, 127, 2**31 - 1, 2**32, 2**63)))


def _field_zero(data: bytes, _: random.Random) -> bytes:
    return data + b"\x00\x01"


def _noise(_: bytes, chosen: random.Random) -> bytes:
    return chosen.randbytes(chosen.choice((1, 16, 500)))


WAYS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _bits,
    _bits,
    _cut,
    _twice,
    _bad_utf8,
    _other_type,
    _unknown,
    _nested,
    _groups,
    _long_varint,
    _lying_length,
    _field_zero,
    _noise,
)


def _field(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
