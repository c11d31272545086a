"""The Asset aggregate: uploaded bytes, registered in each project that has them; and what a header can tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import immutables
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import Fields
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.song import NONE

ASSET_BYTES_MAX: Final = 2 * 1024**3
"""Largest upload: an hour of 24-bit stereo at 96 kHz."""
FILENAME_CHARS_MAX: Final = 255
SNIFF_BYTES: Final = 64
"""How much of a file's beginning its format is read from."""
AUDIO_BYTES_MIN: Final = 44
"""The smallest header of the formats below; anything shorter holds no sound."""

_W64: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


@dataclasses.dataclass(frozen=True, slots=True)
class Registration:
    """The asset in one project."""

    sha256: str
    size_bytes: int
    original_filename: str
    media_type: str
    uploaded_by: str
    create_time: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Asset:
    """Bytes known by their SHA-256, and the projects they were uploaded to."""

    projects: immutables.Map[str, Registration] = NONE


def asset_id(sha256: str) -> str:
    """Return the aggregate id: 112 bits of the digest, as many as an id has room for."""
    return f"ast-{sha256[:28]}"


def check_header(sha256: str, size_bytes: int, original_filename: str) -> None:
    """Refuse an upload's header that cannot be right, with everything that is wrong."""
    fields = Fields()
    fields.sha256("header.sha256", sha256)
    fields.that(
        AUDIO_BYTES_MIN <= size_bytes <= ASSET_BYTES_MAX,
        "header.size_bytes",
        f"{size_bytes} is outside {AUDIO_BYTES_MIN} to {ASSET_BYTES_MAX}",
    )
    fields.text("header.original_filename", original_filename, FILENAME_CHARS_MAX, chars_min=0)
    fields.refuse("INVALID_UPLOAD")


def media_type_of(head: bytes, size_bytes: int) -> str:
    """Return the media type that a file's first bytes show.

    Parameters
    ----------
    head : bytes
        The first `SNIFF_BYTES`, or the whole file if it is shorter.
    size_bytes : int
        Size of the whole file; a header that promises more means a truncated file.

    Raises
    ------
    InvalidCommand
        `NOT_AUDIO`, or `TRUNCATED_AUDIO`.
    """
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        _check_chunk(int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big"), size_bytes, "WAV")
        return "audio/wav"
    if head[:4] in (b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        _check_chunk(int.from_bytes(head[4:8], "big"), size_bytes, "AIFF")
        return "audio/aiff"
    if head[:4] == b"fLaC":
        return "audio/flac"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[:16] == _W64:
        return "audio/x-w64"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    shown = head[:8].hex(" ") or "nothing"
    text = (
        f"the file begins with {shown}, which is no WAV, RF64, W64, AIFF, FLAC, Ogg or MP3 file; "
        "export the track as WAV or FLAC and upload that"
    )
    raise InvalidCommand("NOT_AUDIO", [("chunk", text)])


def _check_chunk(promised_bytes: int, size_bytes: int, word: str) -> None:
    """Compare the length in a RIFF or FORM header with the file's; streamed files have 0 or all ones there."""
    whole = promised_bytes + 8
    if promised_bytes in (0, 0xFFFFFFFF) or whole <= size_bytes + 1:
        return
    text = (
        f"the {word} header promises {whole} bytes, the file has {size_bytes}: it is truncated; "
        "export it again and upload that"
    )
    raise InvalidCommand("TRUNCATED_AUDIO", [("chunk", text)])


def register(asset: Asset, project: str, registered: pb.Asset) -> Sequence[Message]:
    """Register the bytes in a project; nothing if they are there."""
    if project in asset.projects:
        return []
    return [events_pb2.AssetRegistered(asset=registered)]


def evolve(asset: Asset, event: Message, time: datetime) -> Asset:
    """Return the asset after an event."""
    if not isinstance(event, events_pb2.AssetRegistered):
        raise TypeError(f"{type(event).__name__} is not an event of an asset")
    known = event.asset
    project = known.name.split("/")[1]
    registration = Registration(
        sha256=known.sha256,
        size_bytes=known.size_bytes,
        original_filename=known.original_filename,
        media_type=known.media_type,
        uploaded_by=known.uploaded_by,
        create_time=time,
    )
    return dataclasses.replace(asset, projects=asset.projects.set(project, registration))
