"""The cutting into blocks cannot be seen in any sample: random mixes, masters and meters, random block sizes."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapelog_dsp import (
    ArrayReader,
    Audio,
    Bell,
    BusSpec,
    Compressor,
    DeEsser,
    Delay,
    Dither,
    DriveRide,
    DynamicEq,
    Gain,
    GainPoint,
    Gate,
    HighPass,
    HighShelf,
    LowPass,
    LowShelf,
    MasterChain,
    MasterSpec,
    Meter,
    MidSide,
    MixGraph,
    MixSpec,
    MonoMaker,
    MovingSetting,
    Notch,
    ParametricEq,
    PlateReverb,
    Polarity,
    RoomReverb,
    Saturation,
    SendSpec,
    SettingPoint,
    Tilt,
    TimeAlign,
    TrackSpec,
    TransientShaper,
    TruePeakLimiter,
    Width,
    limit_blocks,
    render,
)
from tapelog_dsp.processors.chain import Chain

NEUTRAL = {
    "gain": Gain(0.0),
    "equaliser": ParametricEq((Bell(900.0, 0.0), LowShelf(90.0, 0.0), HighShelf(5_000.0, 0.0), Tilt(700.0, 0.0))),
    "compressor": Compressor(-30.0, 1.0, rms_ms=3.0),
    "gate": Gate(-10.0, range_db=0.0),
    "de-esser": DeEsser(5_000.0, range_db=0.0),
    "dynamic equaliser": DynamicEq(900.0, range_db=0.0),
    "transient shaper": TransientShaper(),
    "saturation": Saturation(0.0),
    "middle and sides": MidSide(),
    "time": TimeAlign(0.0),
    "width": Width(1.0),
    "delay": Delay(30.0, mix=0.0),
    "plate": PlateReverb(mix=0.0),
    "room": RoomReverb(mix=0.0),
}
MOVING = {
    "gain": (Gain(), "gain_db", -20.0, 6.0),
    "width": (Width(), "width", 0.0, 2.0),
    "high-pass": (HighPass(100.0, 24), "cutoff_hz", 60.0, 3_000.0),
    "low-pass": (LowPass(5_000.0), "cutoff_hz", 7_000.0, 200.0),
    "bell": (ParametricEq((Bell(900.0, 3.0), Notch(50.0))), "bands.0.gain_db", -12.0, 12.0),
    "shelf": (ParametricEq((LowShelf(200.0, 3.0),)), "bands.0.frequency_hz", 100.0, 2_000.0),
    "tilt": (ParametricEq((Tilt(800.0, 3.0),)), "bands.0.gain_db", -6.0, 6.0),
    "threshold": (Compressor(-30.0, 4.0), "threshold_db", -40.0, 0.0),
    "make-up": (Compressor(-30.0, 4.0), "makeup_db", 0.0, 12.0),
    "mix": (Compressor(-30.0, 4.0), "mix", 0.0, 1.0),
    "gate": (Gate(-20.0), "threshold_db", -60.0, 0.0),
}
FRAMES = 2_500
RATE = 16_000
SIZES = [1, 13, 64, 333, 1_000, 4_096]

PROCESSORS = {
    "gain": Gain(-1.3),
    "polarity": Polarity(),
    "high-pass": HighPass(90.0, 18),
    "low-pass": LowPass(5_000.0, 24),
    "equaliser": ParametricEq((LowShelf(120.0, 3.0), Bell(900.0, -4.0, 2.0), Notch(50.0), HighShelf(5_000.0, 2.0))),
    "compressor": Compressor(-30.0, 3.0, 2.0, 40.0),
    "glue": Compressor(-30.0, 2.0, sidechain_highpass_hz=100.0, rms_ms=10.0, lookahead_ms=1.7, mix=0.6),
    "delay": Delay(31.0, 0.5, 0.4, 100.0, 3_000.0),
    "plate": PlateReverb(decay_s=0.3, predelay_ms=5.0, mix=0.5),
    "filters of the key": Compressor(-30.0, 3.0, sidechain_highpass_hz=200.0, sidechain_lowpass_hz=3_000.0),
    "gate": Gate(-14.0, 6.0, 30.0, hold_ms=3.0, release_ms=10.0, lookahead_ms=1.0),
    "expander": Gate(-10.0, ratio=2.0, sidechain_highpass_hz=100.0),
    "de-esser": DeEsser(5_000.0, sensitivity_db=-9.0),
    "dynamic equaliser": DynamicEq(900.0, 2.0, -30.0, 4.0, -9.0, 2.0, 40.0),
    "transient shaper": TransientShaper(6.0, -6.0),
    "saturation": Saturation(12.0, 0.2, -3.0),
    "tilt": ParametricEq((Tilt(800.0, 4.0),)),
    "mono bass": MonoMaker(150.0),
    "middle and sides": MidSide((Compressor(-30.0, 3.0, lookahead_ms=1.0),), (ParametricEq((LowShelf(300.0, 4.0),)),)),
    "time": TimeAlign(3.47),
    "ping-pong": Delay(31.0, 0.5, 0.4, ping_pong=True),
    "room": RoomReverb(decay_s=0.3, size_m=6.0, predelay_ms=3.0, mix=0.5),
    "limiter": TruePeakLimiter(-12.0, 2.0, 5.0, 20.0),
}


def noise(seed: int, channels: int = 2):
    """Return seeded noise that swells."""
    random = np.random.default_rng(seed)
    return random.uniform(-0.8, 0.8, (channels, FRAMES)) * np.linspace(0.05, 1.0, FRAMES)


def cut(samples: Audio, sizes: Iterable[int]):
    """Cut into blocks of the given sizes, the last one repeated as often as needed."""
    start, sizes = 0, list(sizes)
    while start < samples.shape[1]:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        yield np.ascontiguousarray(samples[:, start : start + size])
        start += size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PROCESSORS)
def test_processors(name: str, size: int):
    """Every processor gives the same bits for any block size, and its latency and tail do not depend on it."""
    samples = noise(1)
    whole = PROCESSORS[name].prepare(RATE, 2).process(samples, 0)
    running = PROCESSORS[name].prepare(RATE, 2)
    clock, parts = 0, []
    for block in cut(samples, [size]):
        parts.append(running.process(block, clock))
        clock += block.shape[1]
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors_leave_their_input_alone(name: str):
    """No processor writes into the block that it is given, and each starts afresh after a reset."""
    samples = noise(2)
    kept = samples.copy()
    running = PROCESSORS[name].prepare(RATE, 2)
    first = running.process(samples, 0).copy()
    assert (samples == kept).all()
    running.reset()
    assert (running.process(samples, 0) == first).all()


@pytest.mark.parametrize("rate", [44_100, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", NEUTRAL)
def test_neutral_settings_null(name: str, channels: int, rate: int):
    """At rest every processor gives its input back within -240 dB."""
    if channels == 1 and name in {"middle and sides", "width"}:
        pytest.skip("a stereo tool")
    samples = noise(7, channels)
    running = NEUTRAL[name].prepare(rate, channels)
    assert running.latency_frames == 0
    assert np.abs(running.process(samples, 0) - samples).max() <= 1e-12


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - {"limiter"}))
@pytest.mark.parametrize("rate", [44_100, 192_000])
def test_nothing_but_numbers_comes_out(name: str, rate: int):
    """Silence, full-scale steps, tiny numbers and +60 dBFS come out finite at the lowest and the highest rate."""
    hard = np.zeros((2, 4_000))
    hard[:, 500:900] = 1.0
    hard[0, 900:1_300] = -1.0
    hard[:, 1_500:2_000] = 1e-300
    hard[:, 2_500:2_600] = 1_000.0
    assert np.isfinite(PROCESSORS[name].prepare(rate, 2).process(hard, 0)).all()


@pytest.mark.parametrize("size", [1, 33, 1_000])
@pytest.mark.parametrize("name", MOVING)
def test_moving_settings(name: str, size: int):
    """A setting that moves gives the same bits for any block size, from any song time on."""
    spec, setting, low, high = MOVING[name]
    points = (SettingPoint(-50, low), SettingPoint(700, high, "smooth"), SettingPoint(2_000, low, "hold"))
    points += (SettingPoint(2_300, high),)

    def run(sizes: list[int]) -> bytes:
        chain = Chain((spec,), RATE, 2, (MovingSetting(0, setting, points),))
        clock, parts = -77, []
        for block in cut(noise(8), sizes):
            parts.append(chain.process(block, clock))
            clock += block.shape[1]
        return np.concatenate(parts, axis=1).tobytes()

    assert run([size]) == run([FRAMES])


@pytest.mark.parametrize("name", sorted(set(PROCESSORS) - {"limiter"}))
def test_tails_are_long_enough(name: str):
    """After the declared tail nothing above -100 dB of the input is left."""
    running = PROCESSORS[name].prepare(RATE, 2)
    running.process(noise(3), 0)
    after = running.process(np.zeros((2, running.latency_frames + running.tail_frames + 4_000)), FRAMES)
    assert np.abs(after[:, running.latency_frames + running.tail_frames :]).max() <= 1e-5


sizes = st.lists(st.integers(1, 700), min_size=1, max_size=6)
levels = st.floats(-30.0, 6.0).map(lambda value: round(value, 2))
pans = st.floats(-1.0, 1.0).map(lambda value: round(value, 2))
ANYWHERE = [
    spec
    for spec in PROCESSORS.values()
    if not isinstance(spec, MonoMaker | MidSide) and spec != PROCESSORS["ping-pong"]
]
chains = st.lists(st.sampled_from(ANYWHERE), max_size=2).map(tuple)
points = st.lists(st.tuples(st.integers(0, FRAMES), levels, st.sampled_from(["linear", "hold"])), max_size=4).map(
    lambda rows: tuple(GainPoint(*row) for row in sorted({row[0]: row for row in rows}.values()))
)


@st.composite
def mixes(draw: st.DrawFn):
    """Draw a mix of three tracks, a group, an effect and a mix node, each with random settings."""
    send = st.builds(SendSpec, st.just("fx"), levels, st.booleans())
    track = {
        "gain_db": levels,
        "pan": pans,
        "polarity_inverted": st.booleans(),
        "start_frame": st.integers(0, 900),
        "processors": chains,
        "sends": st.lists(send, max_size=2).map(tuple),
        "output_bus": st.sampled_from(["mix", "group"]),
        "gain_automation": points,
    }
    tracks = tuple(draw(st.builds(TrackSpec, st.just(f"t{k}"), st.just(1 + k % 2), **track)) for k in range(3))
    group = BusSpec("group", draw(levels), draw(pans), processors=draw(chains), sends=(SendSpec("fx", draw(levels)),))
    effect = BusSpec("fx", processors=draw(chains), gain_automation=draw(points))
    return MixSpec(RATE, tracks, (effect, group), processors=draw(chains), gain_automation=draw(points))


def rendered(spec: MixSpec, block_frames: int):
    """Return the bits of the mix and of two taps."""
    graph = MixGraph(spec, taps=("fx", "t1"))
    readers = {f"t{k}": ArrayReader(noise(10 + k, 1 + k % 2)) for k in range(3)}
    blocks = list(render(graph, readers, block_frames=block_frames))
    parts = [[block.mix, block.taps["fx"], block.taps["t1"]] for block in blocks]
    assert [block.start_frame for block in blocks] == np.cumsum([0, *(p[0].shape[1] for p in parts[:-1])]).tolist()
    return [np.concatenate(column, axis=1).tobytes() for column in zip(*parts, strict=True)]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(spec=mixes(), block_frames=st.integers(40, 3_000))
def test_whole_mixes(spec: MixSpec, block_frames: int):
    """A random mix has the same bits, the same taps and the same length for a random block size."""
    assert rendered(spec, block_frames) == rendered(spec, 1_024)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(cuts=sizes, drive_db=levels, bits=st.sampled_from([16, 24]))
def test_whole_masters(cuts: list[int], drive_db: float, bits: int):
    """A chain and a drive that move, limiter and dither together give the same whole numbers for random block sizes."""

    def master(sizes: Iterable[int]) -> npt.NDArray[np.int32]:
        moves = MovingSetting(0, "bands.1.gain_db", (SettingPoint(300, -4.0), SettingPoint(2_000, 6.0)))
        spec = MasterSpec(RATE, (PROCESSORS["equaliser"], PROCESSORS["glue"], Width(1.2)), automation=(moves,))
        chain, ride = MasterChain(spec), DriveRide((GainPoint(400, 0.0), GainPoint(1_900, 5.0, "smooth")))
        dither = Dither(bits=bits, digest=b"\7" * 32, channels=2)
        ridden = ride.blocks(chain.blocks(cut(noise(5), sizes)), sample_rate=RATE)
        limited = limit_blocks(ridden, sample_rate=RATE, drive_db=drive_db)
        return np.concatenate([dither.process(block)[0] for block in limited], axis=1)

    wanted = master([FRAMES])
    got = master(cuts)
    assert got.shape == wanted.shape == (2, FRAMES)
    assert (got == wanted).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(cuts=sizes, rate=st.sampled_from([8_000, 11_025, 44_100]))
def test_meters(cuts: list[int], rate: int):
    """Loudness, range and true peak read exactly the same for random block sizes."""

    def measured(sizes: Iterable[int]) -> tuple[object, ...]:
        meter = Meter(rate, 2)
        samples = np.tile(noise(6), (1, 12))
        for block in cut(samples, sizes):
            meter.add(block)
        reading = meter.result()
        loudness = reading.loudness
        return (
            reading.true_peak,
            loudness.integrated_lufs,
            loudness.range_lu,
            loudness.momentary_max_lufs,
            loudness.momentary_lufs.tobytes(),
            loudness.short_term_lufs.tobytes(),
        )

    assert measured(cuts) == measured([30_000])
