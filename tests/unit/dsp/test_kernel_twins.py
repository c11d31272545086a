"""Every kernel against its plain twin: equal bits, on every instruction set of this processor."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tapelog_dsp import (
    Bell,
    BusSpec,
    Compressor,
    Delay,
    Gain,
    GainPoint,
    Gate,
    HighPass,
    HighShelf,
    MixGraph,
    MixSpec,
    ParametricEq,
    PlateReverb,
    RoomReverb,
    Saturation,
    SendSpec,
    TrackSpec,
)
from tapelog_dsp.automation import compiled
from tapelog_dsp.design.interpolators import Interpolator, hann49, itu48, long128
from tapelog_dsp.kernels import console, dynamics, effects, glide, interpolation, pcm, recursion, saturate
from tapelog_dsp.kernels.twins import console as plain_console
from tapelog_dsp.kernels.twins import dynamics as plain_dynamics
from tapelog_dsp.kernels.twins import effects as plain_effects
from tapelog_dsp.kernels.twins import glide as plain_glide
from tapelog_dsp.kernels.twins import interpolation as plain_interpolation
from tapelog_dsp.kernels.twins import pcm as plain_pcm
from tapelog_dsp.kernels.twins import recursion as plain_recursion
from tapelog_dsp.kernels.twins import saturate as plain_saturate
from tapelog_dsp.processors.saturation import _ways
from tapelog_dsp.units import exp2

pytestmark = pytest.mark.usefixtures("each_isa")


def same_bits(one: npt.NDArray[Any], other: npt.NDArray[Any]):
    """Tell whether two arrays are equal bit for bit."""
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_log2(random: np.random.Generator):
    """log2 equals its twin bit for bit, and the true logarithm to 2e-15 relative to its size or 1."""
    values = np.concatenate((np.exp(random.uniform(-40, 10, 5000)), [1.0, 2.0, 0.5, math.sqrt(2.0), 1e-10]))
    got = console.log2_array(values)
    assert same_bits(got, plain_console.log2_array(values))
    true = np.array([math.log2(value) for value in values])
    assert np.abs(got - true).max() <= 1e-14
    assert got[-5:-2].tolist() == [0.0, 1.0, -1.0]


def test_exp2(random: np.random.Generator):
    """exp2 equals both its twins bit for bit, and the true power to 5e-16 relative."""
    exponents = np.concatenate((random.uniform(-60, 10, 5000), [0.0, 1.0, -1.0, 0.5, -0.5, 2000.0, -2000.0]))
    got = console.exp2_array(exponents)
    assert same_bits(got, plain_console.exp2_array(exponents))
    assert got.tolist() == [exp2(float(exponent)) for exponent in exponents]
    true = np.array([2.0**exponent for exponent in exponents[:-2]])
    assert np.abs(got[:-2] / true - 1.0).max() <= 5e-16
    assert got[-7:-4].tolist() == [1.0, 2.0, 0.5]


def test_level_and_gain_polynomials():
    """The logarithm of a level is within 7e-9, the power of a gain within 5e-11; both are exact at whole powers."""
    levels = np.concatenate([np.geomspace(1e-20, 1e9, 20_001), np.linspace(0.5, 2.0, 20_001)])
    assert np.abs(plain_console.level_log2_array(levels) - np.log2(levels)).max() < 7e-9
    gains = np.linspace(-40.0, 20.0, 60_001)
    assert np.abs(plain_console.gain_exp2_array(gains) / np.exp2(gains) - 1.0).max() < 5e-11
    whole = np.arange(-1_020.0, 1_000.0)
    assert same_bits(plain_console.gain_exp2_array(whole), np.exp2(whole))
    assert same_bits(plain_console.level_log2_array(np.exp2(whole)), whole)


def test_faders_and_sums(random: np.random.Generator):
    """Fader, sum and gain curve equal their twins."""
    samples, gains = random.standard_normal((2, 1003)), random.uniform(0, 2, 1003)
    for gain in (0.7, gains):
        got, want = np.empty(1003, dtype=np.float32), np.empty(1003, dtype=np.float32)
        console.fade(samples[0], gain, -0.3, got)
        plain_console.fade(samples[0], gain, -0.3, want)
        assert same_bits(got, want)
    sources = list(plain_console.on_grid(random.standard_normal((13, 1003))).astype(np.float32))
    levels = np.array([0.3, -1.0, 1.0, 0.7, *[1.0] * 5, 0.2, 900.0, 0.4, -0.5])
    sources[10][::100] = 1000.0  # with its gain beyond what the grid holds
    got, want = np.empty(1003), np.empty(1003)
    console.weighted_sum(sources, levels, got)
    plain_console.weighted_sum(sources, levels, want)
    assert same_bits(got, want)
    parts = [(np.empty(1003, dtype=np.float32), np.empty(1003, dtype=np.int16)) for _ in range(2)]
    split = np.clip(got, -31.0, 31.0)
    most = [twin.split_sum(split, *part) for twin, part in zip((console, plain_console), parts, strict=True)]
    assert most[0] == most[1] == 31.0
    assert same_bits(parts[0][0], parts[1][0])
    assert same_bits(parts[0][1], parts[1][1])
    for twin in (console, plain_console):
        back = np.zeros(1003)
        twin.add_split(*parts[0], back)
        assert same_bits(back, split)
    assert console.magnitude(samples) == plain_console.magnitude(samples)
    for bad in (np.inf, -np.inf, np.nan):
        samples[1, 900] = bad
        assert console.magnitude(samples) == plain_console.magnitude(samples) == np.inf
    samples[1, 900] = 0.0
    assert same_bits(console.apply_curve(samples, gains), plain_console.apply_curve(samples, gains))


@pytest.mark.parametrize("decibels", [True, False])
def test_automation_curves(decibels: bool):
    """Every shape of automation equals its twin from any frame on, before the first and after the last point too."""
    shapes = ("linear", "smooth", "early", "late", "hold", "linear", "linear")
    points = [GainPoint(50 + 97 * k, (-1.0) ** k * 7.0 * k - 30.0, shape) for k, shape in enumerate(shapes)]
    points.append(GainPoint(800, -150.0 + 6.0))
    curve = compiled(points, 8_000, base=-1.25)
    whole = plain_console.curve(curve, -20, 1_000, decibels=decibels)
    for start, frames in ((-20, 1_000), (33, 1), (146, 500)):
        got = console.curve(curve, start, frames, decibels=decibels)
        assert same_bits(got, whole[start + 20 : start + 20 + frames])


@pytest.mark.parametrize("channels", [1, 2])
def test_strips_in_lanes_have_the_bits_of_strips_alone(random: np.random.Generator, channels: int):
    """Eleven tracks run eight at a time, or two, equal the same tracks run one at a time, telemetry included."""
    bells = tuple(Bell(float(90 * 2**k), 3.0 - k) for k in range(7))
    tracks = tuple(
        TrackSpec(
            f"t{k}",
            channels,
            gain_db=-3.0 - k,
            pan=0.15 * k - 0.7,
            polarity_inverted=k % 3 == 0,
            processors=(
                ParametricEq(bells[: 1 + k % 7]),
                Compressor(-30.0, 2.0 + k, knee_db=float(k % 2) * 6.0, mix=1.0 - 0.05 * k, rms_ms=5.0 * (k % 3)),
                Gain(0.5 * (k + 1)),
            ),
            sends=(SendSpec("fx", -6.0, pre_fader=k % 2 == 0),),
            gain_automation=tuple(GainPoint(100 * j * (k + 1), float(j - k), "smooth") for j in range(k % 4)),
        )
        for k in range(11)
    )
    recordings = {track.id: random.standard_normal((channels, 1_501)) for track in tracks}

    def run(chosen: tuple[TrackSpec, ...], sizes: tuple[int, ...]) -> tuple[dict[str, bytes], dict[str, float]]:
        graph = MixGraph(MixSpec(48_000, chosen, (BusSpec("fx"),)), taps=tuple(track.id for track in chosen))
        blocks, start = [], 0
        for size in sizes:
            part = {track.id: recordings[track.id][:, start : start + size] for track in chosen}
            blocks.append(graph.process({name: np.ascontiguousarray(x) for name, x in part.items()}, size))
            start += size
        taps = {track.id: np.concatenate([b.taps[track.id] for b in blocks], axis=1).tobytes() for track in chosen}
        return taps, graph.telemetry()

    together, figures = run(tracks, (700, 1, 800))
    for track in tracks:
        alone, own = run((track,), (1_501,))
        assert together[track.id] == alone[track.id]
        assert {name: value for name, value in figures.items() if name.startswith(f"{track.id}.")} == own
    for first, second in itertools.pairwise(tracks):
        pair, figures = run((first, second), (700, 1, 3, 797))
        assert pair == {track.id: together[track.id] for track in (first, second)}
        own = run((first,), (1_501,))[1]
        assert {name: value for name, value in figures.items() if name.startswith(f"{first.id}.")} == own


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("bands", [1, 5, 6, 7, 13])
def test_cascade(random: np.random.Generator, channels: int, bands: int):
    """A cascade of any length equals its twin on mono, pairs and odd counts, its memory too."""
    eq = ParametricEq(tuple(Bell(float(50 * 2 ** (k % 8)), (-1.0) ** k * 4.0) for k in range(bands)))
    sections = eq.sections(48_000)
    samples = random.standard_normal((channels, 501))
    state, plain_state = recursion.sos_state(bands, channels), recursion.sos_state(bands, channels)
    for part in (samples[:, :200].copy(), samples[:, 200:].copy()):
        got = recursion.sos(sections, state, part)
        assert same_bits(got, plain_recursion.sos(sections, plain_state, part))
    assert same_bits(state, plain_state)


@pytest.mark.parametrize(("knee_db", "power"), [(6.0, 0.0), (0.0, 0.0), (4.0, 0.01)])
def test_compressor_curve(random: np.random.Generator, knee_db: float, power: float):
    """The compressor's gain equals its twin for hard and soft knee, peak and RMS, across blocks."""
    settings = dynamics.CompressorSettings(-24.0, knee_db, 0.75, 0.02, 0.001, 2.0, 0.9, power).array()
    key = random.standard_normal((2, 1100)) * np.linspace(0, 1, 1100)
    got_state, want_state = np.zeros(5), np.zeros(5)
    for part in (key[:, :300].copy(), key[:, 300:].copy()):
        got = dynamics.compress(settings, got_state, part)
        assert same_bits(got, plain_dynamics.compress(settings, want_state, part))
    assert same_bits(got_state, want_state)


@pytest.mark.parametrize("table", [itu48, hann49, long128])
def test_interpolated_peaks(random: np.random.Generator, table: Callable[[], Interpolator]):
    """Interpolated peaks equal their twin for every frame, in whole vectors and in the rest."""
    taps = table()
    samples = random.standard_normal(1000 + taps.count - 1).astype(np.float32)
    got, want = np.zeros(1000, dtype=np.float32), np.zeros(1000, dtype=np.float32)
    interpolation.interpolated_peaks(samples, taps.taps, taps.gain_sum, 0.0, got)
    plain_interpolation.interpolated_peaks(samples, taps.taps, want)
    assert same_bits(got, want)
    most = interpolation.interpolated_maximum(samples, taps.taps, taps.gain_sum, 0.0)
    assert most == plain_interpolation.interpolated_maximum(samples, taps.taps, 0.0)


def test_skipped_stretches_leave_the_result_unchanged(random: np.random.Generator):
    """Leaving out what cannot reach the bound changes neither the maximum nor any peak above the bound."""
    taps = long128()
    samples = (random.standard_normal(9000) * np.repeat([0.01, 1.0, 0.1], 3000)).astype(np.float32)
    frames = samples.size - taps.count + 1
    every, some = np.zeros(frames, dtype=np.float32), np.zeros(frames, dtype=np.float32)
    interpolation.interpolated_peaks(samples, taps.taps, taps.gain_sum, 0.0, every)
    interpolation.interpolated_peaks(samples, taps.taps, taps.gain_sum, 0.9, some)
    assert (np.where(every > 0.9, every, 0) == np.where(some > 0.9, some, 0)).all()
    assert np.count_nonzero(some) < 0.7 * frames
    assert interpolation.interpolated_maximum(samples, taps.taps, taps.gain_sum, 0.0) == float(every.max())


@pytest.mark.parametrize(("highpass_hz", "lowpass_hz"), [(None, None), (200.0, 4000.0)])
def test_delay(random: np.random.Generator, highpass_hz: float | None, lowpass_hz: float | None):
    """The feedback delay equals its twin over several turns of its ring."""
    running = Delay(7.3, 0.6, 0.5, highpass_hz, lowpass_hz).prepare(8_000, 2)
    memory = effects.DelayMemory.at_rest(2, running._length)
    samples = random.standard_normal((2, 400))
    assert same_bits(running.process(samples, 0), plain_effects.delay(running._settings, memory, samples))


def test_ping_pong(random: np.random.Generator):
    """The ping-pong delay equals its twin over several turns of its ring."""
    running = Delay(7.3, 0.6, 0.5, 200.0, 3_000.0, ping_pong=True).prepare(8_000, 2)
    memory = effects.DelayMemory.at_rest(2, running._length)
    samples = random.standard_normal((2, 400))
    assert same_bits(running.process(samples, 0), plain_effects.delay(running._settings, memory, samples))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("moved", [1.0, 1.3])
def test_room(random: np.random.Generator, channels: int, moved: float):
    """The room equals its twin for longer than its longest line, across blocks, at rest and on the move."""
    running = RoomReverb(decay_s=0.5, size_m=10.0, predelay_ms=4.0, mix=0.7).prepare(8_000, channels)
    samples = random.standard_normal((channels, 1_200))
    start = running._ends[0]
    ends = start, start if moved == 1.0 else np.array([*start[:4] * 0.9, *start[4:12] * 0.9, start[12] * 1.05])
    want = plain_effects.room(ends, (0, 1_300), running._lengths, samples, float(start[12]))
    memory = effects.RoomMemory.at_rest(running._lengths, float(start[12]))
    parts = np.split(samples, [701], axis=1)
    got = [effects.room(ends, (701 * k, 1_300), running._lengths, memory, part.copy()) for k, part in enumerate(parts)]
    assert same_bits(np.concatenate(got, axis=1), want)


@pytest.mark.parametrize("ratio", [1.5, 100.0])
def test_gate_curve(random: np.random.Generator, ratio: float):
    """The gate's gain equals its twin while it opens and closes, across blocks."""
    spec = Gate(-12.0, 6.0, 30.0, ratio, hold_ms=3.0, release_ms=8.0)
    running = spec.prepare(8_000, 2)
    key = random.standard_normal((2, 1_600)) * np.abs(np.sin(np.arange(1_600) / 120.0)) ** 6
    got_state, want_state = np.zeros(5), np.zeros(5)
    for part in (key[:, :333].copy(), key[:, 333:].copy()):
        got = dynamics.gate(running._settings, got_state, part)
        assert same_bits(got, plain_dynamics.gate(running._settings, want_state, part))
    assert same_bits(got_state, want_state)
    assert 100 < got_state[4] < 1_500


def test_moving_filters(random: np.random.Generator):
    """State-variable filters on the move equal their twin, across blocks within a cell."""
    start = np.array([[0.1, 1.2, 1.0, 0.5, 0.0], [0.3, 0.7, 0.0, 0.0, 1.0]])
    samples = random.standard_normal((2, 32))
    got_state, want_state = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    for place in (0, 20):
        part = samples[:, place : 20 if place == 0 else 32].copy()
        got = recursion.svf(start, start * 1.5, (place, 32), got_state, part)
        assert same_bits(got, plain_recursion.svf(start, start * 1.5, (place, 32), want_state, part))
    assert same_bits(got_state, want_state)


@pytest.mark.parametrize("predelay_ms", [0.0, 3.0])
@pytest.mark.parametrize("moved", [1.0, 0.8])
def test_plate(random: np.random.Generator, predelay_ms: float, moved: float):
    """The plate equals its twin for longer than its longest line, at rest and on the move."""
    running = PlateReverb(decay_s=2.0, predelay_ms=predelay_ms, size=0.5, mix=0.8).prepare(8_000, 2)
    samples = random.standard_normal((2, 2500))
    start, settings = running._ends[0], running._settings
    ends = start, start if moved == 1.0 else np.array([*start[:4] * moved, *start[4:7], *start[7:] * moved])
    want = plain_effects.Plate(settings, ends, (0, 2_600)).process(samples)
    memory = effects.PlateMemory.at_rest(settings, float(start[9]))
    parts = np.split(samples, [901], axis=1)
    got = [effects.plate(settings, ends, (901 * k, 2_600), memory, part.copy()) for k, part in enumerate(parts)]
    assert same_bits(np.concatenate(got, axis=1), want)


@pytest.mark.parametrize("ping_pong", [False, True])
def test_gliding_delay(random: np.random.Generator, ping_pong: bool):
    """The delay whose time moves equals its twin while its head follows, across blocks and turns of its ring."""
    ends = np.array([70.0, 0.5, 0.4, 0.01, 0.5, 0.5]), np.array([150.0, 0.7, 0.9, 0.1, 0.9, 0.1])
    samples = random.standard_normal((2, 900))
    got_memory, want_memory = (glide.GlideMemory.at_rest(2, 300, 70.0) for _ in range(2))
    for place, part in ((0, samples[:, :301].copy()), (301, samples[:, 301:].copy())):
        got = glide.glide_delay(*ends, (place, 500), got_memory, part, ping_pong=ping_pong)
        assert same_bits(got, plain_glide.glide_delay(*ends, (place, 500), want_memory, part, ping_pong=ping_pong))
    assert same_bits(got_memory.ring, want_memory.ring)
    assert 70.0 < got_memory.position[0] == want_memory.position[0]


@pytest.mark.parametrize("phases", [1, 2, 4, 8])
def test_saturation(random: np.random.Generator, phases: int):
    """The curve between the samples equals its twin, on loud noise and where neighbours are equal."""
    up, down = _ways(phases)
    row = random.standard_normal(700)
    row[300:500] = 0.25
    start, end = Saturation(15.0, 0.3).numbers(), Saturation(3.0, 0.0).numbers()
    for ends, place in (((start, start), (0, 1)), ((start, end), (17, 900))):
        got = saturate.saturate(row, up, down, ends, place)
        assert same_bits(got, plain_saturate.saturate(row, up, down, ends, place))


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 1001])
def test_dither(random: np.random.Generator, start: int):
    """Dithered values equal a twin on NumPy's own Philox generator, from any sample on, clipping included."""
    samples = random.uniform(-1.01, 1.01, 997)
    key = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
    got, want = pcm.dither(samples, 32_768.0, key, start), plain_pcm.dither(samples, 32_768.0, key, start)
    assert same_bits(got[0], want[0])
    assert same_bits(got[1], want[1])
    assert got[2] == want[2] > 0


def test_eq_with_filters_of_odd_order(random: np.random.Generator):
    """First-order sections go through the same cascade."""
    sections = ParametricEq((HighPass(80.0, 18), HighShelf(9_000.0, -3.0))).sections(44_100)
    samples = random.standard_normal((2, 300))
    got = recursion.sos(sections, recursion.sos_state(3, 2), samples)
    assert same_bits(got, plain_recursion.sos(sections, recursion.sos_state(3, 2), samples))


@pytest.mark.parametrize("sample_bytes", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pcm_words(random: np.random.Generator, sample_bytes: int, channels: int):
    """Unpacked and packed words equal their twins, into a part of a longer block too, and survive the round trip."""
    raw = random.bytes(sample_bytes * channels * 101)
    got, want = np.zeros((channels, 150)), np.zeros((channels, 150))
    pcm.unpack_pcm(raw, sample_bytes, got[:, 7:108])
    plain_pcm.unpack_pcm(raw, sample_bytes, want[:, 7:108])
    assert same_bits(got, want)
    values = np.rint(got[:, 7:108] * 2.0 ** (8 * sample_bytes - 1)).astype(np.int32)
    assert pcm.pack_pcm(values, sample_bytes).tobytes() == plain_pcm.pack_pcm(values, sample_bytes) == raw
    with pytest.raises(ValueError, match="do not fill"):
        pcm.unpack_pcm(raw, sample_bytes, got)
