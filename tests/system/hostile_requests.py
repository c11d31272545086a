"""Requests that nobody would send on purpose, made from the descriptors: half of them nearly right."""

import math
import random
import uuid
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

DEPTH_MAX: Final = 5
MANY: Final = 300
LONG: Final = 100_000
INTS: Final = (0, 1, 2, -1, 7, 48_000, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS: Final = (0.0, -0.0, 1.0, -6.5, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-300, 440.0)
TEXTS: Final = (
    "",
    " ",
    "x",
    "pty-a",
    "../../etc/passwd",
    "/abs",
    "a\\..\\b",
    "nul\x00nul",
    "line\nline\r\t",
    "\u202egnirts",
    "e\u0301 vs \u00e9",
    "\U0001f3b8" * 50,
    "%s%s%n{0}${x}<script>'\";--",
    "2026-13-45T99:99:99Z",
    "-1",
    "1e999",
    "projects/",
    "projects//songs/",
    "projects/p/songs/s/mixVersions/0",
    "projects/p/songs/s/mixVersions/99999999999999999999",
    "A" * 33,
    "f" * 64,
    "0" * 64,
    "x" * 5000,
)
INTEGERS: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


class Hostile:
    """Makes requests.

    Parameters
    ----------
    seed : int
        The same seed makes the same requests.
    names : dict of str to list of str
        Names of things that exist, by the field in which they are named.
    names_share : float
        How often such a field has one of them.
    damage : bool
        Whether bytes are flipped and cut off.
    """

    def __init__(
        self, seed: int, names: dict[str, list[str]], *, names_share: float = 0.6, damage: bool = True
    ) -> None:
        self._random = random.Random(seed)
        self._names_share = names_share
        self._damage = damage
        self.names = names

    def bytes_of(self, message: Message) -> bytes:
        """Fill a request and return its bytes; one in ten is damaged on the way."""
        self.fill(message, 0)
        data = bytearray(message.SerializeToString())
        if not self._damage:
            return bytes(data)
        if data and self._random.random() < 0.1:
            for _ in range(self._random.randint(1, 4)):
                data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        if self._random.random() < 0.02:
            data = data[: self._random.randrange(len(data) + 1)]
        return bytes(data)

    def fill(self, message: Any, depth: int) -> None:
        """Set most fields, those of messages inside too."""
        for field in message.DESCRIPTOR.fields:
            if field.name == "request_id":
                message.request_id = self.request_id()
            elif self._random.random() < (0.8 if depth < 2 else 0.4):
                self.set(message, field, depth)

    def set(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        """Set a field."""
        if field.is_repeated:
            self._extend(getattr(message, field.name), field, depth)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            if depth < DEPTH_MAX:
                self.fill(inner, depth + 1)
        else:
            setattr(message, field.name, self._value(field))

    def _extend(self, values: Any, field: FieldDescriptor, depth: int) -> None:
        count = self._random.choice((0, 1, 1, 2, 3, MANY if depth < 2 and self._random.random() < 0.1 else 2))
        if field.message_type is None:
            values.extend(self._value(field) for _ in range(count))
        elif field.message_type.GetOptions().map_entry:
            return
        elif depth < DEPTH_MAX:
            for _ in range(count):
                self.fill(values.add(), depth + 1)

    def _value(self, field: FieldDescriptor) -> Any:
        chosen = self._random
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_BOOL:
                return chosen.random() < 0.5
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return chosen.choice(FLOATS)
            case FieldDescriptor.CPPTYPE_ENUM:
                known = [value.number for value in field.enum_type.values]
                return chosen.choice([*known, *known, 999, -1, 2**31 - 1])
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return chosen.randbytes(chosen.choice((0, 1, 32, 1000)))
            case FieldDescriptor.CPPTYPE_STRING:
                return self._text(field.name)
        lowest, highest = INTEGERS[field.cpp_type]
        return min(max(chosen.choice(INTS), lowest), highest)

    def _text(self, name: str) -> str:
        known = self.names.get(name)
        if known and self._random.random() < self._names_share:
            return self._random.choice(known)
        if self._random.random() < 0.02:
            return "l" * LONG
        return self._random.choice(TEXTS)

    def request_id(self) -> str:
        """Return an id, mostly a good one."""
        if self._random.random() < 0.1:
            return self._random.choice(TEXTS)
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
