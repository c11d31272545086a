"""WAV, RF64 and RIFX headers: where the samples are, never trusting a declared length.

Sources: Microsoft/IBM multimedia programming interface 1.0 (RIFF); EBU Tech 3285 (broadcast extension); EBU Tech 3306
(RF64); ITU-R BS.2088 (BW64).
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from tapelog_desk.errors import SourceError
from tapelog_desk.limits import RIFF_CHUNKS_MAX

_PCM: Final = 0x0001
_FLOAT: Final = 0x0003
_EXTENSIBLE: Final = 0xFFFE
_GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in the sub-format of an extensible header."""

_SIZE_UNKNOWN: Final = 0xFFFFFFFF
_FMT_MAX_BYTES: Final = 4_096
_TIME_REFERENCE: Final = 338
"""Where a broadcast extension has its time reference: after description, originator, reference, date and time."""
_START_MAX: Final = 2**62
_CODECS: Final = {0x0002: "Microsoft ADPCM", 0x0006: "A-law", 0x0007: "µ-law", 0x0011: "IMA ADPCM", 0x0031: "GSM 6.10",
                  0x0055: "MP3"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WavLayout:
    """Where and how the samples of a WAV file are stored.

    Attributes
    ----------
    sample_rate_hz, channels : int
        As declared.
    bit_depth : int
        Valid bits per sample.
    is_float : bool
        Whether samples are IEEE floats.
    sample_bytes : int
        Bytes per stored sample.
    big_endian : bool
        Whether it is RIFX.
    data_offset : int
        First byte of the samples.
    length_frames : int
        Whole frames that are really there.
    start_frame : int, optional
        Time reference of the broadcast extension, frames from the time line's zero.
    """

    sample_rate_hz: int
    channels: int
    bit_depth: int
    is_float: bool
    sample_bytes: int
    big_endian: bool
    data_offset: int
    length_frames: int
    start_frame: int | None = None


def _damaged(name: str, problem: str) -> SourceError:
    return SourceError("SOURCE_DAMAGED", f"{name}: {problem}", "export or upload it again", file=name)


def _refused(name: str, problem: str) -> SourceError:
    return SourceError("SOURCE_FORMAT_REFUSED", f"{name}: {problem}", "export it as PCM or float WAV", file=name)


@dataclass(frozen=True, slots=True)
class _Format:
    tag: int
    channels: int
    sample_rate_hz: int
    block_bytes: int
    bits: int
    valid_bits: int


def _parse_fmt(body: bytes, order: str, name: str) -> _Format:
    if len(body) < 16:
        raise _damaged(name, f"its format chunk has {len(body)} bytes, at least 16")
    tag, channels, rate, _, block, bits = struct.unpack(order + "HHIIHH", body[:16])
    valid = bits
    if tag == _EXTENSIBLE:
        if len(body) < 40:
            raise _damaged(name, f"its extensible format chunk has {len(body)} bytes, at least 40")
        declared, _, tag = struct.unpack(order + "HIH", body[18:26])
        if body[26:40] != _GUID_TAIL:
            raise _refused(name, f"its sub-format {body[24:40].hex()} is not known")
        valid = declared if 0 < declared <= bits else bits
    return _Format(tag, channels, rate, block, bits, valid)


def _check_fmt(fmt: _Format, name: str) -> int:
    """Return the bytes per stored sample, or raise."""
    if fmt.tag not in (_PCM, _FLOAT):
        codec = _CODECS.get(fmt.tag, "an unknown codec")
        raise _refused(name, f"its samples are {codec} (format tag {fmt.tag:#06x})")
    if fmt.channels == 0:
        raise _damaged(name, "it declares 0 channels")
    if not (fmt.bits in (32, 64) if fmt.tag == _FLOAT else 8 <= fmt.bits <= 32):
        raise _refused(name, f"its samples have {fmt.bits} {'float' if fmt.tag == _FLOAT else 'PCM'} bits")
    needed = (fmt.bits + 7) // 8
    if fmt.block_bytes in (0, needed * fmt.channels):
        return needed
    if (fmt.tag, needed, fmt.block_bytes) == (_PCM, 3, 4 * fmt.channels):
        return 4
    problem = f"it declares frames of {fmt.block_bytes} bytes for {fmt.channels} channels of {fmt.bits} bits"
    raise _damaged(name, problem)


def _data_bytes(declared: int, available: int, frame_bytes: int, name: str) -> int:
    """Return how many bytes of samples there are, or raise if the file is cut off."""
    if declared == _SIZE_UNKNOWN:
        return available
    if declared > available:
        problem = (
            f"{name} is cut off: it declares {declared // frame_bytes} frames, {available // frame_bytes} are there"
        )
        raise SourceError("SOURCE_TRUNCATED", problem, "export or upload it again", file=name)
    return declared


def _time_reference(body: bytes, order: str) -> int | None:
    """Return the time reference of a broadcast extension; None where it is cut off or absurd."""
    if len(body) < _TIME_REFERENCE + 8:
        return None
    low, high = struct.unpack(order + "II", body[_TIME_REFERENCE : _TIME_REFERENCE + 8])
    start = high << 32 | low
    return start if start < _START_MAX else None


def read_layout(file: BinaryIO, offset: int, name: str) -> WavLayout:
    """Find the samples of a WAV file.

    Parameters
    ----------
    file : BinaryIO
        Open for reading, seekable.
    offset : int
        Where the RIFF header starts.
    name : str
        How errors call the file.

    Raises
    ------
    SourceError
        ``SOURCE_DAMAGED``, ``SOURCE_FORMAT_REFUSED`` or ``SOURCE_TRUNCATED``.
    """
    size = file.seek(0, 2)
    file.seek(offset)
    magic = file.read(12)[:4]
    order = ">" if magic == b"RIFX" else "<"
    fmt: _Format | None = None
    long_data: int | None = None
    start_frame: int | None = None
    for _ in range(RIFF_CHUNKS_MAX):
        header = file.read(8)
        if len(header) < 8:
            raise _damaged(name, "it has no samples: the file ends before its data chunk")
        kind, length = header[:4], struct.unpack(order + "I", header[4:])[0]
        start = file.tell()
        if kind == b"ds64" and magic in (b"RF64", b"BW64"):
            body = file.read(16)
            long_data = struct.unpack("<Q", body[8:16])[0] if len(body) == 16 else None
        elif kind == b"fmt ":
            if fmt is not None:
                raise _damaged(name, "it has two format chunks")
            if length > _FMT_MAX_BYTES:
                raise _damaged(name, f"its format chunk declares {length} bytes")
            fmt = _parse_fmt(file.read(length), order, name)
        elif kind == b"bext":
            start_frame = _time_reference(file.read(min(length, _TIME_REFERENCE + 8)), order)
        elif kind == b"data":
            if fmt is None:
                raise _damaged(name, "its samples come before any format chunk")
            if magic in (b"RF64", b"BW64"):
                if long_data is None:
                    raise _damaged(name, "it is RF64 without a ds64 chunk")
                length = long_data if length == _SIZE_UNKNOWN else length
            sample_bytes = _check_fmt(fmt, name)
            frame_bytes = sample_bytes * fmt.channels
            frames = _data_bytes(length, size - start, frame_bytes, name) // frame_bytes
            return WavLayout(fmt.sample_rate_hz, fmt.channels, fmt.valid_bits, fmt.tag == _FLOAT, sample_bytes,
                             order == ">", start, frames, start_frame)  # fmt: skip
        if file.seek(start + length + length % 2) >= size:
            raise _damaged(name, "it has no samples: the file ends before its data chunk")
    raise _damaged(name, f"it has more than {RIFF_CHUNKS_MAX} chunks before its samples")
