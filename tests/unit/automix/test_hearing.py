"""What is measured of a stem, against signals whose answer is known."""

import math

import numpy as np
import pytest
from scipy import signal
from tapelog_desk.automix.bands import CENTRES_HZ, BandMeter
from tapelog_desk.automix.hearing import Heard, hear
from tapelog_desk.automix.testing import RATE, kick, tone, voice
from tapelog_dsp import ArrayReader


def heard(samples: np.ndarray, rate: int = RATE) -> Heard:
    """Return what is measured of samples."""
    return hear(ArrayReader(samples), sample_rate_hz=rate, channels=samples.shape[0])


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_the_power_of_a_sine_lies_in_its_band(rate: int):
    """A sine of amplitude 0.5 has a mean square of 0.125, all of it in the third octave around it."""
    t = np.arange(rate * 2) / rate
    found = heard(0.5 * np.sin(2.0 * np.pi * 1000.0 * t)[None, :], rate).bands[2:-2].mean(axis=0)
    assert found.sum() == pytest.approx(0.125, rel=0.01)
    assert found[CENTRES_HZ.index(1000.0)] == pytest.approx(0.125, rel=0.02)


def test_blocks_of_any_length_measure_the_same():
    """Spectra over time do not depend on how the stem was cut into blocks."""
    noise = np.random.default_rng(5).standard_normal((2, 40_000)) * 0.1
    whole, cut = BandMeter(RATE, 2), BandMeter(RATE, 2)
    for _ in whole.add(noise):
        pass
    for first in range(0, 40_000, 777):
        for _ in cut.add(noise[:, first : first + 777]):
            pass
    assert np.array_equal(whole.bands(), cut.bands())
    assert whole.width_db() == pytest.approx(cut.width_db(), abs=1e-9)


@pytest.mark.parametrize("pitch_hz", [55.0, 110.0, 220.0, 440.0])
def test_the_pitch_of_a_tone_is_found(pitch_hz: float):
    """A harmonic tone is periodic, and its fundamental is found, not an octave of it."""
    found = heard(tone(pitch_hz))
    assert found.harmonicity > 0.9
    assert found.pitch_hz == pytest.approx(pitch_hz, rel=0.01)
    assert found.on_grid > 0.95


def test_noise_has_no_pitch_and_is_flat():
    """White noise is neither periodic nor coloured."""
    found = heard(np.random.default_rng(6).standard_normal((1, RATE * 3)) * 0.1)
    assert found.harmonicity < 0.3
    assert found.flatness > 0.4


def test_attacks_are_counted():
    """A kick on every half second has two attacks a second of the time it plays."""
    found = heard(kick())
    hits = found.onsets_per_s * found.activity * 6.0
    assert hits == pytest.approx(12, abs=4)
    assert found.crest_db > 10.0


def test_the_loudness_is_that_of_the_active_part():
    """A voice that rests for half of the time is as loud as one that does not: the gate takes the rest away."""
    sung = voice(seconds=6.0)
    rests = np.concatenate([sung, np.zeros_like(sung)], axis=1)
    assert heard(rests).integrated_lufs == pytest.approx(heard(sung).integrated_lufs, abs=0.3)
    assert heard(rests).activity == pytest.approx(0.5 * heard(sung).activity, abs=0.05)


def test_width_and_balance_follow_the_picture():
    """Equal channels have no side; a channel at half has a balance of 6 dB; noise of two kinds is as wide as high."""
    mono = tone(220.0)
    assert heard(np.concatenate([mono, mono])).width_db < -50.0
    assert heard(np.concatenate([mono, 0.5 * mono])).balance_db == pytest.approx(6.02, abs=0.05)
    wide = np.random.default_rng(7).standard_normal((2, RATE * 3)) * 0.1
    assert heard(wide).width_db == pytest.approx(0.0, abs=0.2)


def test_silence_is_silent():
    """Silence has no loudness, and no figure of it is NaN."""
    found = heard(np.zeros((1, RATE * 2)))
    assert found.is_silent
    figures = [value for name in Heard.__slots__ if isinstance(value := getattr(found, name), float)]
    assert not any(math.isnan(value) for value in figures)


def test_a_stem_shorter_than_a_window_is_measured():
    """A one-shot of 50 ms has a loudness: that of 400 ms in which it stands, 9 dB below its own."""
    found, steady = heard(tone(440.0, seconds=0.05)), heard(tone(440.0))
    assert found.integrated_lufs == pytest.approx(steady.integrated_lufs - 9.03, abs=0.5)
    assert found.peak_dbfs > -20.0


def test_band_power_agrees_with_welch():
    """The mean of the bands equals scipy's spectral density, summed over the same third octaves."""
    noise = signal.lfilter([1.0], [1.0, -0.9], np.random.default_rng(8).standard_normal(RATE * 8)) * 0.05
    found = heard(noise[None, :]).bands[2:-2].mean(axis=0)
    frequencies, density = signal.welch(noise, RATE, nperseg=8192)
    for band in (10, 14, 18, 24):
        low, high = CENTRES_HZ[band] * 2 ** (-1 / 6), CENTRES_HZ[band] * 2 ** (1 / 6)
        expected = density[(frequencies >= low) & (frequencies < high)].sum() * RATE / 8192
        assert 10 * math.log10(found[band] / expected) == pytest.approx(0.0, abs=0.5)
