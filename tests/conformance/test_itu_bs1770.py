"""ITU-R BS.1770-5: the constants, the calibration, and agreement with an independent meter."""

import math

import numpy as np
import pyloudnorm
import pytest
from tapelog_dsp import Audio, LoudnessMeter
from tapelog_dsp.design.interpolators import ITU48_PHASES
from tapelog_dsp.design.response import magnitude_db
from tapelog_dsp.meters.weighting import k_weighting
from tapelog_dsp.testing import programme, tone

TABLE_48K = [
    [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
    [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621],
]


def integrated(samples: Audio, rate: int = 48_000) -> float:
    """Return the integrated loudness."""
    meter = LoudnessMeter(rate, len(samples))
    meter.add(samples)
    return meter.result().integrated_lufs


def test_k_weighting_at_48_khz():
    """The derived coefficients are the standard's tables 1 and 2."""
    assert np.abs(k_weighting(48_000) - np.array(TABLE_48K)).max() <= 1e-12


@pytest.mark.parametrize("rate", [44_100, 88_200, 96_000, 192_000])
def test_k_weighting_at_other_rates(rate: int):
    """At other rates the weighting is the same curve: within 0.05 dB from 100 Hz to 10 kHz, 0.006 at 44.1 kHz."""
    frequencies = np.geomspace(100.0, 10_000.0, 60)
    here = np.array(magnitude_db(k_weighting(rate), frequencies, rate))
    there = np.array(magnitude_db(k_weighting(48_000), frequencies, 48_000))
    assert np.abs(here - there).max() <= (0.006 if rate == 44_100 else 0.05)


def test_full_scale_tone_in_one_channel():
    """0 dBFS at 997 Hz in one channel reads -3.01 LKFS."""
    assert integrated(tone([(10, 0)], frequency_hz=997.0, channels=1)) == pytest.approx(-3.01, abs=0.005)


def test_digital_silence():
    """Silence reads minus infinity, not the gate."""
    assert integrated(np.zeros((2, 48_000))) == -math.inf


def test_less_than_a_block():
    """A clip shorter than one gating block of 400 ms has no loudness."""
    assert integrated(tone([(0.39, -10)])) == -math.inf


def test_a_partial_last_block_is_dropped():
    """A loud end shorter than the step of the gating blocks changes nothing."""
    samples = tone([(2, -20), (0.09, 0)])
    assert integrated(samples) == integrated(samples[:, : 2 * 48_000].copy())


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_pyloudnorm(rate: int, seed: int):
    """Programme reads as in pyloudnorm, but for that meter's known error of -0.04 dB."""
    samples = programme(8.0, sample_rate=rate, seed=seed)
    other = pyloudnorm.Meter(rate, filter_class="K-weighting").integrated_loudness(samples.T)
    assert integrated(samples, rate) == pytest.approx(other, abs=0.06)


def test_agrees_with_pyloudnorm_on_the_standards_filter():
    """With the standard's own filter parameters pyloudnorm reads the same to 0.005 LU."""
    samples = programme(8.0)
    other = pyloudnorm.Meter(48_000, filter_class="DeMan").integrated_loudness(samples.T)
    assert integrated(samples) == pytest.approx(other, abs=0.005)


def test_true_peak_table_is_intact():
    """The 48-tap table is symmetric and every phase nearly passes a constant: corrupt copies circulate."""
    phases = np.array(ITU48_PHASES)
    assert (phases[2] == phases[1][::-1]).all()
    assert (phases[3] == phases[0][::-1]).all()
    assert np.abs(phases.sum(axis=1) - 1.0).max() < 0.03
    assert (phases * 2.0**13 == np.round(phases * 2.0**13)).all()
