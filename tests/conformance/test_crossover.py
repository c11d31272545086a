"""Linkwitz-Riley crossovers and the multiband compressor on them."""

import numpy as np
import numpy.typing as npt
import pytest
from tapelog_dsp import BandDynamics, Multiband, ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.twins.multiband import crossover
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.master.crossover import crossover_sections
from tapelog_dsp.testing import programme

SPLITS = {
    2: (1_000.0,),
    3: (200.0, 3_000.0),
    4: (120.0, 600.0, 5_000.0),
    5: (60.0, 250.0, 1_200.0, 6_000.0),
}


def responses(splits: tuple[float, ...], rate: int):
    """Return the frequencies and the complex response of each band, from the sections."""
    w = np.geomspace(20.0, 0.499 * rate, 4_000) * 2.0 * np.pi / rate
    z = np.exp(-1j * w)

    def of(section: Float64s) -> npt.NDArray[np.complex128]:
        b0, b1, b2, a1, a2 = section
        return (b0 + b1 * z + b2 * z * z) / (1.0 + a1 * z + a2 * z * z)

    rest, bands = np.ones_like(z), []
    sections = crossover_sections(splits, rate, owner="test")
    for index, (low, high, _) in enumerate(sections):
        band = rest * of(low) ** 2
        rest = rest * of(high) ** 2
        for _, _, turn in sections[index + 1 :]:
            band = band * of(turn)
        bands.append(band)
    return w * rate / (2.0 * np.pi), [*bands, rest]


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("bands", SPLITS)
def test_the_bands_sum_flat(bands: int, rate: int):
    """The sum of the bands is within 1e-9 dB of 0 from 20 Hz up, and each split is at -6.02 dB."""
    frequencies, parts = responses(SPLITS[bands], rate)
    level = 20.0 * np.log10(np.abs(sum(parts)))
    # At 192 kHz the rounding of a 60 Hz section alone is 2e-10 dB.
    assert np.abs(level).max() < (1e-9 if rate < 192_000 else 2e-9)
    if bands == 2:
        at = int(np.abs(frequencies - SPLITS[2][0]).argmin())
        assert 20.0 * np.log10(np.abs(parts[0][at])) == pytest.approx(-6.02, abs=0.05)


def test_without_turning_the_sum_is_not_flat():
    """Three bands of which the lowest is not turned ripple by 0.02 dB and more: the test above can fail."""
    _, (low, middle, high) = responses(SPLITS[3], 48_000)
    w = np.geomspace(10.0, 0.499 * 48_000, 4_000) * 2.0 * np.pi / 48_000
    z = np.exp(-1j * w)
    b0, b1, b2, a1, a2 = crossover_sections(SPLITS[3], 48_000, owner="test")[1][2]
    low = low / ((b0 + b1 * z + b2 * z * z) / (1.0 + a1 * z + a2 * z * z))
    assert np.abs(20.0 * np.log10(np.abs(low + middle + high))).max() > 0.02


@pytest.mark.parametrize("bands", SPLITS)
def test_an_impulse_through_the_kernel_is_flat(bands: int):
    """An impulse through bands that all have +6.0206 dB has exactly twice its spectrum, within 1e-9 dB."""
    spec = Multiband(SPLITS[bands], tuple(BandDynamics(gain_db=6.0206) for _ in range(bands)))
    impulse = np.zeros((2, 1 << 17))
    impulse[:, 100] = 0.5
    result = spec.prepare(48_000, 2).process(impulse, 0)
    level = 20.0 * np.log10(np.abs(np.fft.rfft(result[0]))) - 6.0206
    assert np.abs(level - 20.0 * np.log10(0.5)).max() < 1e-9


def test_the_bands_are_what_their_names_say():
    """A tone stands in its own band, 40 dB and more above the others."""
    rate, frames = 48_000, 8_000
    for index, frequency in enumerate((50.0, 800.0, 12_000.0)):
        wave = np.sin(2.0 * np.pi * frequency / rate * np.arange(frames))[None]
        levels = [np.abs(band[0, -2_000:]).max() for band in crossover(
            crossover_sections(SPLITS[3], rate, owner="test"), wave)]  # fmt: skip
        assert int(np.argmax(levels)) == index
        assert sorted(levels)[-2] < 0.05 * max(levels)


def test_neutral_bands_change_nothing():
    """With ratio 1 and no gain everywhere the samples come out bit for bit."""
    samples = programme(0.5)
    assert (Multiband().prepare(48_000, 2).process(samples, 0) == samples).all()


def test_one_band_is_held_and_the_others_are_not():
    """A loud bass under a quiet treble: the bass band's reduction follows its curve, the treble keeps its level."""
    rate = 48_000
    time = np.arange(2 * rate) / rate
    samples = np.tile(0.5 * np.sin(2.0 * np.pi * 60.0 * time) + 0.05 * np.sin(2.0 * np.pi * 8_000.0 * time), (2, 1))
    spec = Multiband((300.0, 3_000.0), (BandDynamics(-26.0, 4.0, 5.0, 500.0, 0.0), BandDynamics(), BandDynamics()))
    running = spec.prepare(rate, 2)
    result = running.process(samples, 0)
    spectrum = np.abs(np.fft.rfft(result[0, rate:])) / (rate / 2)
    wanted = (20.0 * np.log10(0.5) + 26.0) * (1.0 - 1.0 / 4.0)
    assert 20.0 * np.log10(0.5 / spectrum[60]) == pytest.approx(wanted, abs=0.3)
    assert spectrum[8_000] == pytest.approx(0.05, rel=1e-3)
    assert running.telemetry()["band_0_reduction_max_db"] == pytest.approx(wanted, abs=0.3)
    assert running.telemetry()["band_1_reduction_max_db"] == 0.0


def test_range_and_blocks():
    """The range bounds the reduction; random blocks give the same bits as the whole."""
    random = np.random.default_rng(4)
    spec = Multiband(bands=tuple(BandDynamics(-60.0, 20.0, 1.0, 50.0, range_db=3.0) for _ in range(3)))
    samples = programme(0.6)
    whole = spec.prepare(48_000, 2).process(samples, 0)
    running, parts, start = spec.prepare(48_000, 2), [], 0
    while start < samples.shape[1]:
        stop = min(start + int(random.integers(1, 5_000)), samples.shape[1])
        parts.append(running.process(np.ascontiguousarray(samples[:, start:stop]), start))
        start = stop
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    assert running.telemetry()["band_1_reduction_max_db"] <= 3.0
    running.reset()
    assert running.process(samples, 0).tobytes() == whole.tobytes()
    mono = next(iter(run_aligned(spec.prepare(48_000, 1), [samples[:1]])))
    assert np.isfinite(mono).all()


@pytest.mark.parametrize("splits", [(200.0,), (200.0, 250.0), (5.0, 300.0), (300.0, 23_000.0)])
def test_unusable_splits(splits: tuple[float, ...]):
    """Too few, too close, too low or too high splits are refused with the limit."""
    with pytest.raises(ParameterError, match="splits_hz"):
        Multiband(splits).prepare(48_000, 2)
