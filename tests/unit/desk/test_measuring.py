"""Waveform, faults, gain reduction: each against a plain second implementation, at several block sizes."""

from collections.abc import Iterator

import numpy as np
import pytest
from tapelog_desk.faults import FaultMeter
from tapelog_desk.reduction import GainReduction
from tapelog_desk.waveform import BUCKETS_MAX, Waveform

RATE_HZ = 48_000
BLOCKS = (1, 17, 240, 4_096, 10**9)


def _blocks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, samples.shape[1], size):
        yield samples[:, start : start + size]


def _clipped_by_hand(samples: np.ndarray, full_scale: float) -> int:
    count = 0
    for channel in samples:
        run = 0
        for value in [*np.abs(channel), 0.0]:
            if value >= full_scale:
                run += 1
            else:
                count += run if run >= 3 else 0
                run = 0
    return count


@pytest.mark.parametrize("size", BLOCKS)
def test_clipping_is_counted_in_runs_of_three(size: int):
    """Runs across block edges count once and whole; single peaks do not."""
    rng = np.random.default_rng(5)
    samples = rng.choice([0.0, 0.3, 32_767 / 32_768, -1.0], (2, 3_000), p=[0.2, 0.3, 0.3, 0.2])
    meter = FaultMeter(2, 16, is_float=False)
    for block in _blocks(samples, size):
        meter.add(block)
    assert meter.clipped_samples == _clipped_by_hand(samples, 32_767 / 32_768)


def test_loud_floats_are_not_clipped():
    """Above full scale a float is merely loud; a plateau at full scale is clipping."""
    meter = FaultMeter(1, 32, is_float=True)
    meter.add(np.full((1, 10), 1.5))
    assert meter.clipped_samples == 0
    meter.add(np.full((1, 10), 1.0))
    assert meter.clipped_samples == 10


def test_a_silent_channel_is_named():
    """-90 dBFS is the line."""
    meter = FaultMeter(3, 24, is_float=False)
    meter.add(np.array([[0.0, 0.0], [10 ** (-89 / 20), 0.0], [10 ** (-91 / 20), 0.0]]))
    assert meter.silent_channels() == [0, 2]


@pytest.mark.parametrize("size", BLOCKS[1:])
@pytest.mark.parametrize("frames", [100, 48_000, 240 * 2 * BUCKETS_MAX + 77])
def test_the_waveform_holds_every_extreme(size: int, frames: int):
    """Each bucket has the lowest and highest sample of its time, whatever the blocks; their number is bounded."""
    samples = np.random.default_rng(6).uniform(-1, 1, (2, frames))
    waveform = Waveform(RATE_HZ, 2)
    for block in _blocks(samples, size):
        waveform.add(block)
    low, high = waveform.result()
    step = waveform.bucket_frames
    assert low.shape == high.shape == (2, -(-frames // step))
    assert low.shape[1] <= 2 * BUCKETS_MAX + 1
    for index in range(low.shape[1]):
        part = samples[:, index * step : (index + 1) * step]
        assert np.array_equal(low[:, index], part.min(axis=1))
        assert np.array_equal(high[:, index], part.max(axis=1))


@pytest.mark.parametrize("size", [333, 4_800, 100_000])
def test_gain_reduction_is_read_off_the_loudest_sample(size: int):
    """A gain of 0.5 for the third 100 ms reads 6.02 dB there and 0 elsewhere, blocks shifted against each other."""
    samples = np.random.default_rng(8).uniform(-0.9, 0.9, (2, 24_100))
    limited = 2.0 * samples
    limited[:, 9_600:14_400] *= 0.5
    meter = GainReduction(RATE_HZ, 2, 2.0)
    for block in _blocks(samples, size):
        meter.before(block)
    for block in _blocks(limited, size + 11):
        meter.after(block)
    assert meter.result() == pytest.approx((0, 0, 20 * np.log10(2), 0, 0, 0), abs=1e-9)
