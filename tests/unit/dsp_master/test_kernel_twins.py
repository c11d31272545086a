"""The mastering kernels against their plain twins: equal bits, on every instruction set of this processor."""

import numpy as np
import pytest
from tapelog_dsp.design.interpolators import hann49, itu48, long128
from tapelog_dsp.kernels import fft, limiter, multiband, pcm, shaper
from tapelog_dsp.kernels.twins import fft as plain_fft
from tapelog_dsp.kernels.twins import limiter as plain_limiter
from tapelog_dsp.kernels.twins import multiband as plain_multiband
from tapelog_dsp.kernels.twins import pcm as plain_pcm
from tapelog_dsp.kernels.twins import shaper as plain_shaper
from tapelog_dsp.master.dither import SHAPERS
from tapelog_dsp.master.multiband import BandDynamics, Multiband
from tapelog_dsp.master.shaping import TAPS, ways

pytestmark = pytest.mark.usefixtures("each_isa")

RATE = 48_000
SPLITS = (90.0, 400.0, 2_000.0, 7_000.0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bands", [2, 3, 5])
@pytest.mark.parametrize("rms_ms", [0.0, 5.0])
def test_multiband(random: np.random.Generator, channels: int, bands: int, rms_ms: float):
    """Splits, curves and sum equal their twin, over blocks of any length, with and without knee, mix and range."""
    own = tuple(
        BandDynamics(-20.0 - k, 2.0 + k, 3.0, 40.0, 4.0 * (k % 2), 0.5 * k, 3.0 + k, 1.0 - 0.1 * k, rms_ms)
        for k in range(bands)
    )
    running = Multiband(SPLITS[: bands - 1], own).prepare(RATE, channels)
    samples = random.uniform(-0.7, 0.7, (channels, 700))
    got = np.concatenate(
        [running.process(np.ascontiguousarray(part), 0) for part in np.split(samples, [1, 129, 400], axis=1)], axis=1
    )
    settings = np.array([band.settings(RATE) for band in own])
    want = plain_multiband.multiband(running._sections, settings, samples)
    assert got.tobytes() == want.tobytes()
    assert multiband.multiband_memory(bands).shape == running._memory.shape


@pytest.mark.parametrize(
    ("curve", "settings"),
    [(shaper.CLIP, (0.5, 0.8)), (shaper.CLIP, (0.6, 0.6)), (shaper.EXCITE, (4.0, 0.3, 0.7))],
)
@pytest.mark.parametrize("phases", [2, 8])
def test_shaper(random: np.random.Generator, curve: int, settings: tuple[float, ...], phases: int):
    """Interpolation, curve and decimation equal their twin; a stretch that is skipped gives the same zeros."""
    up, down, gain_sum = ways(phases)
    samples = random.uniform(-1.0, 1.0, 900)
    samples[300:700] *= 0.01
    idle = settings[0] if curve == shaper.CLIP else 0.0
    got = shaper.shape(samples, up, down, gain_sum=gain_sum, idle=idle, curve=curve, settings=np.array(settings))
    want = plain_shaper.shape(samples, up, down, curve=curve, settings=np.array(settings))
    assert got.size == 900 - 2 * TAPS + 2
    assert (got == want).all()


@pytest.mark.parametrize("name", list(SHAPERS)[1:])
def test_shaped_dither(random: np.random.Generator, name: str):
    """Error feedback equals its twin across two blocks, clipped samples included."""
    taps = np.array(SHAPERS[name])
    samples = random.uniform(-1.01, 1.01, 601)
    errors, plain_errors = np.zeros(taps.size), np.zeros(taps.size)
    for start, stop in ((0, 250), (250, 601)):
        part = samples[start:stop].copy()
        got = pcm.shaped_dither(part, 2.0**15, (3, 4), start, taps=taps, errors=errors)
        want = plain_pcm.shaped_dither(part, 2.0**15, (3, 4), start, taps=taps, errors=plain_errors)
        assert (got[0] == want[0]).all()
        assert got[1].tobytes() == want[1].tobytes()
        assert got[2] == want[2]
    assert errors.tobytes() == plain_errors.tobytes()


def test_limiter_curve(random: np.random.Generator):
    """The limiter's gain equals a twin that searches the whole windows and adds whole boxes for every sample."""
    shape = np.array([60, 90, 17, 12], dtype=np.int64)
    factors = np.array([0.97, 0.002, 0.01])
    peaks = (random.standard_normal(3000).astype(np.float32) ** 4 * np.float32(0.2)).clip(0)
    peaks[2_000:] = 0.1
    state = limiter.limiter_state(shape)
    halves = [limiter.limit(shape, 0.5, factors, state, part) for part in (peaks[:777].copy(), peaks[777:].copy())]
    assert np.concatenate(halves).tobytes() == plain_limiter.limit(shape, 0.5, factors, peaks).tobytes()
    assert halves[1].min() < 0.9
    assert halves[1][-1] > 0.999


def test_limiter_after_silence():
    """The limiter's shortcut for what needs no gain starts and ends where nothing is left of a peak, in any blocks."""
    shape = np.array([17, 12, 9, 7], dtype=np.int64)
    factors = np.array([0.5, 0.2, 0.6])
    peaks = np.zeros(3_000, dtype=np.float32)
    peaks[[5, 800, 803, 1_500, 2_990]] = (0.9, 0.7, 2.0, 0.51, 1.0)
    want = plain_limiter.limit(shape, 0.5, factors, peaks)
    assert np.count_nonzero(want == 1.0) > 2_000
    for size in (3_000, 64, 61, 1):
        state = limiter.limiter_state(shape)
        parts = [peaks[at : at + size].copy() for at in range(0, 3_000, size)]
        got = np.concatenate([limiter.limit(shape, 0.5, factors, state, part) for part in parts])
        assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("standard", [True, False])
@pytest.mark.parametrize(("channels", "frames"), [(1, 1), (2, 37), (2, 2_100)])
def test_limiter_peaks(random: np.random.Generator, channels: int, frames: int, standard: bool):
    """The limiter's detector finds what its twin finds above the bound: noise, tones, between loud and soft."""
    used = [itu48(), hann49(), long128()] if standard else [long128()]
    tables = limiter.PeakTables(used)
    length = tables.before + frames + tables.lag
    time = np.arange(length)
    tone = 0.8 * np.sin(2.0 * np.pi * 0.249 * time + 0.3) * np.repeat([0.2, 1.0], -(-length // 2))[:length]
    for signal in (tone, random.standard_normal(length) * 0.3, 0.9 * np.sin(0.01 * time), np.zeros(length)):
        samples = np.zeros((channels, length + limiter.STRETCH), dtype=np.float32)
        samples[:, :length] = signal * np.linspace(0.7, 1.0, channels)[:, np.newaxis]
        want = plain_limiter.limiter_peaks(used, samples[:, :length], tables.before, frames)
        for bound in (0.0, 0.5, 0.85):
            got = limiter.limiter_peaks(tables, samples, bound, frames)
            assert np.where(got > bound, got, 0).tobytes() == np.where(want > bound, want, 0).tobytes()


def test_most_of_a_loud_master_needs_no_interpolation():
    """Bass and middle just under the ceiling are passed by the bound: the samples' own magnitudes come back."""
    tables = limiter.PeakTables([itu48(), hann49(), long128()])
    time = np.arange(tables.before + 4_800 + tables.lag + limiter.STRETCH)
    samples = (0.6 * np.sin(0.007 * time) + 0.2 * np.sin(0.13 * time)).astype(np.float32)[np.newaxis]
    passed = limiter.limiter_peaks(tables, samples, 0.9, 4_800)
    assert passed.tobytes() == np.abs(samples[0, tables.before : tables.before + 4_800]).tobytes()


@pytest.mark.parametrize("points", [2, 16, 1_024, 32_768])
def test_fft(random: np.random.Generator, points: int):
    """The FFT equals its twin bit for bit and NumPy's to 1e-12, and its inverse gives the signal back."""
    real, imaginary = random.standard_normal((2, points))
    got = fft.fft(real, imaginary)
    want = plain_fft.fft(real, imaginary)
    assert got[0].tobytes() == want[0].tobytes()
    assert got[1].tobytes() == want[1].tobytes()
    oracle = np.fft.fft(real + 1j * imaginary)
    assert np.abs(got[0] + 1j * got[1] - oracle).max() < 1e-12 * points
    back = fft.inverse_fft(*got)
    assert np.abs(back[0] - real).max() < 1e-13
    assert np.abs(back[1] - imaginary).max() < 1e-13


def test_turned():
    """Cosine and sine by polynomials are those of the C library within 1e-15, and exact at quarters."""
    turns = np.linspace(-2.3, 2.3, 4_001)
    cosine, sine = fft.turned(turns)
    assert np.abs(cosine - np.cos(2.0 * np.pi * turns)).max() < 3e-15
    assert np.abs(sine - np.sin(2.0 * np.pi * turns)).max() < 3e-15
    assert fft.turned(np.array([0.25, 0.5]))[0].tolist() == [0.0, -1.0]
