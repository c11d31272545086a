"""The true-peak meter against steady tones and against a 16-fold soxr resampling."""

import numpy as np
import pytest
import soxr
from tapelog_dsp import Audio, TruePeakMeter
from tapelog_dsp.testing import TORTURE, programme


def reading(samples: Audio, rate: int = 48_000):
    """Return the meter's reading."""
    meter = TruePeakMeter(rate, len(samples))
    meter.add(samples)
    return meter.result()


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("frequency_hz", [997, 5_000, 12_000, 16_000, 19_000, 20_000])
def test_steady_tones(rate: int, frequency_hz: float):
    """The long interpolation reads a tone within 0.05 dB up to 20 kHz, at any phase."""
    index = np.arange(rate // 2)
    fade = np.minimum(1.0, np.minimum(index, index[::-1]) / (0.1 * rate))
    for phase in np.linspace(0.0, np.pi, 5):
        samples = 0.5 * fade * np.sin(2.0 * np.pi * frequency_hz / rate * index + phase)
        assert reading(samples[None], rate).long_dbtp == pytest.approx(-6.0206, abs=0.05)


def soxr_peak_db(samples: Audio, rate: int = 48_000) -> float:
    """Return the largest of a 16-fold resampling and the samples themselves."""
    padded = np.pad(samples, ((0, 0), (2_000, 2_000)))
    finer = soxr.resample(padded.T, rate, 16 * rate, "VHQ")
    return 20.0 * float(np.log10(max(np.abs(finer).max(), np.abs(samples).max())))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_agrees_with_soxr_on_programme(seed: int, rate: int):
    """On programme the long interpolation reads what a 16-fold soxr resampling does, within 0.05 dB."""
    samples = programme(3.0, sample_rate=rate, seed=seed)
    assert reading(samples, rate).long_dbtp == pytest.approx(soxr_peak_db(samples, rate), abs=0.05)


@pytest.mark.parametrize("name", TORTURE)
def test_reports_the_largest_of_all(name: str):
    """The reading that counts is never below any interpolator, the samples, or soxr by more than 0.05 dB."""
    samples = TORTURE[name]()
    peak = reading(samples)
    parts = (peak.itu48_dbtp, peak.hann49_dbtp, peak.long_dbtp)
    assert peak.max_dbtp == max(parts)
    assert min(parts) >= peak.sample_peak_dbfs
    assert peak.max_dbtp >= soxr_peak_db(samples) - 0.05


def test_from_192_khz_on_the_standard_filters_read_samples():
    """Annex 2 asks for no interpolation at 192 kHz."""
    samples = programme(0.5, sample_rate=192_000)
    peak = reading(samples, 192_000)
    assert peak.itu48_dbtp == peak.hann49_dbtp == peak.sample_peak_dbfs


def test_peaks_at_both_ends_count():
    """A peak between the last sample and the silence after it is seen, and reading twice gives the same."""
    samples = np.zeros((1, 400))
    samples[0, -2:] = 1.0
    meter = TruePeakMeter(48_000, 1)
    meter.add(samples)
    assert meter.result().max_dbtp > 1.5
    assert meter.result() == meter.result() == reading(samples[:, ::-1].copy())
