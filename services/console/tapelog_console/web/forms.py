"""Reading forms: every field with its limit."""

import re
from typing import Final

from aiohttp import web
from multidict import MultiDictProxy

from tapelog_console.errors import BadForm
from tapelog_console.reading import words

TEXT_CHARS_MAX: Final = 2_000
"""What the services take."""
CHOICES_MAX: Final = 200
_REQUEST_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_VERSION_KEY: Final = re.compile(r"(mix|master)-([1-9][0-9]{0,5})")


class Form:
    """The fields of a sent form."""

    def __init__(self, fields: "MultiDictProxy[str | bytearray | bytes | web.FileField]") -> None:
        self._fields = fields

    def text(self, name: str, *, label: str = "", required: bool = True) -> str:
        """Return a text; raises `BadForm` when it is missing or too long."""
        value = str(self._fields.get(name, "")).replace("\r\n", "\n").strip()
        if required and not value:
            raise BadForm(f"{label or name} is empty: say something.")
        if len(value) > TEXT_CHARS_MAX:
            raise BadForm(f"{label or name} has {len(value)} characters; the limit is {TEXT_CHARS_MAX}.")
        return value

    def choices(self, name: str) -> list[str]:
        """Return what was ticked."""
        return [str(value)[:TEXT_CHARS_MAX] for value in self._fields.getall(name, [])[:CHOICES_MAX]]

    def number(self, name: str, *, default: int = 0) -> int:
        """Return a whole number; raises `BadForm` when it is none."""
        value = str(self._fields.get(name, "") or default)
        if not re.fullmatch(r"-?\d{1,18}", value):
            raise BadForm(f"{name}: {value[:40]!r} is not a whole number.")
        return int(value)

    @property
    def request_id(self) -> str:
        """The id that the page gave this form, so that a second click is the same request; empty for a new one."""
        value = str(self._fields.get("request_id", ""))
        return value if _REQUEST_ID.fullmatch(value) else ""

    @property
    def frames(self) -> tuple[int, int] | None:
        """The passage that a note is about: frames where the page set them, else times; None is the whole song."""
        begin, end = self.number("start_frame", default=-1), self.number("end_frame", default=-1)
        if begin >= 0:
            return begin, max(end, begin + 1)
        at, until = self.text("at", required=False), self.text("until", required=False)
        if not at:
            return None
        rate_hz = self.number("rate_hz", default=48_000)
        begin = words.frame_of(at, rate_hz, field="From")
        end = words.frame_of(until, rate_hz, field="To") if until else begin + 1
        if end <= begin:
            raise BadForm(f"To: {until!r} is not after {at!r}.")
        return begin, end


def is_version_key(text: str) -> bool:
    """Say whether a text is the short name of a version."""
    return _VERSION_KEY.fullmatch(text) is not None


def version_name(song: str, key: str) -> str:
    """Return the resource name of a version by its short name such as "mix-2"; raises `BadForm`."""
    found = _VERSION_KEY.fullmatch(key)
    if found is None:
        raise BadForm(f"{key[:40]!r} is not a version.")
    return f"{song}/{words.COLLECTIONS[found[1]]}/{found[2]}"
