"""Clipper, exciter, linear-phase equaliser, curves, mono-maker, fades."""

from collections.abc import Callable

import numpy as np
import pytest
from tapelog_dsp import (
    Audio,
    BandDynamics,
    Bell,
    Clipper,
    CurveEq,
    Exciter,
    Fade,
    HighShelf,
    LinearPhaseEq,
    LowShelf,
    MonoMaker,
    Multiband,
    ParameterError,
    ParametricEq,
    ProcessorSpec,
)
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.testing import programme

RATE = 48_000
BANDS = (LowShelf(90.0, 3.0), Bell(60.0, -4.0, 1.0), Bell(3_000.0, 5.0, 2.0), HighShelf(9_000.0, -3.0))
EVERY = {
    "multiband": Multiband(bands=tuple(BandDynamics(-30.0, 3.0) for _ in range(3))),
    "clipper": Clipper(-12.0, 3.0),
    "exciter": Exciter(),
    "linear-phase eq": LinearPhaseEq(BANDS),
    "curve": CurveEq(((50.0, 2.0), (1_000.0, -2.0), (12_000.0, 4.0))),
    "mono-maker": MonoMaker(150.0),
}


def aligned(spec: ProcessorSpec, samples: Audio, rate: int = RATE) -> Audio:
    """Return the processed samples without latency."""
    return np.concatenate(list(run_aligned(spec.prepare(rate, len(samples)), [samples])), axis=1)


@pytest.mark.parametrize("name", EVERY)
def test_blocks_do_not_matter(name: str):
    """Random blocks give the same bits as the whole, and so does a second use after a reset."""
    samples, random = programme(0.8), np.random.default_rng(5)
    running = EVERY[name].prepare(RATE, 2)
    whole = running.process(samples, 0)
    for _ in range(2):
        running.reset()
        parts, start = [], 0
        while start < samples.shape[1]:
            stop = min(start + int(random.integers(1, 6_000)), samples.shape[1])
            parts.append(running.process(np.ascontiguousarray(samples[:, start:stop]), start))
            start = stop
        assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("name", EVERY)
def test_every_rate(name: str, rate: int):
    """Every processor runs at every rate or refuses it, and stays finite and of the same length."""
    samples = programme(0.2, sample_rate=rate)
    try:
        result = aligned(EVERY[name], samples, rate)
    except ParameterError:
        assert rate == 8_000
        return
    assert result.shape == samples.shape
    assert np.isfinite(result).all()


@pytest.mark.parametrize("name", [name for name in EVERY if name != "multiband"])  # its all-pass spreads an impulse
def test_a_faint_impulse_keeps_its_place(name: str):
    """After the latency is taken off, an impulse that no curve reacts to has its peak where it was."""
    samples = np.zeros((2, 20_000))
    samples[:, 9_000] = 1e-3
    assert int(np.abs(aligned(EVERY[name], samples)[0]).argmax()) == 9_000


def test_clipper_leaves_what_is_below_its_knee():
    """Below the knee the output is the input bit for bit; a tone far above it keeps to the ceiling within 0.5 dB."""
    quiet, loud = 0.5 * programme(0.5), 3.0 * np.sin(np.arange(RATE) * 0.03)[None]
    assert aligned(Clipper(-1.0, 3.0), quiet).tobytes() == quiet.tobytes()
    assert np.abs(aligned(Clipper(-1.0, 3.0), loud)[:, 1_000:-1_000]).max() < 10.0 ** (-0.5 / 20.0)


@pytest.mark.parametrize("frequency", [5_000.0, 7_000.0, 9_001.0])
def test_clipper_does_not_fold_back(frequency: float):
    """A tone clipped by 6 dB has no component above -75 dB that is not one of its harmonics; a plain clip has many."""
    frames = RATE
    wave = 2.0 * np.sin(2.0 * np.pi * frequency / RATE * np.arange(3 * frames))[None]

    def folded(samples: Audio) -> float:
        spectrum = np.abs(np.fft.rfft(samples[0, frames : 2 * frames] * np.blackman(frames)))
        for harmonic in range(1, int(0.5 * RATE / frequency) + 1):
            at = round(harmonic * frequency)
            spectrum[max(at - 6, 0) : at + 7] = 0.0
        return 20.0 * np.log10(spectrum[20:].max() / (0.42 * frames / 2))

    assert folded(np.clip(wave, -1.0, 1.0)) > -45.0
    assert folded(aligned(Clipper(0.0, 2.0), wave)) < -75.0


def test_exciter_adds_harmonics_of_the_upper_band_only():
    """A 5 kHz tone gains its 2nd and 3rd harmonic, a 100 Hz tone nothing above -90 dB; no amount changes no bit."""
    time = np.arange(2 * RATE) / RATE
    for frequency, low, high in ((5_000.0, -60.0, 0.0), (100.0, -300.0, -90.0)):
        wave = 0.3 * np.sin(2.0 * np.pi * frequency * time)[None]
        spectrum = np.abs(np.fft.rfft(aligned(Exciter(), wave)[0, RATE:] * np.hanning(RATE)))
        for harmonic in (2, 3):
            level = 20.0 * np.log10(spectrum[round(harmonic * frequency)] / spectrum[round(frequency)] + 1e-15)
            assert low < level < high
    samples = programme(0.3)
    assert aligned(Exciter(amount_db=-144.0), samples).tobytes() == samples.tobytes()


def test_linear_phase_eq_has_the_magnitude_of_its_bands_and_no_phase():
    """The impulse response is symmetric, and within 0.05 dB of the recursive equaliser from 30 Hz to 20 kHz."""
    impulse = np.zeros((1, 1 << 16))
    impulse[0, 1 << 15] = 1.0
    result = aligned(LinearPhaseEq(BANDS), impulse)[0]
    centre = 1 << 15
    assert np.abs(result[centre - 4_000 : centre] - result[centre + 4_000 : centre : -1]).max() < 1e-12
    recursive = aligned(ParametricEq(BANDS), impulse)[0]
    one, other = (20.0 * np.log10(np.abs(np.fft.rfft(x))) for x in (result, recursive))
    frequencies = np.fft.rfftfreq(1 << 16, 1.0 / RATE)
    heard = (frequencies > 30.0) & (frequencies < 20_000.0)
    assert np.abs(one - other)[heard].max() < 0.05


def test_linear_phase_eq_equals_plain_convolution():
    """Partitions change nothing: the output equals a direct convolution within 1e-12."""
    running = LinearPhaseEq(BANDS, 20.0).prepare(RATE, 1)
    samples = programme(0.3)[:1]
    taps = np.fft.ifft(running._spectrum[0] + 1j * running._spectrum[1]).real[: round(0.02 * RATE) + 1]
    direct = np.convolve(samples[0], taps)[taps.size // 2 :][: samples.shape[1]]
    assert np.abs(aligned(LinearPhaseEq(BANDS, 20.0), samples)[0] - direct).max() < 1e-12


@pytest.mark.parametrize("phase", ["minimum", "linear"])
def test_curve_eq_follows_its_points(phase: str):
    """The measured curve passes through the points within 0.1 dB; minimum phase has its energy at the start."""
    points = ((40.0, 3.0), (200.0, -2.0), (1_000.0, 0.0), (5_000.0, 4.0), (15_000.0, -6.0))
    impulse = np.zeros((1, 1 << 16))
    impulse[0, 1 << 15] = 1.0
    result = aligned(CurveEq(points, phase), impulse)[0]
    level = 20.0 * np.log10(np.abs(np.fft.rfft(result)))
    for hz, wanted in points:
        assert level[round(hz * (1 << 16) / RATE)] == pytest.approx(wanted, abs=0.1)
    before = np.square(result[: 1 << 15]).sum() / np.square(result).sum()
    assert (before < 1e-9) if phase == "minimum" else (before > 1e-4)


def test_nothing_to_do_is_nothing_done():
    """No bands, and a curve of zeros, give the input bit for bit without latency."""
    samples = programme(0.2)
    for spec in (LinearPhaseEq(), CurveEq(((100.0, 0.0), (1_000.0, 0.0)))):
        running = spec.prepare(RATE, 2)
        assert running.latency_frames == 0
        assert running.process(samples, 0) is samples


def test_mono_maker():
    """Below the frequency the channels become equal, far above it they keep their difference, the mid its level."""
    time = np.arange(2 * RATE) / RATE
    for frequency, share in ((30.0, 0.01), (150.0, 0.5), (3_000.0, 1.0)):
        wave = np.sin(2.0 * np.pi * frequency * time)
        result = aligned(MonoMaker(150.0), np.stack((wave, np.zeros_like(wave))))[:, RATE:]
        side = 0.5 * np.abs(np.fft.rfft(result[0] - result[1]))[round(frequency)] / (RATE / 2)
        mid = 0.5 * np.abs(np.fft.rfft(result[0] + result[1]))[round(frequency)] / (RATE / 2)
        assert mid == pytest.approx(0.5, rel=1e-6)
        assert side == pytest.approx(0.5 * share, rel=0.02) if share > 0.1 else side < 0.5 * share


@pytest.mark.parametrize("shape", ["linear", "smooth", "equal-power", "late"])
def test_fades(shape: str):
    """The gain rises and falls without a step, is 1 between, and does not depend on the blocks."""
    ones = np.ones((2, 1_000))
    fade = Fade(0.2, 0.3, shape)
    whole = np.concatenate(list(fade.blocks([ones], sample_rate=1_000, length_frames=1_000)), axis=1)
    parts = np.split(ones, [1, 199, 200, 650, 999], axis=1)
    again = np.concatenate(list(fade.blocks(parts, sample_rate=1_000, length_frames=1_000)), axis=1)
    assert (whole == again).all()
    assert (whole[:, 200:700] == 1.0).all()
    assert (np.diff(whole[0, :200]) > 0.0).all()
    assert (np.diff(whole[0, 700:]) < 0.0).all()
    assert whole[0, 0] < 0.06
    assert whole[0, -1] < 0.06


def test_fades_longer_than_the_song():
    """Fades that do not fit are refused with the length."""
    with pytest.raises(ParameterError, match="together"):
        list(Fade(1.0, 1.0).blocks([np.ones((2, 100))], sample_rate=100, length_frames=100))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Multiband(bands=(BandDynamics(),)),
        lambda: Multiband((100.0,), (BandDynamics(), BandDynamics(), BandDynamics())),
        lambda: BandDynamics(ratio=0.5),
        lambda: Clipper(1.0),
        lambda: Exciter(100.0),
        lambda: LinearPhaseEq(length_ms=1.0),
        lambda: CurveEq(((100.0, 1.0),)),
        lambda: CurveEq(((100.0, 1.0), (50.0, 1.0))),
        lambda: CurveEq(((100.0, 40.0), (200.0, 1.0))),
        lambda: CurveEq(((100.0, 1.0), (200.0, 1.0)), "maximum"),
        lambda: MonoMaker(5.0),
        lambda: MonoMaker().prepare(RATE, 1),
        lambda: Fade(shape="round"),
        lambda: Multiband().prepare(RATE, 3),
    ],
    ids=[f"case {index}" for index in range(14)],
)
def test_unusable_settings(make: Callable[[], object]):
    """A setting outside its range is refused with the limit."""
    with pytest.raises(ParameterError):
        make()
