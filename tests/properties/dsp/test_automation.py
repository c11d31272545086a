"""Automation of every setting that moves: exact in time, without clicks, and without a trace where it stands still."""

import math

import numpy as np
import pytest
from tapelog_dsp import (
    Audio,
    BandDynamics,
    Bell,
    Clipper,
    Compressor,
    ConvolutionReverb,
    DeEsser,
    Delay,
    DynamicEq,
    Exciter,
    Gain,
    GainPoint,
    Gate,
    HighPass,
    HighShelf,
    Impulse,
    LowPass,
    LowShelf,
    MidSide,
    MonoMaker,
    MovingSetting,
    Multiband,
    Notch,
    ParameterError,
    ParametricEq,
    PlateReverb,
    ProcessorSpec,
    RoomReverb,
    Saturation,
    SettingPoint,
    Tilt,
    TransientShaper,
    Width,
)
from tapelog_dsp.automation import HOLD_RAMP_S, compiled
from tapelog_dsp.kernels.console import curve
from tapelog_dsp.processors.chain import Chain
from tapelog_parameters import PROCESSORS, Smoothing

RATE = 48_000
FRAMES = 12_000

BANDS = (Bell(900.0, 6.0, 2.0), LowShelf(200.0, 4.0), HighShelf(7_000.0, 5.0), Tilt(900.0, 3.0), Notch(3_000.0, 5.0))
MULTIBAND = Multiband((300.0, 3_000.0), tuple(BandDynamics(-30.0, 2.0, gain_db=1.0) for _ in range(3)))

SPECS: dict[str, tuple[ProcessorSpec, str]] = {
    "Gain": (Gain(-3.0), ""),
    "HighPass": (HighPass(150.0, 18), ""),
    "LowPass": (LowPass(6_000.0, 30), ""),
    "EqBand": (ParametricEq(BANDS), "bands.0."),
    "Notch": (ParametricEq(BANDS), "bands.4."),
    "Compressor": (Compressor(-30.0, 3.0, sidechain_highpass_hz=90.0, sidechain_lowpass_hz=9_000.0), ""),
    "Gate": (Gate(-8.0, 2.0, 30.0, 2.0, 5.0, 1.0, 20.0, 0.0, 90.0, 9_000.0), ""),
    "DeEsser": (DeEsser(sensitivity_db=-13.0), ""),
    "DynamicEq": (DynamicEq(900.0, threshold_db=-25.0, range_db=-24.0), ""),
    "TransientShaper": (TransientShaper(4.0, -4.0), ""),
    "Saturation": (Saturation(9.0, 0.1, -1.0), ""),
    "MonoMaker": (MonoMaker(150.0), ""),
    "BandDynamics": (MULTIBAND, "bands.1."),
    "Clipper": (Clipper(-9.0, 3.0), ""),
    "Exciter": (Exciter(), ""),
    "Delay": (Delay(31.0, 0.5, 0.4, 100.0, 3_000.0), ""),
    "PlateReverb": (PlateReverb(decay_s=0.6, predelay_ms=5.0, mix=0.5), ""),
    "RoomReverb": (RoomReverb(decay_s=0.6, size_m=6.0, predelay_ms=3.0, mix=0.5), ""),
    "ConvolutionReverb": (ConvolutionReverb(Impulse(np.eye(1, 700, 90) + np.eye(1, 700, 600), RATE), mix=0.5), ""),
    "Width": (Width(0.8), ""),
}
FIXED = {
    "Multiband": {"splits_hz"},
    "TruePeakLimiter": {"ceiling_dbtp", "lookahead_ms", "hold_ms", "release_ms"},
    "TimeAlign": {"delay_ms"},
    "HighPass": {"slope_db_per_octave"},
    "LowPass": {"slope_db_per_octave"},
    "Compressor": {"rms_ms", "lookahead_ms"},
    "Gate": {"lookahead_ms"},
    "BandDynamics": {"rms_ms"},
    "Saturation": {"oversampling"},
    "LinearPhaseEq": {"length_ms"},
    "CurveEq": {"length_ms"},
    "PlateReverb": {"size"},
    "ConvolutionReverb": {"predelay_ms"},
    "RoomReverb": {"size_m"},
}
"""Structure: lengths of lines and filters, orders, crossovers, latencies, which detector listens.

The limiter stands behind everything that moves, at the end of a master; it is no insert of a recipe."""

MOVES = [
    (owner, name)
    for owner, entries in PROCESSORS.items()
    for name, entry in entries.items()
    if entry.smoothing is not Smoothing.FIXED
]
VALUES = {
    "frequency_hz": (700.0, 2_500.0),
    "cutoff_hz": (120.0, 2_000.0),
    "time_ms": (20.0, 45.0),
    "hold_ms": (0.0, 12.0),
}
MONO_MAKER_HZ = (80.0, 400.0)


def spec_of(owner: str, name: str) -> tuple[ProcessorSpec, str, float]:
    """Return a processor, the name of its setting there, and its value at rest."""
    spec, prefix = SPECS[owner]
    inside = spec.bands[int(prefix.split(".")[1])] if prefix else spec
    return spec, prefix + name, float(getattr(inside, name))


def range_of(owner: str, name: str) -> tuple[float, float]:
    """Return two values far apart, as a person would move the setting."""
    if owner == "MonoMaker":
        return MONO_MAKER_HZ
    if owner == "DeEsser" and name == "frequency_hz":
        return 3_000.0, 8_000.0
    entry = PROCESSORS[owner][name]
    if name in ("gain_db", "output_db", "makeup_db"):
        return -18.0, 0.0
    if name in VALUES:
        return VALUES[name]
    low, high = entry.low, entry.highest(RATE)
    if name.endswith("_hz"):
        return max(low, 100.0), min(high, 5_000.0)
    if name.endswith("_ms") or name in ("q", "ratio", "decay_s"):
        return low + 0.02 * (high - low), low + 0.2 * (high - low)
    return max(low, -30.0), min(high, 12.0)


def music(seed: int = 3) -> Audio:
    """Return a seeded chord that swells, with noise: something for every detector, and silence at the start."""
    random, time = np.random.default_rng(seed), np.arange(FRAMES) / RATE
    chord = sum(np.sin(2.0 * np.pi * hz * time) / k for k, hz in enumerate((110.0, 900.0, 3_300.0, 7_500.0), 1))
    noise = random.uniform(-0.05, 0.05, (2, FRAMES))
    swell = np.minimum(time * 20.0, 1.0) * (0.6 + 0.4 * np.sin(2.0 * np.pi * 7.0 * time))
    return (np.stack([0.3 * chord, 0.2 * chord]) + noise) * swell


def moved(spec: ProcessorSpec, name: str, points: tuple[SettingPoint, ...], samples: Audio, block: int = FRAMES):
    """Return what comes out, and the latency."""
    chain = Chain((spec,), RATE, 2, (MovingSetting(0, name, points),))
    parts = [
        chain.process(np.ascontiguousarray(samples[:, at : at + block]), at) for at in range(0, samples.shape[1], block)
    ]
    return np.concatenate(parts, axis=1), chain.latency_frames


def test_every_setting_moves_or_is_declared_structure():
    """What cannot be automated is listed here with its reason; every other setting of the console has a processor."""
    fixed = {
        owner: {name for name, entry in entries.items() if entry.smoothing is Smoothing.FIXED}
        for owner, entries in PROCESSORS.items()
    }
    assert {owner: names for owner, names in fixed.items() if names} == FIXED
    assert {owner for owner, _ in MOVES} == set(SPECS)


@pytest.mark.parametrize(("owner", "name"), MOVES)
def test_standing_still_is_the_static_render(owner: str, name: str):
    """An automation that keeps the written value gives the static render within -120 dBFS."""
    spec, full_name, value = spec_of(owner, name)
    samples = music()
    got, _ = moved(spec, full_name, (SettingPoint(100, value), SettingPoint(7_003, value, "hold")), samples)
    still = spec.prepare(RATE, 2).process(samples, 0)
    assert np.abs(got - still).max() <= 1e-6


@pytest.mark.parametrize(("owner", "name"), MOVES)
def test_a_step_takes_effect_at_its_frame(owner: str, name: str):
    """Up to the frame of a held step nothing has changed, wherever it lies; then the setting is on its way."""
    spec, full_name, _ = spec_of(owner, name)
    low, high = range_of(owner, name)
    step, samples = 7_003, music()
    points = (SettingPoint(0, low, "hold"), SettingPoint(step, high))
    got, latency = moved(spec, full_name, points, samples)
    still, _ = moved(spec, full_name, (SettingPoint(0, low),), samples)
    changed = np.flatnonzero(np.abs(got - still).max(axis=0) > 0.0)
    assert changed.size
    assert changed[0] > step + latency - 1
    # How soon it can be heard depends on the music: a release shows when something is let go.
    assert changed[0] <= step + latency + math.ceil(HOLD_RAMP_S * RATE) + 2_400


@pytest.mark.parametrize(("owner", "name"), MOVES)
def test_blocks_cannot_be_seen(owner: str, name: str):
    """Points off every grid, of every shape, give the same bits for any block size."""
    spec, full_name, _ = spec_of(owner, name)
    low, high = range_of(owner, name)
    shapes = ("linear", "hold", "smooth", "early", "late")
    points = tuple(SettingPoint(31 + 401 * k, high if k % 2 else low, shape) for k, shape in enumerate(shapes))
    samples = np.ascontiguousarray(music()[:, :2_600])
    whole, _ = moved(spec, full_name, points, samples)
    for block in (1_000, 77):
        assert moved(spec, full_name, points, samples, block)[0].tobytes() == whole.tobytes()


@pytest.mark.parametrize(("owner", "name"), MOVES)
def test_no_click(owner: str, name: str):
    """Under a slow tone nothing steps: moved in a quarter of a second, or held and let go, it stays smooth.

    The measure is the largest second difference against those of both renders at rest, with 12 dB of room for products
    of the move itself; a step of a hundredth of the tone would be 40 dB over it.
    """
    spec, full_name, _ = spec_of(owner, name)
    low, high = range_of(owner, name)
    time = np.arange(2 * FRAMES) / RATE
    tone = np.stack([0.4 * np.sin(2.0 * np.pi * 100.0 * time), 0.3 * np.sin(2.0 * np.pi * 100.0 * time)])
    tone *= np.minimum(time * 20.0, 1.0) ** 2 * (3.0 - 2.0 * np.minimum(time * 20.0, 1.0))

    def roughness(points: tuple[SettingPoint, ...]) -> float:
        result, _ = moved(spec, full_name, points, tone)
        return float(np.abs(np.diff(result[:, 6_000:], 2)).max())

    rest = max(
        roughness((SettingPoint(0, low),)), roughness((SettingPoint(0, high),)), 0.3 * (2 * np.pi * 100 / RATE) ** 2
    )
    assert roughness((SettingPoint(8_000, low), SettingPoint(20_000, high, "smooth"))) <= 4.0 * rest
    # A held value jumps within 5 ms: as fast as a mute button, and no faster.
    jump = 1.0 / (HOLD_RAMP_S * RATE)
    assert roughness((SettingPoint(8_000, low, "hold"), SettingPoint(14_001, high))) <= 4.0 * rest + jump


@pytest.mark.parametrize(
    "spec",
    [
        Compressor(-30.0, 8.0, 0.0),
        Compressor(-30.0, 8.0, 0.0, rms_ms=5.0),
        DynamicEq(150.0, 0.5, ratio=8.0, attack_ms=0.0),
    ],
)
@pytest.mark.parametrize(("name", "low", "high"), [("threshold_db", -40.0, -10.0), ("ratio", 1.5, 20.0)])
def test_a_detector_without_attack_does_not_click(spec: ProcessorSpec, name: str, low: float, high: float):
    """Nothing smooths what a quick detector asks for, so its threshold moves by the frame and its ratio nearly so."""
    time = np.arange(24_000) / RATE
    tone = np.tile(0.4 * np.sin(2.0 * np.pi * 100.0 * time) * np.minimum(time * 20.0, 1.0), (2, 1))

    def roughness(points: tuple[SettingPoint, ...]) -> float:
        result, _ = moved(spec, name, points, tone)
        return float(np.abs(np.diff(result[:, 6_000:], 2)).max())

    rest = max(roughness((SettingPoint(0, low),)), roughness((SettingPoint(0, high),)), 2e-4)
    # A peak detector bends where it takes a new peak, which a falling threshold makes it do in every period.
    assert roughness((SettingPoint(8_000, high), SettingPoint(20_000, low, "smooth"))) <= 6.0 * rest
    assert roughness((SettingPoint(8_000, high, "hold"), SettingPoint(14_001, low))) <= 4.0 * rest + 1.0 / 240.0


@pytest.mark.parametrize("band", BANDS)
def test_a_band_is_the_same_before_and_after_it_moves(band: Bell | LowShelf | HighShelf | Tilt | Notch):
    """A band that is automated in the middle of a song has its response at rest before and after."""
    spec, samples = ParametricEq((band,)), music()
    still = spec.prepare(RATE, 2).process(samples, 0)
    points = (SettingPoint(4_000, band.frequency_hz), SettingPoint(5_000, 1.5 * band.frequency_hz))
    points += (SettingPoint(6_000, band.frequency_hz),)
    got, _ = moved(spec, "bands.0.frequency_hz", points, samples)
    assert np.abs(got - still)[:, :4_000].max() <= 1e-9
    assert np.abs(got - still)[:, 4_000:6_000].max() > 1e-3
    assert np.abs(got - still)[:, 10_000:].max() <= 1e-4


def test_faders_are_exact_at_every_frame():
    """Between breakpoints a fader, pan or send has the value of its shape at each frame, a held one until its point."""
    points = (GainPoint(10, -6.0, "hold"), GainPoint(1_003, 0.0, "linear"), GainPoint(2_007, -12.0))
    values = curve(compiled(points, RATE), 0, 3_000, decibels=False)
    assert (values[:1_004] == -6.0).all()
    assert values[1_004] > -6.0
    ramp = round(HOLD_RAMP_S * RATE)
    rest = np.arange(1_003 + ramp, 2_007)
    expected = -12.0 * (rest - 1_003 - ramp) / (2_007 - 1_003 - ramp)
    assert np.abs(values[1_003 + ramp : 2_007] - expected).max() <= 1e-9
    assert (values[2_007:] == -12.0).all()


def test_an_insert_on_the_middle_moves_too():
    """Middle and sides pass moves on to the one processor that they hold."""
    samples = music()
    got, _ = moved(MidSide(side=(Gain(0.0),)), "gain_db", (SettingPoint(0, -144.0),), samples)
    assert np.abs(got - 0.5 * (samples[0] + samples[1])).max() <= 1e-15


def test_points_out_of_range_are_refused_before_anything_sounds():
    """A value that the setting does not take, or an off switch, is refused when the chain is made."""
    for spec, name, value in (
        (Delay(100.0), "lowpass_hz", 0.0),
        (Compressor(-20.0, 2.0), "ratio", 200.0),
        (ParametricEq((Bell(900.0, 1.0),)), "bands.0.frequency_hz", 0.495 * RATE),
        (DynamicEq(900.0), "frequency_hz", 0.46 * RATE),
    ):
        with pytest.raises(ParameterError):
            moved(spec, name, (SettingPoint(0, value),), music())


def test_a_tail_is_that_of_the_longest_setting():
    """A reverb or echo whose decay moves is rendered as long as its longest point rings."""
    for spec, name, value in ((PlateReverb(0.5), "decay_s", 3.0), (Delay(50.0, 0.1), "feedback", 0.8)):
        longest = Chain((spec,), RATE, 2, (MovingSetting(0, name, (SettingPoint(0, value), SettingPoint(9, 0.2))),))
        static = type(spec)(**{name: value, "time_ms": 50.0} if isinstance(spec, Delay) else {name: value})
        assert longest.tail_frames == static.prepare(RATE, 2).tail_frames
