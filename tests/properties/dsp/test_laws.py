"""The laws of the core, for every processor that it has, at 44.1 to 192 kHz, mono and stereo."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import tapelog_dsp
from tapelog.common.v1.recipe_pb2 import Processor
from tapelog_dsp import (
    ArrayReader,
    Audio,
    AudioError,
    BandDynamics,
    Bell,
    BusSpec,
    Clipper,
    Compressor,
    ConvolutionReverb,
    CurveEq,
    DeEsser,
    Delay,
    DynamicEq,
    Exciter,
    Gain,
    Gate,
    HighPass,
    HighShelf,
    Impulse,
    LevelMeter,
    LinearPhaseEq,
    LowPass,
    LowShelf,
    MasterChain,
    MasterSpec,
    Meter,
    MidSide,
    MixGraph,
    MixSpec,
    MonoMaker,
    Multiband,
    Notch,
    ParametricEq,
    PlateReverb,
    Polarity,
    ProcessorSpec,
    RoomReverb,
    Saturation,
    Tilt,
    TimeAlign,
    TrackSpec,
    TransientShaper,
    TruePeakLimiter,
    Width,
    limit_blocks,
    render,
)
from tapelog_dsp.kernels.fft import fft
from tapelog_dsp.meters.fullscale import FullScaleMeter
from tapelog_parameters import PROCESSORS
from tapelog_recipe import PROCESSOR_KINDS

RATES = (44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
EDGE_RATES = (44_100, 192_000)
FRAMES = 3_000

BANDS = (LowShelf(120.0, 3.0), Bell(900.0, -4.0, 2.0), Notch(50.0), HighShelf(9_000.0, 2.0), Tilt(700.0, 2.0))
ANSWER = Impulse(np.random.default_rng(9).standard_normal((4, 900)) * np.exp(-np.arange(900) / 200.0), 48_000)
HARD = tuple(BandDynamics(-30.0, 3.0, 2.0, 40.0, gain_db=1.0) for _ in range(3))

WORKING: dict[str, ProcessorSpec] = {
    "Gain": Gain(-1.3),
    "Polarity": Polarity(),
    "Width": Width(1.4),
    "HighPass": HighPass(90.0, 18),
    "LowPass": LowPass(5_000.0, 30),
    "ParametricEq": ParametricEq(BANDS),
    "Compressor": Compressor(-30.0, 3.0, 2.0, 40.0, sidechain_highpass_hz=90.0, lookahead_ms=1.0, mix=0.7),
    "Gate": Gate(-14.0, 6.0, 30.0, hold_ms=3.0, release_ms=10.0, lookahead_ms=1.0),
    "DeEsser": DeEsser(5_000.0, sensitivity_db=-9.0),
    "DynamicEq": DynamicEq(900.0, 2.0, -30.0, 4.0, -9.0, 2.0, 40.0),
    "TransientShaper": TransientShaper(6.0, -6.0),
    "Saturation": Saturation(12.0, 0.2, -3.0, oversampling=4),
    "MonoMaker": MonoMaker(150.0),
    "MidSide": MidSide((Compressor(-30.0, 3.0, lookahead_ms=1.0),), (ParametricEq(BANDS),)),
    "TimeAlign": TimeAlign(3.47),
    "Delay": Delay(31.0, 0.5, 0.4, 100.0, 3_000.0),
    "PlateReverb": PlateReverb(decay_s=0.3, predelay_ms=5.0, mix=0.5),
    "RoomReverb": RoomReverb(decay_s=0.3, size_m=6.0, predelay_ms=3.0, mix=0.5),
    "ConvolutionReverb": ConvolutionReverb(ANSWER, 2.0, 0.5),
    "Multiband": Multiband((200.0, 3_000.0), HARD),
    "Clipper": Clipper(-12.0, 3.0),
    "Exciter": Exciter(),
    "LinearPhaseEq": LinearPhaseEq(BANDS[:2], 40.0),
    "CurveEq": CurveEq(((50.0, 2.0), (1_000.0, -2.0), (12_000.0, 4.0)), length_ms=40.0),
    "TruePeakLimiter": TruePeakLimiter(-12.0),
}
NEUTRAL: dict[str, ProcessorSpec] = {
    "Gain": Gain(0.0),
    "Width": Width(1.0),
    "ParametricEq": ParametricEq(tuple(replace(band, gain_db=0.0) for band in BANDS if not isinstance(band, Notch))),
    "Compressor": Compressor(-30.0, 1.0, rms_ms=3.0, sidechain_highpass_hz=90.0),
    "Gate": Gate(-10.0, range_db=0.0),
    "DeEsser": DeEsser(5_000.0, range_db=0.0),
    "DynamicEq": DynamicEq(900.0, range_db=0.0),
    "TransientShaper": TransientShaper(),
    "Saturation": Saturation(0.0, oversampling=8),
    "MidSide": MidSide(),
    "TimeAlign": TimeAlign(0.0),
    "Delay": Delay(30.0, mix=0.0),
    "PlateReverb": PlateReverb(mix=0.0),
    "RoomReverb": RoomReverb(mix=0.0),
    "ConvolutionReverb": ConvolutionReverb(ANSWER, mix=0.0),
    "Multiband": Multiband(),
    "Clipper": Clipper(0.0, 0.0),
    "Exciter": Exciter(amount_db=-144.0),
    "LinearPhaseEq": LinearPhaseEq(),
    "CurveEq": CurveEq(((50.0, 0.0), (12_000.0, 0.0))),
    "TruePeakLimiter": TruePeakLimiter(0.0),
}
NEVER_NEUTRAL = {"Polarity", "HighPass", "LowPass", "MonoMaker"}
"""What they are for cannot be set to nothing."""

STEREO_ONLY = {"Width", "MidSide", "MonoMaker"}
IN_THE_CORE = {"Equalizer": "ParametricEq", "Reverb": "PlateReverb", "Convolution": "ConvolutionReverb"}
"""A recipe's word -> the core's, where they differ."""

PARTS_OF_OTHERS = {"EqBand", "Notch", "BandDynamics"}
IN_AN_EQUALISER = {"Bell", "LowShelf", "HighShelf", "Notch", "Tilt"}
LATE_BY_DESIGN = {"TimeAlign", "Delay"}
SPREADS_AN_IMPULSE = {"Multiband", "MonoMaker", "LowPass"}
"""They move energy over time; what arrives first is no peak."""


def cases(rates: tuple[int, ...] = RATES) -> Iterator[tuple[str, int, int]]:
    """Yield every processor with every channel count that it takes and every rate."""
    for name in WORKING:
        for channels in (1, 2):
            if not (channels == 1 and name in STEREO_ONLY):
                yield from ((name, channels, rate) for rate in rates)


def noise(channels: int, seed: int = 1) -> Audio:
    """Return seeded noise that swells."""
    swell = np.linspace(0.05, 1.0, FRAMES)
    return np.random.default_rng(seed).uniform(-0.7, 0.7, (channels, FRAMES)) * swell


def test_every_processor_is_under_the_laws():
    """A processor that the package exports and this table lacks fails here."""
    found = {name for name in tapelog_dsp.__all__ if hasattr(getattr(tapelog_dsp, name), "prepare")}
    assert found - {"ProcessorSpec"} - IN_AN_EQUALISER == set(WORKING)
    assert set(WORKING) - NEVER_NEUTRAL == set(NEUTRAL)


def test_every_processor_of_the_table_is_under_the_laws():
    """So does a processor of the one table of settings, or of a recipe, that this table lacks."""
    assert set(PROCESSORS) - PARTS_OF_OTHERS == set(WORKING) - {"ParametricEq"}
    inserts = {Processor.DESCRIPTOR.fields_by_name[kind].message_type.name for kind in PROCESSOR_KINDS}
    assert {IN_THE_CORE.get(name, name) for name in inserts} <= set(WORKING)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6])
def test_meters_do_not_see_blocks(channels: int, rate: int):
    """Loudness, true peak, levels and full-scale runs read the same bits for random blocks, mono to 5.1."""
    samples = np.clip(1.6 * np.tile(noise(channels), (1, 8)), -1.0, 1.0)
    random = np.random.default_rng(rate + channels)

    def read(longest: int) -> tuple[object, ...]:
        meter, levels = Meter(rate, channels), LevelMeter(rate, channels)
        runs = FullScaleMeter(channels, low=1.0, high=1.0, least=2)
        start = 0
        while start < samples.shape[1]:
            stop = min(start + int(random.integers(1, longest)), samples.shape[1])
            for one in (meter, levels, runs):
                one.add(np.ascontiguousarray(samples[:, start:stop]))
            start = stop
        heard, level = meter.result(), levels.result()
        loudness = heard.loudness
        return (
            heard.true_peak, loudness.integrated_lufs, loudness.momentary_max_lufs, loudness.momentary_lufs.tobytes(),
            level.rms_dbfs, level.correlation_p5, level.peaks.tobytes(), level.dc, runs.peaks, runs.clipped_samples,
        )  # fmt: skip

    assert read(2_000) == read(2 * samples.shape[1])


@pytest.mark.parametrize(("name", "channels", "rate"), list(cases()))
def test_blocks_cannot_be_seen(name: str, channels: int, rate: int):
    """Blocks of random lengths give the bits of the whole, the input is left alone, and a reset starts afresh."""
    samples, random = noise(channels), np.random.default_rng(rate)
    kept = samples.copy()
    running = WORKING[name].prepare(rate, channels)
    whole = running.process(samples, 0).copy()
    assert (samples == kept).all()
    running.reset()
    parts, start = [], 0
    while start < FRAMES:
        stop = min(start + int(random.integers(1, 900)), FRAMES)
        parts.append(running.process(np.ascontiguousarray(samples[:, start:stop]), start))
        start = stop
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


@pytest.mark.parametrize(("name", "channels", "rate"), [case for case in cases() if case[0] in NEUTRAL])
def test_neutral_settings_null(name: str, channels: int, rate: int):
    """At rest every processor gives its input back, its latency later, within -240 dB."""
    samples = noise(channels)
    running = NEUTRAL[name].prepare(rate, channels)
    fed = np.concatenate((samples, np.zeros((channels, running.latency_frames))), axis=1)
    got = running.process(fed, 0)[:, running.latency_frames :]
    assert np.abs(got - samples).max() <= 1e-12


@pytest.mark.parametrize("rate", RATES)
def test_a_neutral_mix_nulls(rate: int):
    """A stereo track through a sub-group and the mix bus, every insert at rest, is its source within -140 dBFS."""
    inserts = tuple(
        spec for name, spec in NEUTRAL.items() if name not in {"MidSide", "TruePeakLimiter", "LinearPhaseEq"}
    )
    spec = MixSpec(
        rate, (TrackSpec("t", processors=inserts, output_bus="group"),), (BusSpec("group", processors=(Width(1.0),)),)
    )
    samples = noise(2)
    mix = np.concatenate([one.mix for one in render(MixGraph(spec), {"t": ArrayReader(samples)})], axis=1)
    assert np.abs(mix[:, :FRAMES] - samples).max() <= 1e-7


@pytest.mark.parametrize(("name", "channels", "rate"), list(cases(EDGE_RATES)))
def test_only_numbers_come_out(name: str, channels: int, rate: int):
    """Silence, full-scale steps, tiny numbers and +60 dBFS come out finite."""
    hard = np.zeros((channels, 4_000))
    hard[:, 500:900] = 1.0
    hard[0, 900:1_300] = -1.0
    hard[:, 1_500:2_000] = 1e-300
    hard[:, 2_500:2_600] = 1_000.0
    assert np.isfinite(WORKING[name].prepare(rate, channels).process(hard, 0)).all()


@pytest.mark.parametrize(("name", "channels", "rate"), list(cases(EDGE_RATES)))
def test_latency_is_exact(name: str, channels: int, rate: int):
    """A faint impulse leaves no earlier than it came, and peaks exactly the declared latency later."""
    if name in LATE_BY_DESIGN | SPREADS_AN_IMPULSE:
        pytest.skip("moving or spreading the signal is its purpose")
    spec = WORKING[name]
    if hasattr(spec, "mix"):
        spec = replace(spec, mix=min(spec.mix, 0.3))  # type: ignore[type-var]  # every spec is a dataclass
    running = spec.prepare(rate, channels)
    samples = np.zeros((channels, 1_000 + running.latency_frames + 4_000))
    samples[:, 1_000] = 1e-4
    got = np.abs(running.process(samples, 0)[0])
    assert int(got.argmax()) == 1_000 + running.latency_frames


@pytest.mark.parametrize(("name", "channels", "rate"), list(cases(EDGE_RATES)))
def test_tails_are_long_enough(name: str, channels: int, rate: int):
    """After latency and declared tail nothing above -100 dB of the input is left."""
    running = WORKING[name].prepare(rate, channels)
    running.process(noise(channels), 0)
    rest = running.latency_frames + running.tail_frames
    after = running.process(np.zeros((channels, rest + 2_000)), FRAMES)
    assert np.abs(after[:, rest:]).max() <= 1e-5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_does_not_come_in(bad: float):
    """At every door of the core a sample that is not finite is refused, so that none can come out."""
    samples = noise(2)
    samples[1, 1_234] = bad
    with pytest.raises(AudioError, match="finite"):
        list(render(MixGraph(MixSpec(48_000, (TrackSpec("t"),))), {"t": ArrayReader(samples)}))
    with pytest.raises(AudioError, match="finite"):
        list(MasterChain(MasterSpec(48_000, (Gain(1.0),))).blocks([samples]))
    with pytest.raises(AudioError, match="finite"):
        list(limit_blocks([samples], sample_rate=48_000, drive_db=1.0))


@pytest.mark.parametrize("rate", [44_100, 96_000, 192_000])
@pytest.mark.parametrize("splits", [(120.0,), (20.0, 200.0, 2_000.0, 16_000.0), (60.0, 90.0, 135.0)])
def test_crossovers_sum_flat(rate: int, splits: tuple[float, ...]):
    """Bands at unit gain sum to an all-pass within 1e-9 dB at every frequency up to half of any rate."""
    bands = (*(BandDynamics() for _ in splits), BandDynamics(gain_db=1e-12))
    running = Multiband(splits, bands).prepare(rate, 1)
    frames = 1 << 20
    impulse = np.zeros((1, frames))
    impulse[0, 0] = 1.0
    answer = running.process(impulse, 0)[0]
    real, imaginary = fft(answer, np.zeros(frames))
    level_db = 10.0 * np.log10(real * real + imaginary * imaginary)
    assert np.abs(level_db).max() <= 1e-9
