"""Streams that a mix reads from: another rate, or muted, with nothing to be heard of it."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from tapelog_desk.files.readers import open_audio
from tapelog_desk.files.streams import Muted, Resampled, shared
from tapelog_dsp import ArrayReader, unpack_pcm


def _drain(reader: object, block: int) -> np.ndarray:
    parts = []
    while (part := reader.read(block)).shape[1]:  # type: ignore[attr-defined]
        parts.append(part)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("rates", [(44_100, 48_000), (96_000, 48_000), (48_000, 44_100)])
@pytest.mark.parametrize("block", [1_000, 50_000])
def test_resampling_is_soxr_at_its_best(rates: tuple[int, int], block: int):
    """Streamed conversion equals soxr in one piece, and has the length to the frame."""
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, (2, 70_000))
    stream = Resampled(ArrayReader(samples), channels=2, input_rate_hz=rates[0], output_rate_hz=rates[1])
    made = _drain(stream, block)
    expected = soxr.resample(samples.T, *rates, quality="VHQ").T
    assert made.shape[1] == math.floor(70_000 * rates[1] / rates[0] + 0.5)
    common = min(made.shape[1], expected.shape[1])
    assert np.allclose(made[:, :common], expected[:, :common], rtol=0, atol=1e-12)


def test_a_muted_track_keeps_its_length():
    """Silence, as long as the recording."""
    muted = _drain(Muted(ArrayReader(np.ones((2, 5_000)))), 777)
    assert muted.shape == (1, 5_000)
    assert not muted.any()


@pytest.mark.parametrize(("subtype", "form"), [("PCM_24", "wav"), ("PCM_16", "flac"), ("FLOAT", "wav")])
def test_two_tracks_share_one_recording(tmp_path: Path, subtype: str, form: str):
    """Both get what the file holds, block by block, whoever comes first, as it stands in the file or in floats."""
    samples = np.random.default_rng(5).uniform(-0.5, 0.5, (3_000, 2))
    path = tmp_path / f"x.{form}"
    soundfile.write(path, samples, 48_000, subtype=subtype)
    whole = soundfile.read(path)[0].T
    with open_audio(path, name="x") as reader:
        one, other = shared(reader)
        for number, start in enumerate(range(0, 4_200, 700)):
            first, second = (one, other) if number % 2 else (other, one)
            packed = np.zeros(2 * 700 * max(one.packed_bytes, 1), dtype=np.uint8)
            floats, again = np.zeros((2, 700)), np.zeros((2, 700))
            if one.packed_bytes:
                got = [first.read_packed(packed), second.read_into(floats)]
                unpack_pcm(packed.data, one.packed_bytes, again)
            else:
                got = [first.read_into(again), second.read_into(floats)]
            count = min(max(3_000 - start, 0), 700)
            assert got == [count, count]
            for block in (floats, again):
                assert np.array_equal(block[:, :count], whole[:, start : start + count])
