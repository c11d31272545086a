"""`tapelog master --like`: a mix becomes like another master, by settings in the recipe."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_cli.main import main
from tapelog_desk import SourceError
from tapelog_desk.checking import check_file
from tapelog_desk.matching import match_recipe
from tapelog_dsp import Bell, HighShelf, ParametricEq
from tapelog_dsp.testing import programme
from tapelog_recipe import validate_master

RATE = 48_000


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Return a mix, and the same music louder, brighter and leaner as a reference."""
    samples = 0.3 * programme(6.0)
    mix, reference = tmp_path / "mix.wav", tmp_path / "like.wav"
    soundfile.write(mix, samples.T, RATE, subtype="FLOAT")
    bright = ParametricEq((HighShelf(5_000.0, 6.0), Bell(400.0, -5.0))).prepare(RATE, 2).process(samples, 0)
    soundfile.write(reference, 1.5 * bright.T, RATE, subtype="FLOAT")
    return mix, reference


def test_the_recipe_says_what_was_matched(pair: tuple[Path, Path]):
    """Only the aspects asked for are written, before the chain that was there; the recipe stays valid."""
    mix, reference = pair
    recipe = pb.MasterRecipe(source=pb.RecipeSource(file="mix.wav"), chain=[pb.Processor(gain=pb.Gain(gain_db=1.0))])
    (reason,) = match_recipe(recipe, mix, [reference], ["tone"])
    assert [insert.WhichOneof("kind") for insert in recipe.chain] == ["curve_eq", "gain"]
    assert reason.startswith("tone")
    assert not recipe.target.HasField("integrated_lufs")
    match_recipe(recipe, mix, [reference], ["loudness"])
    assert recipe.target.integrated_lufs < 0.0
    recipe.target.ceiling_dbtp = -1.0
    assert validate_master(recipe, services=False) == ()


def test_command(pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The master has the reference's balance within 1 dB per band, where the plain one is 3 dB off and more."""
    mix, reference = pair
    off = {}
    for name, further in (("plain", []), ("matched", ["--like", str(reference), "--match", "tone"])):
        made = tmp_path / f"{name}.wav"
        assert main(["master", str(mix), "-o", str(made), "--lufs", "-18", *further, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert len(told["matched"]) == (1 if further else 0)
        bands = dict(check_file(made, reference=reference).report.balance.bands)
        off[name] = max(abs(bands[band]) for band in ("bass", "low mids", "mids", "upper mids", "presence"))
    assert off["plain"] > 3.0
    assert off["matched"] < 1.0
    assert main(["master", str(mix), "-o", str(tmp_path / "x.wav"), "--like", str(reference), "--match", "taste"]) == 2


def test_a_silent_reference(pair: tuple[Path, Path], tmp_path: Path):
    """A reference without sound is refused by name."""
    soundfile.write(tmp_path / "silent.wav", np.zeros((RATE, 2)), RATE)
    with pytest.raises(SourceError, match=r"silent\.wav"):
        match_recipe(pb.MasterRecipe(), pair[0], [tmp_path / "silent.wav"])
