"""How the page says things: enums as words, frames as times, levels with their units. Shapes only, no rules."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.notify.v1 import alerts_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import timecodes

from tapelog_console.errors import BadForm

KINDS: Final = {res.VERSION_KIND_MIX: "mix", res.VERSION_KIND_MASTER: "master"}
COLLECTIONS: Final = {"mix": "mixVersions", "master": "masterVersions"}
NO_VALUE: Final = "–"

timecode: Final = timecodes.timecode
"""A frame as `m:ss.mmm`, as every front end prints it."""


def word(enum: Any, value: int) -> str:
    """Return an enum's value as words: `MIX_VERSION` of `KIND_MIX_VERSION` is "mix version"."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.DESCRIPTOR.name).upper() + "_"
    try:
        name = enum.Name(value)
    except ValueError:
        return "unknown"
    return str(name.removeprefix(prefix).replace("_", " ").lower())


_STATES: Final = {
    name.removeprefix(prefix): name.removeprefix(prefix).replace("_", " ").lower()
    for enum, prefix in (
        (res.VersionState, "VERSION_STATE_"),
        (res.DisagreementState, "DISAGREEMENT_STATE_"),
        (res.NoteState, "NOTE_STATE_"),
        (res.Stage, "STAGE_"),
    )
    for name in enum.keys()  # noqa: SIM118 - an enum of protobuf is not a mapping
}
_CAPITALS: Final = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b")


def plain(text: str) -> str:
    """Return what a service says, with the names of states as words: "mix 1 is IN_REVIEW" is "mix 1 is in review"."""
    return _CAPITALS.sub(lambda found: _STATES.get(found[0], found[0]), text)


_SETTING: Final = re.compile(r"\b([a-z][a-z0-9_]*?)_(hz|db|dbtp|lufs|lu|ms|s|percent): (-?[0-9.]+)")
_UNITS: Final = {"hz": "Hz", "db": "dB", "dbtp": "dBTP", "lufs": "LUFS", "lu": "LU", "percent": "%"}
_ENUMS: Final = re.compile(
    r"\b(?:"
    + "|".join(
        sorted(
            {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() for name in recipe_pb2.DESCRIPTOR.enum_types_by_name},
            key=len,
            reverse=True,
        )
    )
    + r")_([A-Z0-9_]+)"
)


def setting(text: str) -> str:
    """Return a setting of a recipe as a console has it: "eq { gain_db: -3.0 }" is "eq: gain −3 dB"."""

    def told(found: re.Match[str]) -> str:
        value = f"{float(found[3]):g}".replace("-", "−")
        return f"{found[1]} {value} {_UNITS.get(found[2], found[2])}"

    said = _SETTING.sub(told, text)
    said = _ENUMS.sub(lambda found: found[1].lower().replace("_", " "), said)
    said = re.sub(r"\s*\{\s*", ": ", said).replace("}", "")
    said = re.sub(r"\b([a-z][a-z0-9_]*): (?=[a-z0-9_−-])", lambda found: f"{found[1].replace('_', ' ')} ", said)
    said = re.sub(r"(\d)\.0\b", r"\1", said)
    return re.sub(r"\s+", " ", said).replace(" ,", ",").strip()


def stage(value: "res.Stage.ValueType") -> str:
    """Return a stage in words, such as "pre production"."""
    return word(res.Stage, value).replace("pre production", "pre-production")


def role(value: "res.Role.ValueType") -> str:
    """Return a role in words, such as "studio producer"."""
    return word(res.Role, value)


def roles(values: "Iterable[res.Role.ValueType]") -> str:
    """Return roles in words: "artist and studio producer"."""
    words = [role(value) for value in values]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def version_state(value: "res.VersionState.ValueType") -> str:
    """Return where a version stands, in words."""
    return word(res.VersionState, value)


def note_state(value: "res.NoteState.ValueType") -> str:
    """Return where a note stands, in words."""
    return word(res.NoteState, value)


def severity(value: "res.NoteSeverity.ValueType") -> str:
    """Return how heavy a note is, in words."""
    return word(res.NoteSeverity, value)


def category(value: "res.NoteCategory.ValueType") -> str:
    """Return what a note is about, in words."""
    return "anything" if not value else word(res.NoteCategory, value)


def verdict(value: "brief_pb2.Verdict.ValueType") -> str:
    """Return a verdict in words."""
    return word(brief_pb2.Verdict, value)


def disagreement_state(value: "res.DisagreementState.ValueType") -> str:
    """Return where a disagreement stands, in words."""
    return word(res.DisagreementState, value)


def delivery_state(value: "res.DeliveryState.ValueType") -> str:
    """Return where a delivery package stands, in words."""
    return word(res.DeliveryState, value)


def take_check(value: "res.TakeCheckState.ValueType") -> str:
    """Return the result of a take's arrival check, in words."""
    return {res.TAKE_CHECK_STATE_PASSED: "fit for use", res.TAKE_CHECK_STATE_FAILED: "not fit for use"}.get(
        value, "being checked"
    )


def alert_severity(value: "alerts_pb2.AlertSeverity.ValueType") -> str:
    """Return how much an alert matters, in words."""
    return word(alerts_pb2.AlertSeverity, value)


def version_key(version: res.Version) -> str:
    """Return the short name of a version that addresses use: "mix-2"."""
    return f"{KINDS.get(version.kind, 'version')}-{version.number}"


def version_title(name: str) -> str:
    """Return the title of a version's resource name: "Mix 2"."""
    collection, _, number = name.rpartition("/")
    kind = next((kind for kind, folder in COLLECTIONS.items() if collection.endswith(folder)), "version")
    return f"{kind.capitalize()} {number}"


def code_words(code: str) -> str:
    """Return a stable code as words: "BRIEF_NOT_AGREED" is "brief not agreed"."""
    return code.replace("_", " ").lower()


def frame_of(text: str, rate_hz: int, *, field: str) -> int:
    """Return the frame of a time such as `1:23.456` or `83.5`; raises `BadForm`."""
    try:
        return timecodes.frames_of(text, rate_hz)
    except ValueError as error:
        raise BadForm(f"{field}: {error}; write it as 1:23.456") from error


def level(measurements: audio_pb2.Measurements | None, field: str, unit: str = "") -> str:
    """Return a measured value with its unit, or a dash where there is none."""
    if measurements is None or not measurements.HasField(field):  # type: ignore[arg-type]  # a name of the proto
        return NO_VALUE
    value = f"{getattr(measurements, field):.1f}".replace("-", "−")
    return f"{value} {unit}" if unit else value


def decibels(value: float) -> str:
    """Return a gain with its sign: "−1.3 dB"."""
    return "0.0 dB" if abs(value) < 0.05 else f"{value:+.1f} dB".replace("-", "−")


def moment(time: Timestamp) -> str:
    """Return a time as people write it, in UTC."""
    return "" if not time.seconds else f"{_datetime(time):%d %b %Y, %H:%M} UTC"


def iso(time: Timestamp) -> str:
    """Return a time as machines read it."""
    return "" if not time.seconds else _datetime(time).isoformat().replace("+00:00", "Z")


def size(size_bytes: int) -> str:
    """Return a file's size."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"


def audio_format(form: audio_pb2.AudioFormat) -> str:
    """Return what a file is: "48 kHz, 24 bit wav"."""
    depth = f"{form.bit_depth} bit float" if form.is_float else f"{form.bit_depth} bit"
    return f"{form.sample_rate_hz / 1000:g} kHz, {depth} {form.container}"


def _datetime(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=UTC)
