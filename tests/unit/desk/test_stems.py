"""Stems sum to the mix: shared buses, sends, sidechains and automation included."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import RecipeRefusedError, beside, render_mix
from tapelog_desk.stems import StemGroup, render_stems, stem_of_inputs
from tapelog_dsp.testing import programme

RATE_HZ = 48_000
DIGEST = "5a" * 32
NAMES = ("kick", "snare", "bass", "vox")


@pytest.fixture
def recipe(tmp_path: Path) -> pb.MixRecipe:
    """Return a mix with a drum bus, a keyed bass, a reverb that two stems feed, and a moving mix fader."""
    tracks = []
    for number, name in enumerate(NAMES):
        samples = 0.2 * programme(2.0, sample_rate=RATE_HZ, seed=number)[:1]
        soundfile.write(tmp_path / f"{name}.wav", samples.T, RATE_HZ, subtype="PCM_24")
        track = pb.RecipeTrack(
            id=name,
            source=pb.RecipeSource(file=f"{name}.wav"),
            pan=0.3 * number - 0.4,
            tags=["rhythm"] if number < 3 else ["voice"],
        )
        if number < 2:
            track.output_bus = "drums"
        if name in ("snare", "vox"):
            track.sends.add(bus="room", gain_db=-9.0)
        if name == "bass":
            compressor = pb.Compressor(threshold_db=-30.0, sidechain=pb.Sidechain(source="kick"))
            track.chain.append(pb.Processor(compressor=compressor))
        tracks.append(track)
    buses = [
        pb.RecipeBus(id="drums", chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-24.0))]),
        pb.RecipeBus(id="room", chain=[pb.Processor(reverb=pb.Reverb(decay_s=0.6))]),
    ]
    fader = [pb.GainPoint(frame=0, gain_db=0.0), pb.GainPoint(frame=RATE_HZ, gain_db=-6.0)]
    return pb.MixRecipe(
        sample_rate_hz=RATE_HZ, tracks=tracks, buses=buses, mix_gain_automation=fader, mix_gain_db=-2.0, tail_s=0.3
    )


def samples_of(path: Path) -> np.ndarray:
    """Return samples `[channels, frames]`."""
    return soundfile.read(path, always_2d=True)[0].T


@pytest.mark.parametrize(
    ("groups", "labels"),
    [
        ((), ("bass", "vox", "drums", "room")),
        ((StemGroup("rhythm", ("rhythm",)), StemGroup("voice", ("voice",))), ("rhythm", "voice", "shared")),
        ((StemGroup("all", ("rhythm", "voice")),), ("all",)),
        ((StemGroup("vox", ("vox", "room")),), ("vox", "shared")),
    ],
)
def test_stems_sum_to_the_mix(recipe: pb.MixRecipe, tmp_path: Path, groups: tuple, labels: tuple):
    """The files add up to the rendered mix within rounding to float32, whatever the grouping."""
    stems = render_stems(recipe, beside(tmp_path), groups, tmp_path, digest=DIGEST)
    assert stems.labels == labels
    total = np.sum([samples_of(audio.path) for audio in stems.rendered.audio], axis=0)
    mixed = samples_of(render_mix(recipe, beside(tmp_path), (), tmp_path).audio[0].path)
    assert total.shape == mixed.shape
    assert 20.0 * np.log10(np.abs(total - mixed).max() + 1e-30) < -130.0
    assert all(np.abs(samples_of(audio.path)).max() > 0.01 for audio in stems.rendered.audio)
    told = json.loads((tmp_path / "stems.json").read_text())
    assert told["sums_to"] == "the mix"
    assert told["residual_dbfs"] is None or told["residual_dbfs"] <= told["residual_max_dbfs"]


def test_a_chain_on_the_mix_is_left_out(recipe: pb.MixRecipe, tmp_path: Path):
    """With a compressor on the mix the stems sum to the mix without it, and the report says so."""
    plain = samples_of(render_mix(recipe, beside(tmp_path), (), tmp_path).audio[0].path)
    recipe.mix_chain.add(compressor=pb.Compressor(threshold_db=-30.0))
    stems = render_stems(recipe, beside(tmp_path), (), tmp_path, digest=DIGEST)
    total = np.sum([samples_of(audio.path) for audio in stems.rendered.audio], axis=0)
    assert np.abs(total - plain).max() < 1e-6
    assert json.loads((tmp_path / "stems.json").read_text())["sums_to"] == "the mix before its chain"


def test_a_bus_goes_where_all_its_tracks_go(recipe: pb.MixRecipe):
    """The drum bus follows its tag; the reverb, fed by both groups, is shared unless a stem names it."""
    groups = (StemGroup("rhythm", ("rhythm",)), StemGroup("voice", ("voice",)))
    assert stem_of_inputs(recipe, groups) == {"bass": "rhythm", "vox": "voice", "drums": "rhythm", "room": "shared"}


@pytest.mark.parametrize(
    "groups",
    [
        (StemGroup("shared", ("vox",)),),
        (StemGroup("a", ("nobody",)),),
        (StemGroup("a", ()),),
        (StemGroup("a", ("vox",)), StemGroup("b", ("vox",))),
        (StemGroup("a", ("vox",)), StemGroup("a", ("bass",))),
    ],
)
def test_groups_that_make_no_sense_are_refused(recipe: pb.MixRecipe, tmp_path: Path, groups: tuple):
    """A reserved or repeated name, an unknown or repeated member, and an empty group are all named."""
    with pytest.raises(RecipeRefusedError) as refusal:
        render_stems(recipe, beside(tmp_path), groups, tmp_path, digest=DIGEST)
    assert all(violation.path.startswith("groups[") for violation in refusal.value.violations)
