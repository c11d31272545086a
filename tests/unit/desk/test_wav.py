"""Own WAV reading and writing, against Python's wave module and libsndfile."""

import hashlib
import os
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.errors import SourceError
from tapelog_desk.files.pcm import SampleDigest, pack_integers
from tapelog_desk.files.readers import open_audio
from tapelog_desk.files.wav import read_layout
from tapelog_desk.files.writers import WavWriter, open_writer

RATE_HZ = 48_000


def _noise(channels: int = 2, frames: int = 1_001) -> np.ndarray:
    return np.random.default_rng(440).uniform(-1.0, 1.0, (channels, frames))


def _read(path: Path, block: int = 128) -> np.ndarray:
    with open_audio(path) as reader:
        parts = []
        while (part := reader.read(block)).shape[1]:
            parts.append(part)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_reading_agrees_with_libsndfile(tmp_path: Path, container: str, subtype: str, channels: int):
    """Every word length, written by libsndfile, reads back to the very values that libsndfile reads."""
    path = tmp_path / "x.wav"
    soundfile.write(path, _noise(channels).T, RATE_HZ, subtype, format=container)
    expected = soundfile.read(path, always_2d=True)[0].T
    assert np.array_equal(_read(path), expected)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_big_endian_files_read_the_same(tmp_path: Path, subtype: str):
    """RIFX holds the same samples the other way round."""
    path = tmp_path / "x.wav"
    soundfile.write(path, _noise().T, RATE_HZ, subtype, endian="BIG", format="WAV")
    assert path.read_bytes()[:4] == b"RIFX"
    assert np.array_equal(_read(path), soundfile.read(path, always_2d=True)[0].T)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_what_was_expected_is_digested_while_it_is_written(tmp_path: Path, bits: int):
    """A file has the bytes and the digest that it has anyhow; where other frames came, only reading tells it."""
    made = {}
    for expected in (None, 21, 20):
        path = tmp_path / f"{expected}.wav"
        writer = WavWriter(path, sample_rate_hz=RATE_HZ, channels=1, bit_depth=bits)
        if expected is not None:
            writer.expect(expected)
        writer.write(bytes(range(7 * bits // 8)), None)
        writer.write(bytes(range(14 * bits // 8)), None)
        writer.close()
        made[expected] = path.read_bytes(), writer.sha256
    assert made[None][0] == made[21][0] == made[20][0]
    assert made[21][1] == hashlib.sha256(made[21][0]).hexdigest()
    assert made[None][1] == made[20][1] == ""


@pytest.mark.parametrize("bits", [16, 24])
def test_integers_are_written_as_they_are(tmp_path: Path, bits: int):
    """Python's wave module finds the integers that went in, extremes included."""
    edge = 1 << (bits - 1)
    integers = np.array([[-edge, edge - 1, 0, 1, -1], [1, 2, 3, -4, 5]], dtype=np.int32)
    packed = pack_integers(integers, bits // 8)
    path = tmp_path / "x.wav"
    writer = WavWriter(path, sample_rate_hz=RATE_HZ, channels=2, bit_depth=bits)
    writer.write(packed, integers)
    writer.close()
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, bits // 8, RATE_HZ)
        assert file.readframes(file.getnframes()) == packed
    assert np.array_equal(_read(path) * edge, integers)


@pytest.mark.parametrize(("container", "bits"), [(1, 16), (1, 24), (1, 32), (2, 16), (2, 24)])
def test_the_digest_is_that_of_the_samples_whatever_the_container(tmp_path: Path, container: int, bits: int):
    """A file's sample digest is SHA-256 over its little-endian PCM, here packed by a second implementation."""
    integers = np.random.default_rng(7).integers(-(1 << (min(bits, 24) - 1)), 1 << (min(bits, 24) - 1), (2, 777))
    integers = integers.astype(np.int32)
    floats = (integers / (1 << 23)).astype(np.float32)
    packed = floats.T.tobytes() if bits == 32 else pack_integers(integers, bits // 8)
    path = tmp_path / "x"
    writer = open_writer(path, container, sample_rate_hz=RATE_HZ, channels=2, bit_depth=bits)
    writer.write(packed, integers)
    writer.close()
    byhand = b"".join(
        struct.pack("<f", floats[channel, frame])
        if bits == 32
        else int(integers[channel, frame]).to_bytes(bits // 8, "little", signed=True)
        for frame in range(777)
        for channel in range(2)
    )
    digest = SampleDigest(bits, is_float=bits == 32)
    digest.add(_read(path))
    assert digest.hexdigest() == hashlib.sha256(byhand).hexdigest() == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("container", [pb.CONTAINER_WAV, pb.CONTAINER_FLAC])
def test_the_same_samples_give_the_same_bytes(tmp_path: Path, container: int):
    """No time stamp, no random number: two writings are one file, whatever the block size."""
    integers = np.random.default_rng(9).integers(-30_000, 30_000, (2, 9_000)).astype(np.int32)
    made = []
    for index, block in enumerate((9_000, 1_000, 77)):
        writer = open_writer(tmp_path / str(index), container, sample_rate_hz=RATE_HZ, channels=2, bit_depth=16)
        for start in range(0, 9_000, block):
            part = integers[:, start : start + block]
            writer.write(pack_integers(part, 2), part)
        writer.close()
        made.append((tmp_path / str(index)).read_bytes())
    assert made[0] == made[1] == made[2]


def test_an_odd_number_of_bytes_is_padded(tmp_path: Path):
    """A chunk of odd length ends with a zero that is not counted."""
    path = tmp_path / "x.wav"
    writer = WavWriter(path, sample_rate_hz=RATE_HZ, channels=1, bit_depth=24)
    writer.write(b"\x01\x02\x03", None)
    writer.close()
    raw = path.read_bytes()
    assert len(raw) % 2 == 0
    assert struct.unpack("<I", raw[4:8])[0] == len(raw) - 8
    assert _read(path).shape == (1, 1)


def test_files_above_4_gib_become_rf64(tmp_path: Path):
    """Sizes move into the ds64 chunk; libsndfile and our own reader find all frames (the file is sparse)."""
    path = tmp_path / "long.wav"
    writer = WavWriter(path, sample_rate_hz=RATE_HZ, channels=2, bit_depth=24)
    head_bytes = path.stat().st_size or 80
    frames = (1 << 32) // 6 + 12_345
    writer._data_bytes = frames * 6
    writer.close()
    with path.open("rb") as file:
        header = file.read(80)
    assert header[:4] == b"RF64"
    assert header[12:16] == b"ds64"
    offset = header.index(b"data") + 8
    assert head_bytes in (0, offset, 80)
    os.truncate(path, offset + frames * 6)
    with path.open("rb") as file:
        assert read_layout(file, 0, "x").length_frames == frames
    assert soundfile.info(path).frames == frames


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (lambda raw: raw[:-100], "SOURCE_TRUNCATED"),
    "header only": (lambda raw: raw[:40], "SOURCE_DAMAGED"),
    "codec": (lambda raw: raw[:20] + b"\x55\x00" + raw[22:], "SOURCE_FORMAT_REFUSED"),
    "no channels": (lambda raw: raw[:22] + b"\x00\x00" + raw[24:], "SOURCE_DAMAGED"),
    "100 channels": (lambda raw: raw[:22] + b"\x64\0" + raw[24:32] + b"\xc8\0" + raw[34:], "SOURCE_CHANNELS_REFUSED"),
    "frames of 3 bytes": (lambda raw: raw[:32] + b"\x03\x00" + raw[34:], "SOURCE_DAMAGED"),
    "1 Hz": (lambda raw: raw[:24] + b"\x01\0\0\0" + raw[28:], "SOURCE_RATE_REFUSED"),
    "64 bits": (lambda raw: raw[:34] + b"\x40\x00" + raw[36:], "SOURCE_FORMAT_REFUSED"),
    "no format": (lambda raw: raw[:12] + b"JUNK" + raw[16:], "SOURCE_DAMAGED"),
    "two formats": (lambda raw: raw[:36] + raw[12:36] + raw[36:], "SOURCE_DAMAGED"),
    "RF64 without ds64": (lambda raw: b"RF64" + raw[4:], "SOURCE_DAMAGED"),
    "no samples": (lambda raw: raw[:40] + b"\0\0\0\0", "SOURCE_EMPTY"),
    "chunk flood": (lambda raw: raw[:36] + b"JUNK\0\0\0\0" * 10_001 + raw[36:], "SOURCE_DAMAGED"),
}


@pytest.mark.parametrize("lie", list(BROKEN))
def test_broken_headers_are_typed_errors(tmp_path: Path, lie: str):
    """Each lie of a header ends in its own reason, never in a crash or a wrong sound."""
    change, reason = BROKEN[lie]
    with wave.open(str(tmp_path / "good.wav"), "wb") as file:
        file.setparams((2, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(4_000))
    path = tmp_path / "bad.wav"
    path.write_bytes(change((tmp_path / "good.wav").read_bytes()))
    with pytest.raises(SourceError) as caught:
        _read(path)
    assert caught.value.reason == reason
    assert caught.value.remedy


def test_a_streamed_file_of_unknown_size_reads_to_its_end(tmp_path: Path):
    """A recorder that writes into a pipe declares 0xFFFFFFFF; what is there is the recording."""
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(2_000))
    raw = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "x.wav").write_bytes(raw[:40] + b"\xff\xff\xff\xff" + raw[44:] + b"\x01")
    assert _read(tmp_path / "x.wav").shape == (1, 1_000)
