"""The meters' kernels against their plain twins: equal bits on every instruction set, whatever is left out."""

from collections.abc import Callable

import numpy as np
import pytest
from tapelog_dsp.design.interpolators import LONG_TAPS, hann49, itu48, long128, long_lanes, search_bound, standard_lanes
from tapelog_dsp.kernels import checksum, interpolation, loudness, metering, pcm, recursion, waveform
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.twins import checksum as plain_checksum
from tapelog_dsp.kernels.twins import interpolation as plain_interpolation
from tapelog_dsp.kernels.twins import loudness as plain_loudness
from tapelog_dsp.kernels.twins import metering as plain_metering
from tapelog_dsp.kernels.twins import pcm as plain_pcm
from tapelog_dsp.kernels.twins import waveform as plain_waveform
from tapelog_dsp.meters.weighting import hop_weighting
from tapelog_dsp.testing import programme

pytestmark = pytest.mark.usefixtures("each_isa")


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 2), (11_025, 2), (44_100, 3), (48_000, 1)])
def test_hop_energies(random: np.random.Generator, rate: int, channels: int):
    """Energies of any number of hops equal their twin, also where a hop is no whole number of frames."""
    weighting = hop_weighting(rate)
    got_state, want_state = recursion.sos_state(2, channels), recursion.sos_state(2, channels)
    first = 0
    for hops in (1, 2, 11):
        samples = random.standard_normal((channels, hops * weighting.longest + 3))
        got = loudness.hop_energies(weighting, got_state, samples, first=first, hops=hops)
        want = plain_loudness.hop_energies(weighting, want_state, samples, first=first, hops=hops)
        assert got.tobytes() == want.tobytes()
        assert got_state.tobytes() == want_state.tobytes()
        first += hops


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 192_000])
def test_hop_energies_are_those_of_the_recursion(random: np.random.Generator, rate: int):
    """Finding the memory of every hop first changes no energy by more than 1e-11 of it, over 300 hops."""
    weighting, hops = hop_weighting(rate), 300
    samples = random.standard_normal((1, hops * rate // 100))
    weighted = recursion.sos(weighting.sections, recursion.sos_state(2, 1), samples)[0]
    starts = np.arange(hops) * rate // 100
    want = np.add.reduceat(np.square(weighted), starts)
    got = loudness.hop_energies(weighting, recursion.sos_state(2, 1), samples, first=0, hops=hops)[:, 0]
    assert np.abs(got / want - 1.0).max() < 1e-11


def _steps(random: np.random.Generator) -> Float64s:
    return np.repeat(random.choice([-1.0, 1.0], 90), random.integers(1, 60, 90))


def _worst(random: np.random.Generator) -> Float64s:
    """Return what makes each interpolator swing furthest, in quiet noise and beside a louder sample."""
    signal = 0.01 * random.standard_normal(3_000)
    for place, taps in ((200, long128().taps[8]), (900, itu48().taps[1]), (1_500, hann49().taps[1])):
        signal[place : place + taps.size] = 0.3 * np.sign(taps)
    signal[2_500] = 0.9
    return signal


def _limited(random: np.random.Generator) -> Float64s:
    return np.clip(3.0 * programme(0.1, seed=int(random.integers(100)))[0], -0.7, 0.7)


SIGNALS: dict[str, Callable[[np.random.Generator], Float64s]] = {
    "noise": lambda random: random.standard_normal(4_000),
    "growing": lambda random: random.standard_normal(4_000) * np.linspace(0.0, 1.0, 4_000) ** 4,
    "falling": lambda random: random.standard_normal(4_000) * np.linspace(1.0, 0.0, 4_000),
    "quarter": lambda random: 0.5 * np.sin(0.5 * np.pi * np.arange(4_800) + 0.7) + 1e-5 * random.standard_normal(4_800),
    "high": lambda random: 0.5 * np.sin(0.958 * np.pi * np.arange(4_800)) + 1e-3 * random.standard_normal(4_800),
    "steps": _steps,
    "worst": _worst,
    "limited": _limited,
    "impulse": lambda _: np.eye(1, 500, 250)[0],
    "silence": lambda _: np.zeros(500),
}


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("standard", [True, False])
def test_search_finds_what_a_look_everywhere_finds(random: np.random.Generator, signal: str, *, standard: bool):
    """The search by bounds reads the bits of the search without, in blocks of any size, samples included."""
    samples = np.ascontiguousarray(SIGNALS[signal](random))
    others = standard_lanes() if standard else None
    want, kept, peak = np.zeros(3, dtype=np.float32), np.zeros(LONG_TAPS - 1, dtype=np.float32), np.zeros(1)
    plain_interpolation.search_peaks(samples, kept, long_lanes(), others, peak=peak, most=want)
    for sizes in ([samples.size], [1, 126, 127, 128, 64, 1_023], [700]):
        most, end, got = np.zeros(3, dtype=np.float32), np.zeros(LONG_TAPS - 1, dtype=np.float32), np.zeros(1)
        for block in _cut(samples, sizes):
            interpolation.search_peaks(block, end, long_lanes(), others, search_bound(), peak=got, most=most)
        assert np.maximum(most, got).tobytes() == np.maximum(want, peak).tobytes()
        assert end.tobytes() == kept.tobytes()
        assert got == peak


def _cut(samples: Float64s, sizes: list[int]) -> list[Float64s]:
    places, place = [], 0
    while place < samples.size:
        place += sizes[len(places) % len(sizes)]
        places.append(place)
    return [part for part in np.split(samples, places[:-1]) if part.size]


def test_the_bound_splits_the_interpolators():
    """Two taps at the nearest samples and a filter of second differences make up every phase, to 1e-6."""
    sigma, total, *steps = search_bound().astype(np.float64)
    assert 1.0 <= sigma < 1.01
    assert 2.0 < total < 6.0
    assert min(steps) >= 0.0
    assert 2.0 * sum(half * step for half, step in zip((1, 2, 3, 4, 6, 8, 12, 16, 24, 32), steps, strict=False)) < total


@pytest.mark.parametrize("least", [1, 3])
def test_full_scale_runs(random: np.random.Generator, least: int):
    """Runs, peaks and the run at the end equal their twin, whatever the blocks."""
    samples = np.clip(1.3 * random.standard_normal((2, 700)), -1.0, 1.0)
    samples[:, 200:400] *= 0.2
    samples[0, 350:460] = 1.0
    got, want = _runs(2, least), _runs(2, least)
    for begun, ended in ((0, 0), (0, 1), (1, 355), (355, 419), (419, 700)):
        metering.full_runs(np.ascontiguousarray(samples[:, begun:ended]), got)
    plain_metering.full_runs(samples, want)
    for name in ("peaks", "runs", "counts"):
        assert getattr(got, name).tobytes() == getattr(want, name).tobytes()
    assert want.counts.min() > 100


@pytest.mark.parametrize(
    ("rate", "channels", "sample_bytes"),
    [(8_000, 2, 3), (11_025, 1, 2), (16_000, 3, 4), (8_000, 2, pcm.FLOATS), (11_025, 3, pcm.FLOATS)],
)
def test_meters_of_packed_samples(random: np.random.Generator, rate: int, channels: int, sample_bytes: int):
    """All meters in one pass keep what their twins keep one after the other, from hop to hop."""
    weighting, hops = hop_weighting(rate), 19
    got, want = (
        [recursion.sos_state(2, channels), _peaks(channels), _runs(channels, 3), _buckets(channels)] for _ in range(2)
    )
    first = 0
    for part in (hops, 3):
        frames = (first + part) * rate // 100 - first * rate // 100
        loud = np.clip(0.7 * random.standard_normal((channels, frames)), -1.0, 1.0)
        if sample_bytes == pcm.FLOATS:
            raw = pcm.pack_floats(1.5 * loud)
        else:
            raw = pcm.pack_pcm((loud * (2 ** (8 * sample_bytes - 1) - 1)).astype(np.int32), sample_bytes)
        args = (raw, sample_bytes, channels)
        energies = [
            door.meter_packed(
                *args,
                first=first,
                hops=part,
                weighting=weighting,
                state=kept[0],
                peaks=kept[1],
                runs=kept[2],
                buckets=kept[3],
            )
            for door, kept in ((metering, got), (plain_metering, want))
        ]
        assert energies[0].tobytes() == energies[1].tobytes()
        first += part
    assert got[0].tobytes() == want[0].tobytes()
    assert got[1].kept.tobytes() == want[1].kept.tobytes()
    assert np.maximum(got[1].most, got[1].peak).tobytes() == np.maximum(want[1].most, want[1].peak).tobytes()
    assert got[2].counts.tobytes() == want[2].counts.tobytes()
    _equal_buckets(got[3], want[3])


@pytest.mark.parametrize("channels", [1, 3])
def test_buckets_of_a_waveform(random: np.random.Generator, channels: int):
    """Lows and highs equal their twin whatever the blocks, also where full buckets are joined in pairs."""
    samples = random.standard_normal((channels, 1_900))
    got, want = _buckets(channels), _buckets(channels)
    for begun, ended in ((0, 0), (0, 1), (1, 30), (30, 800), (800, 1_513), (1_513, 1_900)):
        waveform.fill_buckets(samples[:, begun:ended], got)
    plain_waveform.fill_buckets(samples, want)
    _equal_buckets(got, want)
    assert want.clock.tolist() == [80, 60, 23]
    assert np.array_equal(got.low[:, 0], samples[:, :80].min(axis=1))


def test_packing_floats(random: np.random.Generator):
    """Rows that lie apart come out beside each other, rounded as NumPy rounds, and go back."""
    for channels in (1, 2, 3):
        samples = random.standard_normal((channels, 60))[:, 3:40]
        raw = pcm.pack_floats(samples)
        assert raw.tobytes() == plain_pcm.pack_floats(samples)
        back, want = np.empty((channels, 50))[:, 5:42], np.empty((channels, 37))
        pcm.unpack_pcm(raw.data, pcm.FLOATS, back)
        plain_pcm.unpack_pcm(raw.tobytes(), pcm.FLOATS, want)
        assert back.tobytes() == want.tobytes() == samples.astype(np.float32).astype(np.float64).tobytes()


def test_checksums(random: np.random.Generator):
    """They equal their twin at every length, go on from part to part, and notice a bit, a swap and a zeroed page."""
    data = random.integers(0, 256, 9_000, dtype=np.uint8)
    for count in (0, 1, 63, 64, 65, 128, 1_000, 9_000):
        for seed in (0, 2**64 - 1):
            assert checksum.checksum(data[:count], seed) == plain_checksum.checksum(data[:count], seed)
    rows = data[:8_000].view(np.float32).reshape(2, -1)[:, ::2]
    assert checksum.checksum(rows) == plain_checksum.checksum(rows)
    flipped, swapped, zeroed = data.copy(), data.copy(), data.copy()
    flipped[4_321] ^= 1
    swapped[640:704], swapped[704:768] = data[704:768], data[640:704]
    zeroed[4_096:8_192] = 0
    found = {checksum.checksum(each) for each in (data, flipped, swapped, zeroed, data[:-1])}
    assert len(found) == 5


def _buckets(channels: int) -> waveform.Buckets:
    clock = np.array([20, 0, 0], dtype=np.int64)
    return waveform.Buckets(clock, np.zeros((channels, 2)), np.zeros((channels, 40)), np.zeros((channels, 40)))


def _equal_buckets(got: waveform.Buckets, want: waveform.Buckets) -> None:
    assert got.clock.tolist() == want.clock.tolist()
    assert np.array_equal(got.open, want.open)
    count = int(want.clock[2])
    assert np.array_equal(got.low[:, :count], want.low[:, :count])
    assert np.array_equal(got.high[:, :count], want.high[:, :count])


def _runs(channels: int, least: int) -> metering.Runs:
    low = 1.0 - 2.0**-15
    none = np.zeros(channels, dtype=np.int64)
    return metering.Runs(low, 1.0, least, np.zeros(channels), none.copy(), none.copy())


def _peaks(channels: int) -> metering.Peaks:
    end = np.zeros((channels, LONG_TAPS - 1), dtype=np.float32)
    most = np.zeros(3, dtype=np.float32)
    return metering.Peaks(end, long_lanes(), standard_lanes(), search_bound(), np.zeros(1), most)
