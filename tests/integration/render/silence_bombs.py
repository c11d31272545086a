"""Small files that decode to very much silence."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soundfile

BLOCK_FRAMES: Final = 65_535
CHANNELS: Final = 8
RATE_HZ: Final = 48_000


class Bomb(NamedTuple):
    """A file, and the samples that it would decode to."""

    name: str
    content: bytes
    samples: int


def flac_of_silence(frames: int, *, declared_frames: int | None = None) -> bytes:
    """Return a FLAC of 8 channels in which every block is one constant a channel (RFC 9639): 58,000 to 1.

    Parameters
    ----------
    declared_frames : int, optional
        What its header says, by default the truth; 0 is an unknown length.
    """
    total = frames if declared_frames is None else declared_frames
    packed = RATE_HZ << 44 | (CHANNELS - 1) << 41 | 15 << 36 | total
    info = struct.pack(">HH", BLOCK_FRAMES, BLOCK_FRAMES) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    blocks = (_block(number) for number in range(-(-frames // BLOCK_FRAMES)))
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + b"".join(blocks)


def _block(number: int) -> bytes:
    head = b"\xff\xf8\x70" + bytes([(CHANNELS - 1) << 4]) + chr(number).encode("utf-8", "surrogatepass")
    head += struct.pack(">H", BLOCK_FRAMES - 1)
    body = head + bytes([_remainder(head, 0x07, 8)]) + b"\0\0\0" * CHANNELS
    return body + struct.pack(">H", _remainder(body, 0x8005, 16))


def _remainder(content: bytes, polynomial: int, bits: int) -> int:
    """Return a cyclic redundancy check, highest bit first, from zero."""
    register, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in content:
        register ^= byte << (bits - 8)
        for _ in range(8):
            register = ((register << 1) ^ polynomial if register & top else register << 1) & mask
    return register


def _coded(container: str, subtype: str, seconds: int, channels: int, rate_hz: int) -> bytes:
    file = io.BytesIO()
    block = np.zeros((rate_hz, channels), dtype=np.float32)
    with soundfile.SoundFile(file, "w", rate_hz, channels, format=container, subtype=subtype) as out:
        for _ in range(seconds):
            out.write(block)
    return file.getvalue()


def bombs(cap_samples: int) -> Iterator[Bomb]:
    """Yield bombs: FLACs around a cap whose headers tell the truth, nothing or a lie, and lossy ones of minutes."""
    beyond = cap_samples // CHANNELS + 10 * BLOCK_FRAMES
    blocks = -(-beyond // BLOCK_FRAMES) * BLOCK_FRAMES
    yield Bomb("FLAC of its true length", flac_of_silence(blocks), blocks * CHANNELS)
    yield Bomb("FLAC of unknown length", flac_of_silence(blocks, declared_frames=0), blocks * CHANNELS)
    yield Bomb("FLAC of 2^36-1 frames", flac_of_silence(BLOCK_FRAMES, declared_frames=2**36 - 1), BLOCK_FRAMES * 8)
    for subtype, channels, rate_hz in (("VORBIS", 8, 48_000), ("OPUS", 2, 48_000)):
        content = _coded("OGG", subtype, 300, channels, rate_hz)
        yield Bomb(f"{subtype} of 5 minutes", content, 300 * channels * rate_hz)
    yield Bomb("MP3 of 5 minutes", _coded("MP3", "MPEG_LAYER_III", 300, 2, 48_000), 300 * 2 * 48_000)


def write(bomb: Bomb, folder: Path) -> Path:
    """Write a bomb to a file."""
    path = folder / bomb.name.replace(" ", "-")
    path.write_bytes(bomb.content)
    return path
