"""The equaliser against its analog prototypes and against scipy's filtering."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal
from tapelog_dsp import Audio, Bell, HighPass, HighShelf, LowPass, LowShelf, Notch, ParametricEq
from tapelog_dsp.design.response import magnitude_db
from tapelog_dsp.processors.filters import Band

RATE = 44_100


def analog_bell_db(frequencies: Audio, centre: float, gain_db: float, q: float):
    """Return the prototype's level at each frequency."""
    s = 1j * frequencies / centre
    a = 10.0 ** (gain_db / 40.0)
    return 20.0 * np.log10(np.abs((s * s + s * a / q + 1.0) / (s * s + s / (a * q) + 1.0)))


def analog_high_shelf_db(frequencies: Audio, corner: float, gain_db: float):
    """Return the prototype's level at each frequency."""
    gain = 10.0 ** (gain_db / 20.0)
    w = (frequencies / corner) ** 4
    return 10.0 * np.log10((1.0 + gain * w) / (1.0 + w / gain))


def errors(band: Bell, analog: Callable[[Audio], Audio], limits: tuple[float, ...]):
    """Return the largest deviation from the prototype up to each limit in Hz."""
    frequencies = np.geomspace(20.0, 0.45 * RATE, 500)
    error = np.abs(np.array(magnitude_db(band.sections(RATE), frequencies, RATE)) - analog(frequencies))
    return [float(error[frequencies <= limit].max()) for limit in limits]


@pytest.mark.parametrize("gain_db", [6.0, -6.0, 12.0, -12.0])
@pytest.mark.parametrize("q", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("centre", [40.0, 250.0, 1_000.0, 3_000.0, 5_000.0])
def test_bell_follows_its_prototype(centre: float, gain_db: float, q: float):
    """Up to an eighth of the rate a bell is within 0.05 dB, to a quarter 0.25, to 0.45 of it 0.8 dB."""
    band = Bell(centre, gain_db, q)
    found = errors(band, lambda f: analog_bell_db(f, centre, gain_db, q), (RATE / 8, RATE / 4, 0.45 * RATE))
    assert found[0] <= 0.05
    assert found[1] <= 0.25
    assert found[2] <= 0.8


@pytest.mark.parametrize(
    ("centre", "gain_db", "q"),
    [(1_000.0, 6.0, 1.0), (10_000.0, 6.0, 1.0), (16_000.0, 6.0, 0.7), (16_000.0, -6.0, 2.0), (18_000.0, 12.0, 1.0)],
)
def test_bell_in_the_top_octave(centre: float, gain_db: float, q: float):
    """Where bilinear designs are 2 to 4 dB off, the matched bell stays within 0.8 dB of its prototype to 0.45 fs."""
    band = Bell(centre, gain_db, q)
    assert errors(band, lambda f: analog_bell_db(f, centre, gain_db, q), (0.45 * RATE,))[0] <= 0.8


@pytest.mark.parametrize("gain_db", [6.0, -12.0, 12.0])
@pytest.mark.parametrize("corner", [60.0, 400.0, 3_000.0, 8_000.0, 16_000.0])
def test_shelves_follow_their_prototypes(corner: float, gain_db: float):
    """Both shelves are within 0.06 dB to an eighth of the rate, 0.25 to a quarter, 0.8 to 0.45 of it."""
    limits = (RATE / 8, RATE / 4, 0.45 * RATE)
    high = errors(HighShelf(corner, gain_db), lambda f: analog_high_shelf_db(f, corner, gain_db), limits)
    low = errors(LowShelf(corner, gain_db), lambda f: gain_db + analog_high_shelf_db(f, corner, -gain_db), limits)
    for found in (high, low):
        assert found[0] <= 0.06
        assert found[1] <= 0.25
        assert found[2] <= 0.8


@pytest.mark.parametrize("band", [Bell(10_000.0, 9.0, 0.4), Bell(30.0, -24.0, 10.0)])
def test_centre_gain_is_exact(band: Bell):
    """A bell has its gain at its centre to 1e-6 dB."""
    assert magnitude_db(band.sections(RATE), [band.frequency_hz], RATE)[0] == pytest.approx(band.gain_db, abs=1e-6)


@pytest.mark.parametrize(
    ("boost", "cut"),
    [
        (Bell(9_000.0, 12.0, 0.7), Bell(9_000.0, -12.0, 0.7)),
        (HighShelf(7_000.0, 10.0), HighShelf(7_000.0, -10.0)),
        (LowShelf(100.0, 10.0), LowShelf(100.0, -10.0)),
    ],
)
def test_a_cut_undoes_its_boost(random_noise: Audio, boost: Band, cut: Band):
    """Boost and cut in series null to -200 dB."""
    running = ParametricEq((boost, cut)).prepare(RATE, 1)
    residual = running.process(random_noise[:1], 0) - random_noise[:1]
    assert np.abs(residual).max() <= 1e-10


@pytest.mark.parametrize("slope", [6, 12, 18, 24, 48])
def test_butterworth_corners(slope: int):
    """High-pass and low-pass are -3.0103 dB at their corner, and fall by their slope an octave further."""
    for kind, beyond in ((HighPass, 0.5), (LowPass, 2.0)):
        sections = kind(500.0, slope).sections(RATE)
        at_corner, an_octave, two_octaves = magnitude_db(sections, [500.0, 500.0 * beyond, 500.0 * beyond**2], RATE)
        assert at_corner == pytest.approx(-3.0103, abs=1e-4)
        assert an_octave - two_octaves == pytest.approx(slope, abs=0.15 * slope)


def test_notch():
    """A notch is silent at its centre, -3 dB half its width away, and transparent far from it."""
    sections = Notch(1_000.0, 10.0).sections(RATE)
    centre, edge, far = magnitude_db(sections, [1_000.0, 1_000.0 * (np.sqrt(1.0025) + 0.05), 100.0], RATE)
    assert centre < -200.0
    assert edge == pytest.approx(-3.0103, abs=0.05)
    assert far == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("channels", [1, 2])
def test_filtering_agrees_with_scipy(random_noise: Audio, channels: int):
    """The cascade kernel filters like scipy.signal.sosfilt, to rounding."""
    eq = ParametricEq((HighPass(30.0, 24), Bell(120.0, 4.0), Bell(2_500.0, -5.0, 3.0), HighShelf(9_000.0, 3.0)))
    sections = eq.sections(RATE)
    wanted = signal.sosfilt(np.insert(sections, 3, 1.0, axis=1), random_noise[:channels])
    assert np.abs(eq.prepare(RATE, channels).process(random_noise[:channels], 0) - wanted).max() <= 1e-11
