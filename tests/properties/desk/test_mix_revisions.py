"""Random mixes and their revisions: with a cache, cold or warm, whatever was kept before, the bytes are the same."""

import random
from pathlib import Path

import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import beside, render_mix
from tapelog_desk.nodes import NodeStore
from tapelog_dsp.testing import programme

RATE_HZ = 48_000
RECORDINGS = 7
BUSES = ("a", "b", "room")
HISTORIES = 40
"""Songs, each with up to four revisions."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write mono and stereo recordings of a twelfth of a second, at very different levels."""
    made = tmp_path_factory.mktemp("recordings")
    for number in range(RECORDINGS):
        samples = 10.0 ** -(number % 3) * programme(0.08, sample_rate=RATE_HZ, seed=number)[: 1 + number % 2]
        soundfile.write(made / f"{number}.wav", samples.T, RATE_HZ, subtype="PCM_24" if number % 3 else "FLOAT")
    return made


def gain_db(dice: random.Random) -> float:
    """Return a level."""
    return dice.randint(-200, 120) / 10.0


def insert(dice: random.Random, *, keyed: bool) -> pb.Processor:
    """Return an insert; one may listen to the first track, one has a latency."""
    kinds = [
        pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(frequency_hz=700.0, gain_db=4.0, q=1.0)])),
        pb.Processor(compressor=pb.Compressor(threshold_db=-24.0)),
        pb.Processor(gain=pb.Gain(gain_db=-2.5)),
        pb.Processor(gain=pb.Gain(gain_db=3.5)),
    ]
    if dice.random() < 0.06:
        return pb.Processor(saturation=pb.Saturation(drive_db=6.0))
    if keyed and dice.random() < 0.1:
        return pb.Processor(compressor=pb.Compressor(threshold_db=-30.0, sidechain=pb.Sidechain(source="t0")))
    return dice.choice(kinds)


def track(dice: random.Random, number: int) -> pb.RecipeTrack:
    """Return a track."""
    frames = sorted(dice.sample(range(3_000), dice.randint(0, 3)))
    return pb.RecipeTrack(
        id=f"t{number}",
        source=pb.RecipeSource(file=f"{dice.randrange(RECORDINGS)}.wav"),
        gain_db=gain_db(dice),
        pan=dice.randint(-10, 10) / 10.0,
        start_frame=dice.choice([0, 0, 0, 700]),
        polarity_inverted=dice.random() < 0.2,
        output_bus=dice.choice(["", "a", "b"]),
        chain=[insert(dice, keyed=number > 0) for _ in range(dice.randint(0, 2))],
        sends=[
            pb.RecipeSend(bus=bus, gain_db=gain_db(dice), pre_fader=dice.random() < 0.3)
            for bus in dice.sample(["b", "room"], dice.randint(0, 2))
        ],
        gain_automation=[pb.GainPoint(frame=frame, gain_db=-3.0 * n) for n, frame in enumerate(frames)],
    )


def mix(dice: random.Random) -> pb.MixRecipe:
    """Return a mix of up to ten tracks, two groups and a room."""
    buses = [
        pb.RecipeBus(
            id=name, gain_db=gain_db(dice), chain=[insert(dice, keyed=True) for _ in range(dice.randint(0, 1))]
        )
        for name in BUSES
    ]
    buses[0].sends.add(bus="room", gain_db=-6.0)
    buses[2].chain.add(reverb=pb.Reverb(decay_s=0.4))
    return pb.MixRecipe(
        sample_rate_hz=RATE_HZ,
        tracks=[track(dice, number) for number in range(dice.randint(4, 10))],
        buses=buses,
        mix_chain=[insert(dice, keyed=False) for _ in range(dice.randint(0, 1))],
        vcas=[pb.RecipeVca(id="v", members=["t0", "a"], gain_db=gain_db(dice))],
        tail_s=0.05,
    )


def change_track(dice: random.Random, recipe: pb.MixRecipe) -> None:
    """Change, mute or move a track."""
    number = dice.randrange(len(recipe.tracks))
    one = recipe.tracks[number]
    kind = dice.choice(["all of it", "gain", "mute", "bus", "send"])
    if kind == "all of it":
        one.CopyFrom(track(dice, int(one.id[1:])))
    elif kind == "gain":
        one.gain_db = gain_db(dice)
    elif kind == "mute":
        one.mute = not one.mute
    elif kind == "bus":
        one.output_bus = dice.choice(["", "a", "b"])
    else:
        del one.sends[:]
        one.sends.add(bus="room", gain_db=gain_db(dice))


def change_bus(dice: random.Random, recipe: pb.MixRecipe) -> None:
    """Change or mute a bus, or what is over all of them."""
    bus = dice.choice(recipe.buses)
    kind = dice.choice(["gain", "mute", "vca", "mix"])
    if kind == "gain":
        bus.gain_db = gain_db(dice)
    elif kind == "mute":
        bus.mute = not bus.mute
    elif kind == "vca":
        recipe.vcas[0].gain_db = gain_db(dice)
    else:
        recipe.mix_gain_db = gain_db(dice)


def change_list(dice: random.Random, recipe: pb.MixRecipe) -> None:
    """Take the last track away, or turn their order."""
    if len(recipe.tracks) > 4 and recipe.tracks[-1].id != "t0":
        del recipe.tracks[-1]
    else:
        turned = list(recipe.tracks)[::-1]
        del recipe.tracks[:]
        recipe.tracks.extend(turned)


def history(dice: random.Random) -> list[pb.MixRecipe]:
    """Return a mix and its revisions: most are of the last version, some go back."""
    versions = [mix(dice)]
    for _ in range(dice.randint(1, 4)):
        revised = pb.MixRecipe.FromString(versions[dice.choice([-1, -1, 0])].SerializeToString())
        for _ in range(dice.randint(1, 3)):
            dice.choice([change_track, change_track, change_track, change_bus, change_list])(dice, revised)
        versions.append(revised)
    return versions


@pytest.mark.parametrize("part", range(4))
def test_every_version_has_the_bytes_that_it_has_without_a_cache(folder: Path, tmp_path: Path, part: int):
    """One cache over all versions of a song, each rendered cold or changed, and warm: the same file."""

    def made(recipe: pb.MixRecipe, nodes: NodeStore | None, threads: int = 1) -> bytes:
        out = render_mix(recipe, beside(folder), (), tmp_path, nodes=nodes, threads=threads, analysis_file=False)
        return out.audio[0].path.read_bytes()

    sums = 0
    for seed in range(part, HISTORIES, 4):
        store = NodeStore(tmp_path / str(seed), 64 * 2**20)
        for number, recipe in enumerate(history(random.Random(seed))):  # dice, not secrets
            plain = made(recipe, None)
            assert made(recipe, store) == plain, f"song {seed}, version {number}"
            assert made(recipe, store, 2) == plain, f"song {seed}, version {number}, warm"
        sums += store.hits
    assert sums > HISTORIES
