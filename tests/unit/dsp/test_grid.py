"""Sums between strips are exact: free of order, and a part can be taken out of one again."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
from tapelog_dsp import (
    MIX,
    ArrayReader,
    Audio,
    Bed,
    Bell,
    BusSpec,
    Compressor,
    GainPoint,
    GraphError,
    MixBlock,
    MixGraph,
    MixSpec,
    ParametricEq,
    SendSpec,
    TrackSpec,
    render,
    split_sum,
)
from tapelog_dsp.graph.grid import HIGHEST, STEP, WAYS_MAX
from tapelog_dsp.kernels.call import Float32s

RATE = 48_000
FRAMES = 3_000
TRACKS = 11


@pytest.fixture
def recordings() -> dict[str, Audio]:
    """Return recordings of very different levels."""
    random = np.random.default_rng(6)
    return {f"t{k}": 10.0 ** -(k % 4) * random.standard_normal((1 + k % 2, FRAMES)) for k in range(TRACKS)}


def track(k: int) -> TrackSpec:
    """Return a track with a bit of everything."""
    return TrackSpec(
        f"t{k}", 1 + k % 2, gain_db=-1.1 * k, pan=0.1 * k - 0.5, output_bus="group" if k % 3 else MIX,
        processors=(ParametricEq((Bell(300.0 + k, 2.0),)), Compressor(-20.0, 3.0))[: k % 3],
        sends=(SendSpec("room", -3.3 - k, pre_fader=k % 4 == 0),),
        gain_automation=(GainPoint(0, 0.0), GainPoint(2_000, -2.0)) if k % 2 else (),
    )  # fmt: skip


def spec(*tracks: TrackSpec) -> MixSpec:
    """Return a mix of tracks with a group and a room."""
    buses = (BusSpec("group", gain_db=-1.3), BusSpec("room", processors=(Compressor(-30.0, 2.0),)))
    return MixSpec(RATE, tracks, buses, length_frames=FRAMES, tail_s=0.0)


def mixed(wanted: MixSpec, recordings: Mapping[str, Audio], block_frames: int = 512) -> Audio:
    """Return a whole mix."""
    readers = {one.id: ArrayReader(recordings[one.id.removesuffix("'")]) for one in wanted.tracks}
    return np.concatenate([b.mix for b in render(MixGraph(wanted), readers, block_frames=block_frames)], axis=1)


def test_the_order_of_tracks_is_not_heard(recordings: dict[str, Audio]):
    """Eleven tracks in any order, in groups of lanes or alone, give the same bits."""
    tracks = [track(k) for k in range(TRACKS)]
    plain = mixed(spec(*tracks), recordings)
    assert (mixed(spec(*tracks[::-1]), recordings) == plain).all()
    assert (mixed(spec(*tracks[1::2], *tracks[::2]), recordings, block_frames=700) == plain).all()


def test_an_inverted_copy_takes_a_track_out(recordings: dict[str, Audio]):
    """A mix with a track and its inverted copy is the mix without that track, bit for bit, reverb send included."""
    tracks = [track(k) for k in range(TRACKS)]
    for k in (2, 5, 8):
        one = track(k)
        inverted = dataclasses.replace(one, id=f"t{k}'", polarity_inverted=True)
        without = [other for other in tracks if other.id != one.id]
        assert (mixed(spec(*tracks, inverted), recordings) == mixed(spec(*without), recordings)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bed_stands_for_what_was_summed(recordings: dict[str, Audio], threads: int):
    """The kept inputs of group, room and mix, played instead of the tracks behind them, give the same bits."""
    whole = spec(*(track(k) for k in range(TRACKS)))
    kept: dict[str, list[Audio]] = {"group": [], "room": [], MIX: []}

    def keep(block: MixBlock) -> None:
        for name, rows in block.sums.items():
            kept[name].append(rows.copy())

    readers = {name: ArrayReader(samples) for name, samples in recordings.items()}
    blocks = render(MixGraph(whole, sums=tuple(kept)), readers, keep=keep, block_frames=512, threads=threads)
    plain = np.concatenate([block.mix for block in blocks], axis=1)
    sums = {name: np.concatenate(parts, axis=1) for name, parts in kept.items()}
    assert (np.rint(sums[MIX] / STEP) * STEP == sums[MIX]).all()
    for names in (("group", "room"), (MIX,)):
        tracks = [dataclasses.replace(track(k), sends=()) for k in (0, 3, 6, 9)]
        rest = spec(*(() if MIX in names else tracks))
        rest = rest if MIX not in names else MixSpec(RATE, (), (), length_frames=FRAMES, tail_s=0.0)
        graph = MixGraph(rest, beds={name: f"bed of {name}" for name in names})
        beds = {f"bed of {name}": Laid(sums[name]) for name in names}
        heard = render(graph, {one.id: ArrayReader(recordings[one.id]) for one in rest.tracks}, beds=beds,
                       block_frames=700, threads=threads)  # fmt: skip
        assert (np.concatenate([block.mix for block in heard], axis=1) == plain).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_played_track_stands_for_what_it_handed_on(recordings: dict[str, Audio], threads: int):
    """The kept signals of tracks, written into their lines instead of running them, give the same bits."""
    whole = spec(*(track(k) for k in range(TRACKS)))
    after = [one.id for one in whole.tracks if not any(send.pre_fader for send in one.sends)][:3]
    kept: dict[str, list[Audio]] = {name: [] for name in after}

    def keep(block: MixBlock) -> None:
        for name, rows in block.outs.items():
            kept[name].append(rows.copy())

    readers = {name: ArrayReader(samples) for name, samples in recordings.items()}
    blocks = render(MixGraph(whole, outs=tuple(kept)), readers, keep=keep, block_frames=512, threads=threads)
    plain = np.concatenate([block.mix for block in blocks], axis=1)
    played = {name: Played(np.concatenate(parts, axis=1)) for name, parts in kept.items()}
    readers = {name: ArrayReader(samples) for name, samples in recordings.items() if name not in played}
    blocks = render(MixGraph(whole, played=tuple(kept)), readers, played=played, block_frames=700, threads=threads)
    assert len(after) == 3
    assert (np.concatenate([block.mix for block in blocks], axis=1) == plain).all()


class Played:
    """A `LineReader` over what a strip handed on."""

    def __init__(self, rows: Audio) -> None:
        self._rows = rows
        self._at = 0

    def read_line(self, line: Float32s) -> None:
        """Fill a line with the next frames."""
        left = self._rows[:, self._at : self._at + line.shape[1]]
        line[:, : left.shape[1]] = left
        line[:, left.shape[1] :] = 0.0
        self._at += line.shape[1]


class Laid:
    """A `BedReader` over a sum in memory."""

    def __init__(self, total: Audio) -> None:
        self._total = total
        self._at = 0

    def read_bed(self, bed: Bed) -> None:
        """Fill a bed with the next frames."""
        part = np.zeros((2, bed.frames))
        left = self._total[:, self._at : self._at + bed.frames]
        part[:, : left.shape[1]] = left
        self._at += bed.frames
        for side in (0, 1):
            split_sum(part[side], bed.high[side], bed.low[side])


def test_what_is_far_too_loud_is_held():
    """A signal of +64 dBFS leaves a strip at +60 dBFS, whatever becomes of it later."""
    loud = np.full((2, FRAMES), 100.0)
    result = mixed(spec(TrackSpec("t0", gain_db=24.0)), {"t0": loud})
    assert (result == HIGHEST).all()
    bus = MixSpec(RATE, (TrackSpec("t0", sends=(SendSpec("b", 24.0),), output_bus="v"),),
                  (BusSpec("b", gain_db=-48.0), BusSpec("v", mute=True)), tail_s=0.0)  # fmt: skip
    held = mixed(bus, {"t0": np.full((2, FRAMES), 900.0)})
    assert np.abs(held - HIGHEST * 10.0 ** (-48.0 / 20.0)).max() <= 1e-6


def test_more_ways_into_a_bus_than_stay_exact_are_refused():
    """513 tracks into one bus are refused with the limit, 512 are not."""
    tracks = [TrackSpec(f"t{k}") for k in range(WAYS_MAX + 1)]
    MixGraph(MixSpec(RATE, tuple(tracks[:-1])))
    with pytest.raises(GraphError, match="at most 512"):
        MixGraph(MixSpec(RATE, tuple(tracks)))
