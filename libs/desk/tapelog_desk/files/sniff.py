"""What a file is, by its first bytes and never by its name."""

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from tapelog_desk.errors import SourceError
from tapelog_desk.limits import ID3_MAX_BYTES

READABLE: Final = ("wav", "w64", "aiff", "flac", "ogg", "mp3")
"""Containers that are read: WAV with BWF, RF64 and RIFX; W64; AIFF; FLAC; Ogg with Vorbis, Opus or FLAC; MP3."""

_HEAD_BYTES: Final = 64
_W64_GUID: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_REFUSED: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb".{4}ftyp", re.DOTALL), "MP4 (AAC or ALAC)"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "AAC"),
    (re.compile(rb"ADIF"), "AAC"),
    (re.compile(rb"caff"), "Core Audio (CAF)"),
    (re.compile(rb"\.snd"), "Sun audio (AU)"),
    (re.compile(rb"RIFF.{4}AVI ", re.DOTALL), "video (AVI)"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "video (Matroska)"),
    (re.compile(rb"\x30\x26\xb2\x75"), "Windows Media"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
    (re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8"), "a picture"),
)
"""What is known and not read, so that the error can say what the file is."""

_ACCEPTED: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE", re.DOTALL), "wav"),
    (re.compile(re.escape(_W64_GUID)), "w64"),
    (re.compile(rb"FORM.{4}AIF[FC]", re.DOTALL), "aiff"),
    (re.compile(rb"fLaC"), "flac"),
    (re.compile(rb"OggS.{24}(?:\x01vorbis|OpusHead|\x7fFLAC)", re.DOTALL), "ogg"),
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A recognised file.

    Attributes
    ----------
    container : str
        One of `READABLE`.
    offset : int
        Bytes before the container starts: a leading ID3 tag.
    """

    container: str
    offset: int


def _id3_bytes(head: bytes) -> int:
    """Return the length of a leading ID3v2 tag, 0 if there is none (ID3v2.4 section 3.1: four 7-bit bytes)."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def _is_mpeg_layer3(head: bytes) -> bool:
    """Return whether an MPEG audio frame of layer III starts here, with a bit rate and a sample rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[1] & 0x18 != 0x08 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C


def sniff(file: BinaryIO, name: str) -> Sniffed:
    """Recognise an audio file.

    Parameters
    ----------
    file : BinaryIO
        Open for reading, seekable.
    name : str
        How errors call the file.

    Raises
    ------
    SourceError
        ``SOURCE_EMPTY``, ``SOURCE_NOT_AUDIO``, ``SOURCE_FORMAT_REFUSED`` for a known format that is not read, or
        ``SOURCE_TOO_LARGE`` for its tag.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if not head:
        raise SourceError("SOURCE_EMPTY", f"{name} has 0 bytes", "export or upload it again", file=name)
    offset = _id3_bytes(head)
    if offset > ID3_MAX_BYTES:
        problem = f"{name} starts with a tag of {offset} bytes, at most {ID3_MAX_BYTES}"
        raise SourceError("SOURCE_TOO_LARGE", problem, "remove the tag, or export it again", file=name)
    if offset:
        file.seek(offset)
        head = file.read(_HEAD_BYTES)
    for pattern, container in _ACCEPTED:
        if pattern.match(head):
            return Sniffed(container, offset)
    if _is_mpeg_layer3(head) or (offset and not head.strip(b"\0")[:4] and len(head) == _HEAD_BYTES):
        return Sniffed("mp3", 0)
    for pattern, what in _REFUSED:
        if pattern.match(head):
            problem = f"{name} is {what}, which is not read"
            raise SourceError("SOURCE_FORMAT_REFUSED", problem, "export it as WAV, AIFF or FLAC", file=name)
    remedy = "choose an audio file: WAV, AIFF, FLAC, Ogg or MP3"
    raise SourceError("SOURCE_NOT_AUDIO", f"{name} is no audio file that is known here", remedy, file=name)
