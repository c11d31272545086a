"""Messages as plain values for JSON, and numbers as people read them."""

from typing import Any, Final, Literal

# The payload of an event is an Any: its type has to be known before it can be read.
import tapelog.notify.v1.events_pb2
import tapelog.render.v1.events_pb2
import tapelog.session.v1.events_pb2
from google.protobuf import descriptor_pool, json_format
from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2, event_pb2

POOL: Final = descriptor_pool.Default()
EVENT_PACKAGES: Final = (
    tapelog.session.v1.events_pb2,
    tapelog.render.v1.events_pb2,
    tapelog.notify.v1.events_pb2,
)


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as its canonical JSON value, with the fields named as in the protos."""
    value: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=POOL)
    return value


def event_as_dict(event: event_pb2.Event) -> dict[str, Any]:
    """Return an event as a JSON value; its payload stands under `data` with its type under `@type`."""
    return as_dict(event)


def mebibytes(size_bytes: int) -> str:
    """Return a size as people read it; in KiB below one MiB."""
    kibibytes = size_bytes / 1024
    return f"{kibibytes / 1024:.1f} MiB" if kibibytes >= 1024 else f"{kibibytes:.1f} KiB"


def format_words(audio: audio_pb2.AudioFormat) -> str:
    """Return a format as studios write it: `wav 24/48`, `wav 32f/48`."""
    return f"{audio.container} {audio.bit_depth}{'f' if audio.is_float else ''}/{audio.sample_rate_hz / 1000:g}"


def loudness_words(measured: audio_pb2.Measurements) -> str:
    """Return the three figures of a measured file: `-14.0 LUFS-I, LRA 6.1 LU, -1.0 dBTP`."""
    return (
        f"{figure(measured, 'integrated_lufs')} LUFS-I, LRA {figure(measured, 'loudness_range_lu')} LU, "
        f"{figure(measured, 'true_peak_dbtp')} dBTP"
    )


Figure = Literal["integrated_lufs", "loudness_range_lu", "true_peak_dbtp"]


def figure(measured: audio_pb2.Measurements, name: Figure) -> str:
    """Return one measurement with a digit after the point, or a dash where it does not exist for this audio."""
    return f"{getattr(measured, name):.1f}" if measured.HasField(name) else "-"
