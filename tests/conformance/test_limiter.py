"""The true-peak limiter's invariants, judged by three interpolators and by a 16-fold soxr resampling."""

import functools

import numpy as np
import pytest
import soxr
from tapelog_dsp import TruePeakLimiter, TruePeakMeter, limit_blocks
from tapelog_dsp.testing import TORTURE, programme

RATE = 48_000
OVER_DB = 0.05


@functools.cache
def limited(name: str, ceiling_dbtp: float, lookahead_ms: float, release_ms: float):
    """Return a torture signal behind the limiter, latency removed."""
    samples = TORTURE[name]()
    limiter = TruePeakLimiter(ceiling_dbtp, lookahead_ms, 8.0, release_ms)
    return np.concatenate(list(limit_blocks([samples], sample_rate=RATE, limiter=limiter)), axis=1)


@pytest.mark.parametrize(("lookahead_ms", "release_ms"), [(3.0, 50.0), (1.0, 5.0)])
@pytest.mark.parametrize("ceiling_dbtp", [-1.0, -0.1])
@pytest.mark.parametrize("name", TORTURE)
def test_ceiling_holds_on_every_meter(name: str, ceiling_dbtp: float, lookahead_ms: float, release_ms: float):
    """No meter reads more than 0.05 dB over the ceiling."""
    samples = limited(name, ceiling_dbtp, lookahead_ms, release_ms)
    meter = TruePeakMeter(RATE, 2)
    meter.add(samples)
    finer = soxr.resample(np.pad(samples, ((0, 0), (2_000, 2_000))).T, RATE, 16 * RATE, "VHQ")
    assert meter.result().max_dbtp <= ceiling_dbtp + OVER_DB
    assert 20.0 * np.log10(np.abs(finer).max()) <= ceiling_dbtp + OVER_DB


@pytest.mark.parametrize("name", TORTURE)
def test_ceiling_is_used(name: str):
    """The limiter takes no more than it must: the loudest meter reads within 0.05 dB of the ceiling."""
    meter = TruePeakMeter(RATE, 2)
    meter.add(limited(name, -1.0, 3.0, 50.0))
    assert meter.result().max_dbtp >= -1.0 - OVER_DB


@pytest.mark.parametrize("rate", [44_100, 96_000, 192_000])
def test_other_rates(rate: int):
    """The ceiling holds at other sample rates."""
    running = TruePeakLimiter(-1.0).prepare(rate, 2)
    meter = TruePeakMeter(rate, 2)
    meter.add(running.process(2.5 * programme(1.5, sample_rate=rate), 0))
    assert meter.result().max_dbtp <= -1.0 + OVER_DB


def test_below_the_ceiling_nothing_changes():
    """A programme whose true peak is under the ceiling comes out as it went in, later by the latency, bit for bit."""
    samples = programme(2.0) * 0.8
    running = TruePeakLimiter(-1.0).prepare(RATE, 2)
    result = running.process(samples, 0)
    late = running.latency_frames
    assert (result[:, late:] == samples[:, :-late]).all()
    assert (result[:, :late] == 0.0).all()
    assert set(running.telemetry().values()) == {0.0}


def test_telemetry() -> None:
    """A steady tone 6 dB over is reported with 6 dB of reduction, most of the time and on the mean."""
    wave = 2.0 * np.tile(np.sin(2.0 * np.pi * 1_000.0 / RATE * np.arange(4 * RATE)), (2, 1))
    running = TruePeakLimiter(0.0).prepare(RATE, 2)
    running.process(wave, 0)
    figures = running.telemetry()
    assert figures["gain_reduction_max_db"] == pytest.approx(6.02, abs=0.05)
    assert figures["gain_reduction_mean_db"] == pytest.approx(6.02, abs=0.05)
    assert figures["limited_share"] > 0.99


def test_gain_returns_to_exactly_one():
    """Some time after a peak the output equals the input again, bit for bit."""
    samples = 0.1 * programme(3.0)
    samples[:, 10_000] = 2.0
    running = TruePeakLimiter(-1.0).prepare(RATE, 2)
    result = running.process(samples, 0)
    late = running.latency_frames
    assert (result[:, late + 100_000 :] == samples[:, 100_000:-late]).all()
    assert (result[:, late : late + 9_000] == samples[:, :9_000]).all()


def test_channels_share_the_gain():
    """A peak on the left turns the right down by the same factor."""
    samples = np.full((2, RATE // 2), 0.25)
    samples[0, RATE // 4 : RATE // 4 + 50] = 1.5
    running = TruePeakLimiter(-1.0).prepare(RATE, 2)
    result = running.process(samples, 0)
    late = running.latency_frames
    gains = result[:, late:] / samples[:, :-late]
    assert np.abs(gains[0] - gains[1]).max() <= 1e-15
    assert gains[1].min() < 0.7


def test_an_impulse_keeps_its_place():
    """The largest sample is where it was, after the latency."""
    samples = np.zeros((2, 4_000))
    samples[:, 1_234] = 1.9
    running = TruePeakLimiter(-1.0).prepare(RATE, 2)
    result = running.process(samples, 0)
    assert int(np.abs(result[0]).argmax()) == 1_234 + running.latency_frames


def test_bass_is_not_distorted():
    """50 Hz limited by 1 dB keeps its harmonics below -60 dB."""
    index = np.arange(2 * RATE)
    samples = np.tile(np.sin(2.0 * np.pi * 50.0 / RATE * index), (2, 1))
    result = TruePeakLimiter(-1.0).prepare(RATE, 2).process(samples, 0)[0, RATE:]
    spectrum = np.abs(np.fft.rfft(result * np.hanning(RATE)))
    harmonics = [spectrum[50 * k - 2 : 50 * k + 3].max() for k in range(2, 40)]
    assert 20.0 * np.log10(np.sqrt(np.square(harmonics).sum()) / spectrum[48:53].max()) < -60.0


def test_silence_stays_silent():
    """Silence in, silence out."""
    assert not TruePeakLimiter(-1.0).prepare(RATE, 2).process(np.zeros((2, 5_000)), 0).any()
