"""A file measured in parts reads as one measured whole, faults included."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_desk import DeskError, analyze_file, measure_file
from tapelog_desk.analysis import Analyzer
from tapelog_desk.files.pcm import SampleDigest
from tapelog_desk.files.readers import open_audio
from tapelog_dsp.testing import programme

RATE_HZ = 8_000
SECONDS = 90


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 90 s whose loudness moves, with a clipped run over each place where parts could meet."""
    samples = np.tile(programme(10.0, sample_rate=RATE_HZ), (1, SECONDS // 10)) * np.linspace(
        0.2, 0.9, SECONDS * RATE_HZ
    )
    for second in (30, 45, 60):
        samples[0, second * RATE_HZ - 5 : second * RATE_HZ + 2] = 1.0
        samples[1, second * RATE_HZ : second * RATE_HZ + 2] = 1.0
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, np.clip(samples.T, -1.0, 1.0 - 2.0**-23), RATE_HZ, subtype="PCM_24")
    return path


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_parts_read_as_the_whole(song: Path, threads: int):
    """Peaks, clipped samples and length are equal, loudness to 1e-9 LU, for every number of threads."""
    whole, parts = analyze_file(song), measure_file(song, threads=threads)
    exact = ("length_frames", "clipped_samples", "silent_channels", "sample_peak_dbfs", "true_peak_dbtp")
    for field in exact:
        assert getattr(parts.measurements, field) == getattr(whole.measurements, field)
    assert whole.measurements.clipped_samples == 21
    for field in ("integrated_lufs", "loudness_range_lu", "max_momentary_lufs", "max_short_term_lufs"):
        assert getattr(parts.measurements, field) == pytest.approx(getattr(whole.measurements, field), abs=1e-9)
    assert parts.momentary.values == pytest.approx(whole.momentary.values, abs=1e-9)
    assert parts.audio.format == whole.audio.format


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_coded_and_short_files_are_read_in_one(container: str, tmp_path: Path):
    """A FLAC, and a file shorter than two parts, give what analysis gives."""
    path = tmp_path / f"short.{container}"
    soundfile.write(path, programme(21.0, sample_rate=RATE_HZ).T, RATE_HZ, subtype="PCM_24")
    shares: list[float] = []
    measured = measure_file(path, progress=shares.append).measurements
    assert measured.integrated_lufs == analyze_file(path).measurements.integrated_lufs
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("rate_hz", "subtype", "channels"), [(44_100, "PCM_16", 1), (11_025, "PCM_24", 2), (48_000, "PCM_32", 6)]
)
def test_packed_samples_read_as_decoded_ones(rate_hz: int, subtype: str, channels: int, tmp_path: Path):
    """One pass over the bytes of a file gives every bit that the meters give one by one, at any block size."""
    path = tmp_path / "packed.wav"
    samples = np.tile(programme(3.017, sample_rate=rate_hz), (3, 1))[:channels]
    soundfile.write(path, np.clip(2.5 * samples, -1.0, 1.0).T, rate_hz, subtype=subtype)
    with open_audio(path) as reader:
        decoded, packed = (Analyzer(reader.format, waveform=False) for _ in range(2))
        samples = reader.read(4 * rate_hz)
    decoded.add(samples)
    with open_audio(path) as reader:
        frame_bytes = reader.packed_bytes * channels
        for frames in (rate_hz // 100 - 3, 3, rate_hz // 2, 0, 7, rate_hz * 4):
            memory = np.empty(frames * frame_bytes, dtype=np.uint8)
            packed.add_packed(memory[: reader.read_packed(memory) * frame_bytes], reader.packed_bytes)
    want, got = decoded.result(), packed.result()
    assert got.measurements == want.measurements
    assert got.momentary == want.momentary
    assert want.measurements.clipped_samples > 10


def test_samples_that_are_no_numbers_are_counted_once(tmp_path: Path):
    """NaN in the second that a part warms up with is counted by the part that it belongs to only."""
    samples = programme(40.0, sample_rate=RATE_HZ).astype(np.float32)
    samples[0, 20 * RATE_HZ - 100] = math.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples.T, RATE_HZ, subtype="FLOAT")
    assert measure_file(path, threads=2).measurements.non_finite_samples == 1


def test_a_file_that_is_cut_off_is_refused(song: Path, tmp_path: Path):
    """Parts do not hide that a file is shorter than it says."""
    path = tmp_path / "cut.wav"
    path.write_bytes(song.read_bytes()[:-1000])
    with pytest.raises(DeskError, match="cut off"):
        measure_file(path, threads=2)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_the_digest_of_samples_in_the_file_is_that_of_decoded_ones(subtype: str, tmp_path: Path):
    """Hashing the bytes where they lie gives the digest of what a decoder returns, whatever stands behind them."""
    path = tmp_path / "a.wav"
    soundfile.write(path, programme(1.0, sample_rate=RATE_HZ).T, RATE_HZ, subtype=subtype)
    path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0abcd")
    with open_audio(path) as reader:
        digest = SampleDigest(reader.format.bit_depth, is_float=reader.format.is_float)
        while (block := reader.read(1_000)).shape[1]:
            digest.add(block)
        assert (reader.plain_bytes() is not None) == (subtype in {"PCM_16", "PCM_24", "PCM_32"})
    assert analyze_file(path).audio.sample_digest == digest.hexdigest()
