"""A mix with a cache of its buses gives the same bytes as without one, and does less."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import beside, render_master, render_mix
from tapelog_desk.nodes import NodeStore
from tapelog_desk.nodes.digest import digest_of
from tapelog_dsp.testing import programme

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


REVISIONS = {
    _track_gain: 3,
    _other_insert: 2,
    _mute: 2,
    _key_source: 1,
    _bus_fader: 2,
    _mix_chain: 4,
    _send: 3,
    _vca: 0,
    _mute_bus: 3,
    _solo: 0,
    _longer_tail: 0,
    _later: 0,
}
"""What a revision changes, and how many of the four buses it leaves as they were."""


@pytest.mark.parametrize("change", REVISIONS, ids=lambda change: change.__name__.strip("_"))
def test_a_revision_is_the_same_cold_warm_and_without_a_cache(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], change: Callable[[pb.MixRecipe], None]
):
    """After any change the bytes are those of a mix without a cache, and only what changed is made again."""
    plain = mixed(recipe)
    assert mixed(recipe, store) == plain
    assert (store.hits, store.misses) == (0, 4)
    change(recipe)
    store.hits = 0
    assert mixed(recipe, store) == mixed(recipe)
    assert store.hits == REVISIONS[change]
    assert mixed(recipe, store) == mixed(recipe)


def test_threads_and_a_cache_go_together(recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str]):
    """With two threads, cold and warm, the bytes are the same."""
    plain = mixed(recipe)
    assert [mixed(recipe, store, threads=2) for _ in range(2)] == [plain, plain]
    assert store.hits == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "head", "empty"])
def test_a_damaged_node_is_found_and_made_again(
    recipe: pb.MixRecipe, store: NodeStore, mixed: Callable[..., str], tmp_path: Path, damage: str
):
    """A flipped bit, a cut file, a foreign head: the mix is what it was, and the node is whole again."""
    plain = mixed(recipe, store)
    victim = sorted((tmp_path / "nodes").iterdir())[1]
    whole = victim.read_bytes()
    data = bytearray(whole)
    if damage == "flip":
        data[len(data) // 2] ^= 1
    elif damage == "head":
        data[9] ^= 1
    victim.write_bytes(data[: {"cut": len(data) // 2, "empty": 0}.get(damage, len(data))])
    assert mixed(recipe, store) == plain
    assert victim.read_bytes() == whole
    assert list(tmp_path.glob(".*.part")) == []


def test_the_cache_keeps_to_its_size_and_loses_what_was_not_used(
    recipe: pb.MixRecipe, mixed: Callable[..., str], tmp_path: Path
):
    """Nodes beyond the limit go, least recently used first; what is left is worth its place."""
    store = NodeStore(tmp_path / "nodes", 100 * MIB)
    mixed(recipe, store)
    nodes = sorted((tmp_path / "nodes").iterdir())
    for age, node in enumerate(nodes):
        os.utime(node, ns=(10**18 + age, 10**18 + age))
    size = nodes[0].stat().st_size
    small = NodeStore(tmp_path / "nodes", 2 * size + 10)
    assert small.evict() == 2
    assert sorted((tmp_path / "nodes").iterdir()) == nodes[2:]
    tiny = NodeStore(tmp_path / "tiny", size)
    mixed(recipe, tiny)
    assert list((tmp_path / "tiny").iterdir()) == []


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
