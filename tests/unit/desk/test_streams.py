"""Streams that a mix reads from: another rate, or muted, with nothing to be heard of it."""

import math

import numpy as np
import pytest
import soxr
from tapelog_desk.files.streams import Muted, Resampled
from tapelog_dsp import ArrayReader


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
    shared = min(made.shape[1], expected.shape[1])
    assert np.allclose(made[:, :shared], expected[:, :shared], rtol=0, atol=1e-12)


def test_a_muted_track_keeps_its_length():
    """Silence, as long as the recording."""
    muted = _drain(Muted(ArrayReader(np.ones((2, 5_000)))), 777)
    assert muted.shape == (1, 5_000)
    assert not muted.any()
