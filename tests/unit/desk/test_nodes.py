"""A mix with a cache of its buses gives the same bytes as without one, and does less."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import beside, render_master, render_mix
from tapelog_desk.console import mix_spec
from tapelog_desk.mixdown import Tape
from tapelog_desk.nodes import NodeStore
from tapelog_desk.nodes.digest import digest_of
from tapelog_desk.nodes.keys import MixKeys
from tapelog_desk.nodes.reuse import Reuse
from tapelog_desk.nodes.sums import OutReader
from tapelog_desk.nodes.versions import remembered
from tapelog_desk.sources import by_content, pinned
from tapelog_dsp.testing import programme
from tapelog_recipe import resolved

RATE_HZ = 48_000
MIB = 2**20


@pytest.fixture
def recipe(tmp_path: Path) -> pb.MixRecipe:
    """Return twelve tracks on three buses with a shared reverb, a key between buses, a VCA and automation."""
    tracks = []
    for number in range(12):
        samples = 0.2 * programme(0.8, sample_rate=RATE_HZ, seed=number)[: 1 + number % 2]
        soundfile.write(tmp_path / f"t{number}.wav", samples.T, RATE_HZ, subtype="PCM_24")
        track = pb.RecipeTrack(
            id=f"t{number}",
            source=pb.RecipeSource(file=f"t{number}.wav"),
            gain_db=-6.0,
            start_frame=500 * number,
            output_bus=("drums", "band", "vocals")[number % 3],
            chain=[
                pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(frequency_hz=900.0 + number, gain_db=2.0, q=1.0)])),
                pb.Processor(compressor=pb.Compressor(threshold_db=-22.0)),
            ],
        )
        if number % 3 == 2:
            track.sends.add(bus="room", gain_db=-9.0)
        tracks.append(track)
    keyed = pb.Compressor(threshold_db=-30.0, sidechain=pb.Sidechain(source="t0"))
    buses = [
        pb.RecipeBus(id="drums", chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-20.0))]),
        pb.RecipeBus(id="band", chain=[pb.Processor(compressor=keyed)]),
        pb.RecipeBus(id="vocals", gain_automation=[pb.GainPoint(frame=9_000, gain_db=-2.0)]),
        pb.RecipeBus(id="room", chain=[pb.Processor(reverb=pb.Reverb(decay_s=0.8))], output_bus=""),
    ]
    buses[0].sends.add(bus="room", gain_db=-20.0)
    return pb.MixRecipe(
        sample_rate_hz=RATE_HZ,
        tracks=tracks,
        buses=buses,
        mix_chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-12.0))],
        vcas=[pb.RecipeVca(id="all", members=["t0", "t1", "vocals"], gain_db=-1.5)],
        tail_s=0.4,
    )


@pytest.fixture
def mixed(tmp_path: Path) -> Callable[..., str]:
    """Return a function that mixes and says which bytes it made."""

    def mix(recipe: pb.MixRecipe, nodes: NodeStore | None = None, **options: int) -> str:
        return render_mix(recipe, beside(tmp_path), (), tmp_path, nodes=nodes, **options).audio[0].result.sha256

    return mix


@pytest.fixture
def store(tmp_path: Path) -> NodeStore:
    """Return an empty cache."""
    return NodeStore(tmp_path / "nodes", 100 * MIB)


EVERYTHING = "t0 t1 t2 t3 t4 t5 t6 t7 t8 t9 t10 t11 drums band vocals room"


def _track_gain(recipe: pb.MixRecipe) -> None:
    recipe.tracks[4].gain_db = -3.0


def _other_insert(recipe: pb.MixRecipe) -> None:
    recipe.tracks[2].chain[0].eq.bands[0].gain_db = -4.0


def _mute(recipe: pb.MixRecipe) -> None:
    recipe.tracks[5].mute = True


def _key_source(recipe: pb.MixRecipe) -> None:
    recipe.tracks[0].chain[1].compressor.threshold_db = -40.0


def _bus_fader(recipe: pb.MixRecipe) -> None:
    recipe.buses[0].gain_db = -2.0


def _mix_chain(recipe: pb.MixRecipe) -> None:
    recipe.mix_chain[0].compressor.threshold_db = -18.0


def _send(recipe: pb.MixRecipe) -> None:
    recipe.tracks[2].sends[0].gain_db = -3.0


def _vca(recipe: pb.MixRecipe) -> None:
    recipe.vcas[0].gain_db = 1.0


def _mute_bus(recipe: pb.MixRecipe) -> None:
    recipe.buses[3].mute = True


def _solo(recipe: pb.MixRecipe) -> None:
    recipe.tracks[1].solo = True


def _longer_tail(recipe: pb.MixRecipe) -> None:
    recipe.tail_s = 0.6


def _later(recipe: pb.MixRecipe) -> None:
    recipe.tracks[11].start_frame = 20_000


def _reorder(recipe: pb.MixRecipe) -> None:
    tracks = [recipe.tracks.pop() for _ in range(len(recipe.tracks))]
    recipe.tracks.extend(tracks)


def _rename(recipe: pb.MixRecipe) -> None:
    recipe.tracks[7].id = "other"


REVISIONS = {
    _track_gain: "t0 t4 band | t4 band*",
    _other_insert: "t0 t2 drums band vocals room | t2",
    _mute: "t0 t5 drums band vocals room | t5",
    _key_source: "t0 drums band vocals room | t0 drums*",
    _bus_fader: "t0 drums band vocals room | drums*",
    _mix_chain: "",
    _send: "t2 room | t2 room*",
    _vca: "t0 t1 drums band vocals room | t0 t1 drums*",
    _mute_bus: " | room*",
    _solo: EVERYTHING,
    _longer_tail: EVERYTHING,
    _later: EVERYTHING,
    _reorder: "",
    _rename: "",
}
"""What of the strips runs again after a revision, and what runs to be taken out of a sum; a star: is played for it."""


def ran(recipe: pb.MixRecipe, store: NodeStore, folder: Path) -> str:
    """Return what runs of a mix, and after the line what runs to be taken out of sums."""
    if any(track.solo for track in recipe.tracks):
        return EVERYTHING
    known = pinned(recipe, beside(folder))
    whole = resolved(known)
    with ExitStack() as stack:
        tape = Tape(whole, by_content(recipe, known, beside(folder)), stack)
        spec = mix_spec(whole, tape.channels)
        keys = MixKeys(spec, whole, tape.length_frames + round(whole.tail_s * RATE_HZ))
        sources = {track.source.asset_sha256 for track in whole.tracks}
        reuse = Reuse(keys, store, remembered(store, keys.family), sources)
        stack.callback(reuse.close)
    decision = reuse.decision
    order = [*(f"t{number}" for number in range(12)), "other", "drums", "band", "vocals", "room"]
    runs = " ".join(sorted(decision.strips, key=order.index))
    out = sorted(decision.taken, key=lambda taken: order.index(taken.strip))
    taken = " ".join(f"{old.strip}*" if isinstance(old.kept, OutReader) else old.strip for old in out)
    return f"{runs} | {taken}" if taken else runs


@pytest.mark.parametrize("change", REVISIONS, ids=lambda change: change.__name__.strip("_"))
def test_a_revision_is_the_same_cold_warm_and_without_a_cache(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path,
    change: Callable[[pb.MixRecipe], None],
):  # fmt: skip
    """After any change the bytes are those of a mix without a cache, and only what changed runs."""
    assert mixed(recipe, store) == mixed(recipe)
    assert mixed(recipe, store) == mixed(recipe)
    change(recipe)
    assert ran(recipe, store, tmp_path) == REVISIONS[change]
    assert mixed(recipe, store) == mixed(recipe)
    assert mixed(recipe, store) == mixed(recipe)


def test_threads_and_a_cache_go_together(recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str]):
    """With two threads, cold and warm, the bytes are the same."""
    plain = mixed(recipe)
    assert [mixed(recipe, store, threads=2) for _ in range(2)] == [plain, plain]
    assert store.hits == 1


def test_tracks_that_were_muted_come_back(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path
):
    """What muted tracks, one mono and one stereo, gave to a sum was silence, whatever their recordings."""
    for track in recipe.tracks:
        track.output_bus = ""
        track.mute = track.id in {"t4", "t5"}
    mixed(recipe, store)
    for track in recipe.tracks:
        track.mute = False
    assert ran(recipe, store, tmp_path) == "t4 t5 room | t4 t5 room*"
    assert mixed(recipe, store) == mixed(recipe)


@pytest.mark.parametrize("pre_fader", [False, True])
def test_a_bus_with_a_send_is_played_unless_it_is_before_its_fader(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path, pre_fader: bool
):
    """What a bus handed on is taken out of all that it went into; before its fader it was something else."""
    recipe.buses[0].sends.add(bus="room", gain_db=-7.0, pre_fader=pre_fader)
    mixed(recipe, store)
    _bus_fader(recipe)
    recipe.buses[0].chain[0].compressor.threshold_db = -25.0
    assert ran(recipe, store, tmp_path).endswith("| drums" if pre_fader else "| drums*")
    assert mixed(recipe, store) == mixed(recipe)


@pytest.mark.parametrize("damage", ["flip", "cut", "head", "empty"])
def test_damaged_nodes_are_found_and_made_again(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path, damage: str
):
    """A flipped bit, a cut file, a foreign head in all that is kept: the mix is what it was, and all is whole again."""
    plain = mixed(recipe, store)
    whole = {path: path.read_bytes() for path in (tmp_path / "nodes").iterdir()}
    for path, good in whole.items():
        data = bytearray(good)
        if damage == "flip":
            data[len(data) // 2] ^= 1
        elif damage == "head":
            data[9] ^= 1
        path.write_bytes(data[: {"cut": len(data) // 2, "empty": 0}.get(damage, len(data))])
    assert mixed(recipe, store) == plain
    assert {path: path.read_bytes() for path in whole} == whole
    assert list(tmp_path.glob(".*.part")) == []


def test_the_cache_keeps_to_its_size_and_loses_what_was_not_used(
    recipe: pb.MixRecipe, mixed: Callable[..., str], tmp_path: Path
):
    """Nodes beyond the limit go, least recently used first; what is left is worth its place."""
    store = NodeStore(tmp_path / "nodes", 100 * MIB)
    mixed(recipe, store)
    nodes = sorted((tmp_path / "nodes").iterdir(), key=lambda path: path.stat().st_size)
    assert len(nodes) == 9  # what goes into four buses and the mix, what three buses hand on, and the recipe
    for age, node in enumerate(nodes):
        os.utime(node, ns=(10**18 + age, 10**18 + age))
    size = nodes[-1].stat().st_size
    small = NodeStore(tmp_path / "nodes", 2 * size + 10)
    assert small.evict() == 7
    assert sorted((tmp_path / "nodes").iterdir()) == sorted(nodes[7:])
    tiny = NodeStore(tmp_path / "tiny", size)
    mixed(recipe, tiny)
    assert [path.stat().st_size < size // 10 for path in (tmp_path / "tiny").iterdir()] == [True]
    assert mixed(recipe, tiny) == mixed(recipe)


def test_what_is_left_of_an_evicted_mix_is_used(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path
):
    """With any one of the kept files gone, a revision has the bytes that it should."""
    mixed(recipe, store)
    kept = {path: path.read_bytes() for path in (tmp_path / "nodes").iterdir()}
    _track_gain(recipe)
    _send(recipe)
    plain = mixed(recipe)
    for gone in kept:
        for path in (tmp_path / "nodes").iterdir():
            path.unlink()
        for path, data in kept.items():
            if path != gone:
                path.write_bytes(data)
        assert mixed(recipe, store) == plain


def test_a_mix_too_hot_for_a_sum_is_not_kept(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path
):
    """Where a sum exceeds +30 dBFS the mix is what it is, and that sum is not kept."""
    for track in recipe.tracks:
        track.gain_db = 24.0
        track.chain.add(gain=pb.Gain(gain_db=24.0))
    assert [mixed(recipe, store) for _ in range(2)] == [mixed(recipe)] * 2
    sums = [path for path in (tmp_path / "nodes").iterdir() if "." not in path.name]
    assert len(sums) < 5


def test_a_folder_that_cannot_be_written_only_costs_time(
    recipe: pb.MixRecipe, mixed: Callable[..., str], tmp_path: Path
):
    """Where the cache cannot be made nothing is kept, and the mix is what it is."""
    (tmp_path / "file").write_text("in the way")
    store = NodeStore(tmp_path / "file" / "nodes", 100 * MIB)
    assert mixed(recipe, store) == mixed(recipe)
    assert store.failure


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path):
    """Unnamed files of an hour ago go, younger ones are somebody's."""
    store = NodeStore(tmp_path / "nodes", MIB)
    old, young = tmp_path / "nodes" / ".old.1", tmp_path / "nodes" / ".young.1"
    for path in (old, young):
        path.write_bytes(b"half a node")
    os.utime(old, (0, 0))
    store.evict()
    assert [path.exists() for path in (old, young)] == [False, True]


def test_a_solo_and_a_source_of_unknown_length_use_no_cache(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path
):
    """Where a bus cannot be known by its own digest, nothing is kept."""
    samples = soundfile.read(tmp_path / "t3.wav", always_2d=True)[0]
    soundfile.write(tmp_path / "t3.wav", samples[::2], RATE_HZ // 2, subtype="PCM_24")
    assert mixed(recipe, store) == mixed(recipe)
    assert np.array_equal([store.hits, store.misses], [0, 0])


def test_a_digest_tells_what_a_repr_hides():
    """Two impulse responses of one rate have two digests, though they print alike; an unknown kind has none."""
    one, two = (dsp.ConvolutionReverb(dsp.Impulse(np.full((1, 8), value), RATE_HZ)) for value in (0.1, 0.2))
    assert repr(one) == repr(two)
    assert digest_of([one]) != digest_of([two])
    assert digest_of([("a", "b")]) != digest_of([("ab",)])
    with pytest.raises(TypeError):
        digest_of([object()])


@pytest.fixture
def master(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Return a function that masters the song to a loudness and returns digest and analysis."""
    samples = 0.2 * programme(4.0, sample_rate=RATE_HZ, seed=2)
    soundfile.write(tmp_path / "mix.wav", samples.T, RATE_HZ, subtype="PCM_24")

    def render(lufs: float, nodes: NodeStore | None, threshold_db: float = -18.0) -> tuple[str, str]:
        recipe = pb.MasterRecipe(
            source=pb.RecipeSource(file="mix.wav"),
            chain=[pb.Processor(compressor=pb.Compressor(threshold_db=threshold_db))],
            target=pb.MasterTarget(integrated_lufs=lufs, ceiling_dbtp=-1.0),
        )
        made = render_master(recipe, beside(tmp_path), tmp_path, nodes=nodes)
        return made.audio[0].result.sha256, made.files[0].path.read_text()

    return render


def test_another_target_of_a_master_costs_no_chain(master: Callable[..., tuple[str, str]], store: NodeStore):
    """Bytes and analysis, the chain's figures included, are those without a cache; another chain is another node."""
    assert master(-16.0, store) == master(-16.0, None)
    assert master(-14.0, store) == master(-14.0, None)
    assert (store.hits, store.misses) == (1, 1)
    assert master(-16.0, store, -24.0) == master(-16.0, None, -24.0)
    assert (store.hits, store.misses) == (1, 2)


def test_a_damaged_chain_is_run_again(master: Callable[..., tuple[str, str]], store: NodeStore, tmp_path: Path):
    """A flipped bit behind good blocks is found, and nothing of them is left in the master."""
    plain = master(-16.0, store)
    (node,) = (tmp_path / "nodes").iterdir()
    data = bytearray(node.read_bytes())
    data[-3] ^= 1
    node.write_bytes(data)
    assert master(-16.0, store) == plain
    assert master(-16.0, store) == plain
    assert store.hits == 2
