"""Audio files that lie, break off or ask for too much, made here byte by byte, each with what has to come of it."""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import soundfile

RATE_HZ: Final = 48_000
FRAMES: Final = 480
GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
W64_RIFF: Final = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_TAIL: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")
LONG: Final = 0xFFFF_FFF0


class Hostile(NamedTuple):
    """A file and its end: so many frames, a refusal whose reason begins so, or either where both are right."""

    name: str
    content: bytes
    frames: int | None = None
    reason: str | None = None

    def complaint(self, frames: int | None, reason: str) -> str:
        """Return what is wrong with how it ended, or nothing; `frames` is None for a refusal."""
        if frames is not None:
            return "" if frames == self.frames else f"{self.name}: {frames} frames were read, not {self.frames}"
        is_right = self.reason is not None and reason.startswith(self.reason)
        return "" if is_right else f"{self.name}: refused as {reason}, expected {self.reason or self.frames}"


def pcm(frames: int = FRAMES, channels: int = 1) -> bytes:
    """Return 16-bit samples of a ramp, interleaved."""
    values = (np.arange(frames * channels) * 37 % 20_000 - 10_000).astype("<i2")
    return values.tobytes()


def chunk(kind: bytes, body: bytes, *, declared: int | None = None, order: str = "<", pad: bool = True) -> bytes:
    """Return a RIFF chunk that may lie about its length."""
    size = len(body) if declared is None else declared
    return kind + struct.pack(order + "I", size) + body + (b"\0" if pad and len(body) % 2 else b"")


def fmt(channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, *, tag: int = 1, order: str = "<") -> bytes:
    """Return a format chunk."""
    block = min(channels * ((bits + 7) // 8), 0xFFFF)
    values = (tag, channels, rate_hz, min(rate_hz * block, 0xFFFF_FFFF), block, bits)
    return chunk(b"fmt ", struct.pack(order + "HHIIHH", *values), order=order)


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    """Return a file of chunks."""
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack(">I" if magic == b"RIFX" else "<I", len(body) if size is None else size) + body


def wav(*before: bytes, **data: int) -> bytes:
    """Return a WAV of `FRAMES` with chunks before its samples."""
    return riff(fmt(), *before, chunk(b"data", pcm(), **data))


def ds64(data_bytes: int, riff_bytes: int = 0) -> bytes:
    """Return the chunk of long lengths."""
    return chunk(b"ds64", struct.pack("<QQQI", riff_bytes, data_bytes, 0, 0))


def w64(data_bytes: int | None = None, riff_bytes: int | None = None) -> bytes:
    """Return a Sony Wave64 file."""
    head = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    body = b"wave" + W64_TAIL + b"fmt " + W64_TAIL + struct.pack("<Q", 24 + len(head)) + head
    size = 24 + len(pcm()) if data_bytes is None else data_bytes
    body += b"data" + W64_TAIL + struct.pack("<Q", size) + pcm()
    return W64_RIFF + struct.pack("<Q", len(body) + 24 if riff_bytes is None else riff_bytes) + body


def aiff(*, channels: int = 1, frames: int = FRAMES, bits: int = 16, rate: bytes | None = None, size: int = 0) -> bytes:
    """Return an AIFF whose common chunk says what it is told to."""
    extended = rate if rate is not None else struct.pack(">HQ", 16_383 + 15, RATE_HZ << 48)
    common = struct.pack(">HIH", channels, frames, bits) + extended
    sound = struct.pack(">II", 0, 0) + np.frombuffer(pcm(), "<i2").astype(">i2").tobytes()
    body = b"AIFF" + chunk(b"COMM", common, order=">") + chunk(b"SSND", sound, order=">", declared=size or None)
    return b"FORM" + struct.pack(">I", len(body)) + body


def coded(container: str, subtype: str, *, seconds: float = 0.1, channels: int = 1) -> bytes:
    """Return a good file of libsndfile's making."""
    file = io.BytesIO()
    samples = 0.3 * np.sin(np.arange(round(seconds * RATE_HZ)) / 9.0)
    soundfile.write(file, np.tile(samples[:, None], channels), RATE_HZ, format=container, subtype=subtype)
    return file.getvalue()


def patched(content: bytes, at: int, new: bytes) -> bytes:
    """Return content with some bytes replaced."""
    return content[:at] + new + content[at + len(new) :]


def id3(size: int, body: bytes = b"") -> bytes:
    """Return an ID3v2 tag that declares a size."""
    return b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + body


def generated() -> Iterator[Hostile]:
    """Yield every file of the set."""
    for make in (_heads, _lengths, _formats, _rates, _chunks, _disguises, _other_containers):
        yield from make()


def _heads() -> Iterator[Hostile]:
    yield Hostile("empty", b"", reason="SOURCE_EMPTY")
    yield Hostile("one byte", b"R", reason="SOURCE_NOT_AUDIO")
    yield Hostile("riff alone", b"RIFF", reason="SOURCE_")
    yield Hostile("twelve bytes", riff(), reason="SOURCE_DAMAGED")
    yield Hostile("format without samples", riff(fmt()), reason="SOURCE_DAMAGED")
    yield Hostile("samples without a format", riff(chunk(b"data", pcm())), reason="SOURCE_DAMAGED")
    yield Hostile("two formats", riff(fmt(), fmt(2), chunk(b"data", pcm())), reason="SOURCE_DAMAGED")
    yield Hostile("no frame", riff(fmt(), chunk(b"data", b"")), reason="SOURCE_EMPTY")
    yield Hostile("one frame", riff(fmt(), chunk(b"data", b"\1\2")), frames=1)
    yield Hostile("half a frame", riff(fmt(2), chunk(b"data", b"\1\2")), reason="SOURCE_EMPTY")
    yield Hostile("a frame and a half", riff(fmt(2), chunk(b"data", bytes(6))), frames=1)
    for length in (13, 20, 27, 36, 43):
        yield Hostile(f"cut off after {length} bytes", wav()[:length], reason="SOURCE_")


def _lengths() -> Iterator[Hostile]:
    for declared in (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE):
        yield Hostile(f"declares {declared:#x} bytes", wav(declared=declared), reason="SOURCE_TRUNCATED")
    yield Hostile("declares no length", wav(declared=0xFFFF_FFFF), frames=FRAMES)
    yield Hostile("declares none at all", wav(declared=0), reason="SOURCE_EMPTY")
    yield Hostile("riff of no length", riff(fmt(), chunk(b"data", pcm()), size=0), frames=FRAMES)
    yield Hostile("riff of any length", riff(fmt(), chunk(b"data", pcm()), size=0xFFFF_FFFF), frames=FRAMES)
    data = chunk(b"data", pcm(), declared=0xFFFF_FFFF)
    for magic in (b"RF64", b"BW64"):
        name = magic.decode()
        yield Hostile(f"{name} of 2^62", riff(ds64(2**62), fmt(), data, magic=magic), reason="SOURCE_TRUNCATED")
        yield Hostile(f"{name} of 2^64-1", riff(ds64(2**64 - 1), fmt(), data, magic=magic), reason="SOURCE_TRUNCATED")
        yield Hostile(f"{name} without ds64", riff(fmt(), data, magic=magic), reason="SOURCE_DAMAGED")
        good = riff(ds64(len(pcm())), fmt(), data, magic=magic)
        yield Hostile(f"{name} as it should be", good, frames=FRAMES)
        short = riff(chunk(b"ds64", b"\0" * 7), fmt(), data, magic=magic)
        yield Hostile(f"{name} with a short ds64", short, reason="SOURCE_")


def _formats() -> Iterator[Hostile]:
    def one(name: str, head: bytes, reason: str) -> Hostile:
        return Hostile(name, riff(head, chunk(b"data", pcm())), reason=reason)

    yield one("0 channels", fmt(0), "SOURCE_DAMAGED")
    yield one("65 channels", fmt(65), "SOURCE_CHANNELS_REFUSED")
    yield one("1,025 channels", fmt(1_025), "SOURCE_")
    yield one("65,535 channels", fmt(65_535), "SOURCE_")
    for bits in (0, 4, 64, 65_535):
        yield one(f"{bits} bits", fmt(bits=bits), "SOURCE_")
    for tag in (0, 2, 6, 7, 0x11, 0x55, 0xFFFF):
        yield one(f"codec {tag:#x}", fmt(tag=tag), "SOURCE_FORMAT_REFUSED")
    yield one("floats of 16 bits", fmt(tag=3), "SOURCE_FORMAT_REFUSED")
    yield one("format of 4 bytes", chunk(b"fmt ", bytes(4)), "SOURCE_DAMAGED")
    yield one("format of 4 GiB", chunk(b"fmt ", bytes(16), declared=LONG), "SOURCE_DAMAGED")
    blocks = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, RATE_HZ, 1, 3, 16))
    yield one("frames of 3 bytes for 2 channels", blocks, "SOURCE_DAMAGED")
    base = struct.pack("<HHIIHH", 0xFFFE, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    yield one("extensible cut off", chunk(b"fmt ", base + b"\x16\0"), "SOURCE_DAMAGED")
    strange = base + struct.pack("<HHIH", 22, 16, 4, 0x99) + b"\x42" * 14
    yield one("extensible of an unknown kind", chunk(b"fmt ", strange), "SOURCE_FORMAT_REFUSED")
    known = base + struct.pack("<HHIH", 22, 99, 4, 1) + GUID_TAIL
    yield Hostile("99 valid bits of 16", riff(chunk(b"fmt ", known), chunk(b"data", pcm())), frames=FRAMES)
    swapped = np.frombuffer(pcm(), "<i2").astype(">i2").tobytes()
    rifx = riff(fmt(order=">"), chunk(b"data", swapped, order=">"), magic=b"RIFX")
    yield Hostile("big-endian", rifx, frames=FRAMES)
    wide = riff(fmt(64, 384_000), chunk(b"data", pcm(FRAMES * 40, 64)))
    yield Hostile("64 channels at 384 kHz", wide, frames=FRAMES * 40)


def _rates() -> Iterator[Hostile]:
    for rate_hz in (0, 1, 7_999, 384_001, 1_000_000_000, 0x7FFF_FFFF, 0xFFFF_FFFF):
        content = riff(fmt(rate_hz=rate_hz), chunk(b"data", pcm()))
        yield Hostile(f"{rate_hz} Hz", content, reason="SOURCE_RATE_REFUSED")
    for rate_hz in (8_000, 384_000):
        yield Hostile(f"{rate_hz} Hz", riff(fmt(rate_hz=rate_hz), chunk(b"data", pcm())), frames=FRAMES)


def _chunks() -> Iterator[Hostile]:
    for kind in (b"bext", b"iXML", b"LIST", b"cue ", b"smpl", b"id3 ", b"axml"):
        name = kind.decode().strip()
        yield Hostile(f"{name} of 4 GiB", wav(chunk(kind, bytes(64), declared=LONG)), reason="SOURCE_DAMAGED")
        yield Hostile(f"{name} of 2 bytes", wav(chunk(kind, b"\xff\xff")), frames=FRAMES)
        yield Hostile(f"{name} of none", wav(chunk(kind, b"")), frames=FRAMES)
    yield Hostile("bext of a time beyond time", wav(chunk(b"bext", b"\xff" * 602)), frames=FRAMES)
    yield Hostile("9,000 chunks", wav(chunk(b"junk", b"") * 9_000), frames=FRAMES)
    yield Hostile("20,000 chunks", wav(chunk(b"junk", b"") * 20_000), reason="SOURCE_DAMAGED")
    yield Hostile("an odd chunk, padded", wav(chunk(b"junk", b"abc")), frames=FRAMES)
    yield Hostile("an odd chunk, not padded", wav(chunk(b"junk", b"abc", pad=False)), reason="SOURCE_")
    yield Hostile("megabytes behind the samples", wav() + chunk(b"junk", bytes(2**20)), frames=FRAMES)


def _disguises() -> Iterator[Hostile]:
    yield Hostile("a tag before it", id3(10, bytes(10)) + wav(), frames=FRAMES)
    yield Hostile("a tag of 256 MiB", id3(2**28 - 1) + wav(), reason="SOURCE_TOO_LARGE")
    yield Hostile("a tag past the end", id3(2**20) + wav(), reason="SOURCE_")
    yield Hostile("an archive", b"PK\x03\x04" + bytes(600), reason="SOURCE_FORMAT_REFUSED")
    yield Hostile("a picture", b"\x89PNG\r\n\x1a\n" + bytes(600), reason="SOURCE_FORMAT_REFUSED")
    yield Hostile("a video", b"\0\0\0\x18ftypmp42" + bytes(600), reason="SOURCE_FORMAT_REFUSED")
    yield Hostile("words", b"<?xml version='1.0'?>" * 40, reason="SOURCE_NOT_AUDIO")
    yield Hostile("zeros", bytes(4_096), reason="SOURCE_NOT_AUDIO")
    yield Hostile("MP3 in WAV", riff(fmt(tag=0x55), chunk(b"data", coded("MP3", "MPEG_LAYER_III"))), reason="SOURCE_")


def _other_containers() -> Iterator[Hostile]:
    yield Hostile("W64 as it should be", w64(), frames=FRAMES)
    for declared in (0, 23, 2**62, 2**64 - 1):
        yield Hostile(f"W64 of {declared}", w64(declared), frames=FRAMES, reason="SOURCE_")
    yield Hostile("AIFF as it should be", aiff(), frames=FRAMES)
    yield Hostile("AIFF of 2^32-1 frames", aiff(frames=0xFFFF_FFFF), frames=FRAMES, reason="SOURCE_")
    yield Hostile("AIFF of 0 channels", aiff(channels=0), reason="SOURCE_")
    yield Hostile("AIFF of 65,535 channels", aiff(channels=65_535), reason="SOURCE_")
    yield Hostile("AIFF of 0 bits", aiff(bits=0), reason="SOURCE_")
    yield Hostile("AIFF whose rate is no number", aiff(rate=b"\x7f\xff" + b"\xff" * 8), reason="SOURCE_")
    yield Hostile("AIFF of 4 GiB", aiff(size=LONG), frames=FRAMES, reason="SOURCE_")
    flac = coded("FLAC", "PCM_16")
    yield Hostile("FLAC whose metadata is 16 MiB", patched(flac, 5, b"\xff\xff\xff"), reason="SOURCE_")
    yield Hostile("FLAC of 0 channel bits", patched(flac, 20, b"\0\0"), reason="SOURCE_", frames=4_800)
    yield Hostile("FLAC of 1 Hz", patched(flac, 18, b"\0\0\x10"), reason="SOURCE_")
    for kind, subtype in (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_24")):
        content = coded(kind, subtype)
        for share in (0.02, 0.3, 0.9):
            cut = content[: int(share * len(content))]
            yield _either(f"{subtype} cut off at {share:.0%}", cut)
        yield _either(f"{subtype} with a hole", patched(content, len(content) // 2, bytes(64)))
        yield _either(f"{subtype} of noise", content[:60] + np.random.default_rng(7).bytes(len(content)))


def _either(name: str, content: bytes) -> Hostile:
    """Return a damaged file of a lossy or checked codec: what is intact of it, or a refusal, are both right."""
    return _Either(name, content)


class _Either(Hostile):
    """A file of which nobody can say how much is left."""

    __slots__ = ()

    def complaint(self, frames: int | None, reason: str) -> str:
        """Return what is wrong with how it ended, or nothing."""
        is_right = reason.startswith("SOURCE_") if frames is None else frames > 0
        return "" if is_right else f"{self.name}: {frames} frames, {reason}"


SEEDS: Final[tuple[tuple[str, Callable[[], bytes]], ...]] = (
    ("wav 16", lambda: wav(chunk(b"bext", bytes(602)), chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"))),
    ("wav 24", lambda: coded("WAV", "PCM_24", channels=2)),
    ("wav float", lambda: coded("WAVEX", "FLOAT")),
    ("wav 8", lambda: coded("WAV", "PCM_U8")),
    ("rf64", lambda: coded("RF64", "PCM_32")),
    ("w64", w64),
    ("aiff 16", aiff),
    ("aiff 24", lambda: coded("AIFF", "PCM_24", channels=2)),
    ("flac 16", lambda: coded("FLAC", "PCM_16", channels=2)),
    ("flac 24", lambda: coded("FLAC", "PCM_24")),
    ("vorbis", lambda: coded("OGG", "VORBIS", channels=2)),
    ("opus", lambda: coded("OGG", "OPUS")),
    ("mp3", lambda: coded("MP3", "MPEG_LAYER_III", channels=2)),
    ("big-endian", lambda: coded("AIFF", "FLOAT")),
)
"""Good files, to cut off and to damage."""
