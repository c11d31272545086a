"""Requests that get past the first checks: begun plausibly, mended by what the service says, then made wrong again."""

import collections
import random
import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from .hostile_requests import DEPTH_MAX, Hostile
from .rpcs import Answer, Rpc
from .spoilt_bytes import spoil

KEPT_PER_RPC: Final = 120
"""Requests kept because their answer was a new one; the oldest go first."""
MENDING_MAX: Final = 40
MENDS_MAX: Final = 12
"""How often one request is mended before it is given up."""
TEXT_BY_FIELD: Final[dict[str, tuple[str, ...]]] = {
    "etag": ("",),
    "page_token": ("",),
    "isrc": ("USRC17607839", "QMDA72100001"),
    "iswc": ("T-034.524.680-1",),
    "language": ("en", "de"),
    "email": ("someone@example.com",),
    "url": ("http://127.0.0.1:9/hook", "https://hooks.example.com/tapelog"),
    "secret": ("whsec_" + "QUJD" * 11,),
    "scopes": ("session:read", "session:write", "render:read", "notify:read"),
    "tenant_roles": ("INTEGRATION", "BILLING_READER"),
    "rpc": ("tapelog.session.v1.SessionService/GetSong", "GetSong", "/tapelog.render.v1.RenderService/GetRenderJob"),
    "types": ("NoteAdded", "VersionProposed", "tapelog.session.v1.NoteAdded", "SongCreated"),
    "until_types": ("VersionRendered",),
    "tools": ("Pencil 1",),
    "profile": ("phone", "car"),
    "key": ("pty-all",),
    "waives": ("",),
}
TEXTS: Final = ("Plain.", "A little more of the voice, and less of the room.", "x1", "bass", "Ünï — “côdé”")
INTEGER_BY_FIELD: Final[dict[str, tuple[int, ...]]] = {
    "page_size": (1, 7, 50),
    "sample_rate_hz": (48_000, 44_100),
    "bit_depth": (24, 16),
    "seconds": (1, 3600, 1_700_000_000, 1_800_000_000),
    "nanos": (0, 500_000_000),
    "as_of_sequence": (0, 1, 5),
    "start_frame": (0, 100),
    "end_frame": (1000, 9600),
    "adjustment_ms": (1, -1000, 60_000),
}
FLOAT_BY_END: Final[dict[str, tuple[float, ...]]] = {
    "_lufs": (-14.0, -23.0),
    "_dbtp": (-1.0, -2.0),
    "_dbfs": (-6.0, -60.0),
    "_db": (-3.0, 0.0, 1.5),
    "_hz": (100.0, 8000.0),
    "_ms": (5.0, 50.0),
    "tempo_bpm": (120.0,),
    "ratio": (2.0, 4.0),
}


NAME: Final = re.compile(rb"[a-zA-Z]+/[a-z]{2,4}-[0-9a-z]{16,}(?:/[a-zA-Z]+/[0-9A-Za-z-]+)*")
NAMED: Final = {"name", "parent", "batch", "version", "before", "after", "session", "job", "subscription", "account"}
HEARD_PER_KIND: Final = 6


class Heard:
    """Names that answers told, the newest of each kind."""

    def __init__(self) -> None:
        self._by_kind: dict[str, collections.deque[str]] = {}
        self._kinds: list[str] = []

    def clear(self) -> None:
        """Forget all: they are another round's."""
        self._by_kind.clear()
        self._kinds.clear()

    def hear(self, body: bytes) -> None:
        """Take the names out of an answer."""
        for match in NAME.findall(body[:20_000])[:HEARD_PER_KIND]:
            name = match.decode()
            kind = "/".join(name.split("/")[::2])
            if kind not in self._by_kind:
                self._by_kind[kind] = collections.deque(maxlen=HEARD_PER_KIND)
                self._kinds.append(kind)
            if name not in self._by_kind[kind]:
                self._by_kind[kind].append(name)

    def choose(self, chosen: random.Random) -> str:
        """Return a name of any kind; nothing when none was heard."""
        return chosen.choice(self._by_kind[chosen.choice(self._kinds)]) if self._kinds else ""


class Learner:
    """Makes requests for one RPC and learns from the answers.

    A request is either from scratch (hostile or plausible), or one that got a new answer before with a few fields set
    anew, or one that was refused with its wrong fields mended. One in eight is spoilt on the wire.

    Parameters
    ----------
    rpc : Rpc
    seed : int
        What is drawn follows from it and from the answers, in their order.
    heard : Heard
        Names out of the answers to all RPCs.
    """

    def __init__(self, rpc: Rpc, seed: int, heard: Heard) -> None:
        self._rpc = rpc
        self._heard = heard
        self._random = random.Random(seed)
        self._hostile = Hostile(seed, {}, damage=False)
        self._names: Mapping[str, list[str]] = {}
        self._examples: Mapping[str, list[Message]] = {}
        self._kept: collections.deque[tuple[str, bytes]] = collections.deque(maxlen=KEPT_PER_RPC)
        self._mending: collections.deque[tuple[bytes, int]] = collections.deque(maxlen=MENDING_MAX)
        self._mends: dict[bytes, int] = {}
        self.behaviours: collections.Counter[str] = collections.Counter()

    def rename(self, names: dict[str, list[str]], examples: Mapping[str, list[Message]]) -> None:
        """Take over the names of another song; what was learned about the last one is said of this one."""
        other = {old: new for field, olds in self._names.items() for old, new in zip(olds, names[field], strict=True)}
        kept = [(code, self._translated(data, other)) for code, data in self._kept]
        self._kept.clear()
        self._kept.extend(kept)
        self._mending.clear()
        self._names, self._examples = names, examples
        self._hostile.names = names

    def stream(self) -> list[bytes]:
        """Return what a call sends: for a client's stream several requests, now and then in the right order."""
        if not self._rpc.method.client_streaming:
            return [self.next()]
        examples = self._examples.get(self._rpc.method.input_type.full_name, [])
        if examples and self._random.random() < 0.3:
            return [example.SerializeToString() for example in examples]
        return [self.next() for _ in range(self._random.randint(1, 3))]

    def next(self) -> bytes:
        """Return the bytes of another request."""
        chosen, request = self._random.random(), self._rpc.request()
        mends = 0
        if chosen < 0.3 and self._mending:
            data, mends = self._mending.popleft()
        else:
            if chosen < 0.75 and self._kept:
                self._revise(request)
            elif chosen < 0.9:
                self._plausible(request, 0, self._random.choice((0.3, 0.6, 0.9)))
            else:
                self._hostile.fill(request, 0)
            data = self._with_id(request)
        if self._random.random() < 0.125:
            data = spoil(data, self._random)
        self._mends[data] = mends
        return data

    def learn(self, data: bytes, answer: Answer) -> bool:
        """Keep what got a new answer; mend what named its wrong fields. Return whether the answer was new."""
        mends = self._mends.pop(data, 0)
        code, reason, _ = answer.shown
        fields = [re.sub(r"\d+", "0", field) for field in answer.fields[:3]]
        behaviour = f"{code} {reason} {' '.join(fields)}"[:200]
        self.behaviours[behaviour] += 1
        is_new = self.behaviours[behaviour] == 1
        if is_new or (code == "OK" and self._random.random() < 0.05):
            self._kept.append((code, data))
        if code == "INVALID_ARGUMENT" and answer.fields and mends < MENDS_MAX:
            mended = self._mended(data, answer.fields)
            if mended is not None:
                self._mending.append((mended, mends + 1))
        return is_new

    def _revise(self, request: Message) -> None:
        good = [entry for entry in self._kept if entry[0] == "OK"]
        _, data = self._random.choice(good if good and self._random.random() < 0.6 else list(self._kept))
        try:
            request.ParseFromString(data)
        except (DecodeError, UnicodeDecodeError):
            request.Clear()
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            message = self._somewhere(request)
            fields = message.DESCRIPTOR.fields
            if fields:
                self._redraw(message, self._random.choice(fields))

    def _somewhere(self, message: Any) -> Any:
        """Return the message or one inside it."""
        for _ in range(DEPTH_MAX):
            inside = [value for field, value in message.ListFields() if field.message_type is not None]
            if not inside or self._random.random() < 0.4:
                break
            value = self._random.choice(inside)
            if isinstance(value, Message):
                message = value
            elif len(value) and not hasattr(value, "keys"):
                message = value[self._random.randrange(len(value))]
        return message

    def _redraw(self, message: Any, field: FieldDescriptor) -> None:
        message.ClearField(field.name)
        drawn = self._random.random()
        if drawn < 0.45:
            self._set_plausible(message, field, 2, 0.6)
        elif drawn < 0.85:
            self._hostile.set(message, field, 2)

    def _with_id(self, request: Any) -> bytes:
        if "request_id" in request.DESCRIPTOR.fields_by_name and self._random.random() < 0.97:
            request.request_id = self._hostile.request_id()
        return bytes(request.SerializeToString())

    def _translated(self, data: bytes, other: Mapping[str, str]) -> bytes:
        for old, new in other.items():
            if len(old) == len(new):
                data = data.replace(old.encode(), new.encode())
        return data

    def _plausible(self, message: Any, depth: int, share: float) -> None:
        examples = self._examples.get(message.DESCRIPTOR.full_name)
        if examples and self._random.random() < 0.7:
            message.CopyFrom(self._random.choice(examples))
            return
        for field in message.DESCRIPTOR.fields:
            is_name = field.name in self._names
            if self._random.random() < (0.97 if is_name and depth == 0 else share):
                self._set_plausible(message, field, depth, share)

    def _set_plausible(self, message: Any, field: FieldDescriptor, depth: int, share: float) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return
        if field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(self._random.choice((0, 1, 1, 2))):
                if field.message_type is None:
                    values.append(self._plausible_value(field))
                elif depth < DEPTH_MAX:
                    self._plausible(values.add(), depth + 1, share)
        elif field.message_type is None:
            setattr(message, field.name, self._plausible_value(field))
        elif depth < DEPTH_MAX:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._plausible(inner, depth + 1, share)

    def _plausible_value(self, field: FieldDescriptor) -> Any:
        chosen = self._random
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_BOOL:
                return chosen.random() < 0.5
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                ends = [values for end, values in FLOAT_BY_END.items() if field.name.endswith(end)]
                return chosen.choice(ends[0] if ends else (0.0, 0.5, 1.0, 10.0))
            case FieldDescriptor.CPPTYPE_ENUM:
                return chosen.choice([value.number for value in field.enum_type.values][1:] or [0])
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return chosen.randbytes(chosen.choice((1, 32, 1000)))
            case FieldDescriptor.CPPTYPE_STRING:
                if field.name in NAMED and chosen.random() < 0.5:
                    return self._heard.choose(chosen)
                if field.name in self._names:
                    return chosen.choice(self._names[field.name])
                return chosen.choice(TEXT_BY_FIELD.get(field.name, TEXTS))
        return chosen.choice(INTEGER_BY_FIELD.get(field.name, (0, 1, 2, 3)))

    def _mended(self, data: bytes, paths: list[str]) -> bytes | None:
        request = self._rpc.request()
        try:
            request.ParseFromString(data)
        except (DecodeError, UnicodeDecodeError):
            return None
        for path in paths:
            self._mend(request, path)
        return self._with_id(request)

    def _mend(self, message: Any, path: str) -> None:
        """Set the field of a path anew, or clear it; a path may end above or below a field."""
        steps = re.findall(r"([a-z_0-9]+)(?:\[(\d+)\])?", path)
        for number, (name, index) in enumerate(steps):
            field = message.DESCRIPTOR.fields_by_name.get(name)
            if field is None:
                return
            is_last = number == len(steps) - 1
            if is_last or field.message_type is None:
                message.ClearField(name)
                if self._random.random() < 0.7:
                    self._set_plausible(message, field, 1, 0.6)
                return
            inner = getattr(message, name)
            if field.is_repeated:
                if not index or int(index) >= len(inner):
                    return
                inner = inner[int(index)]
            message = inner
