"""A convolution reverb from a recipe: its impulse response is a source like every other."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import RecipeRefusedError, SourceError, beside, render_master, render_mix
from tapelog_desk.sources import pinned
from tapelog_recipe import load_mix_recipe, recipe_digest

RATE = 48_000

RECIPE = """
sample_rate_hz: 48000
tracks:
  - id: snare
    source: file:snare.wav
    gain_db: -96
    sends: [{bus: room, gain_db: 0, pre_fader: true}]
buses:
  - id: room
    chain: [{convolution: {impulse: "file:room.wav", keep_level: true}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording and a response that is a click 100 frames late on the right."""
    random = np.random.default_rng(5)
    soundfile.write(tmp_path / "snare.wav", random.uniform(-0.5, 0.5, (4_000, 2)), RATE, "DOUBLE")
    room = np.zeros((200, 2))
    room[0, 0] = room[100, 1] = 1.0
    soundfile.write(tmp_path / "room.wav", room, RATE, "DOUBLE")
    (tmp_path / "out").mkdir()
    return tmp_path


def test_the_response_is_read_beside_the_recipe(folder: Path):
    """Left comes as it is and right 100 frames later, in time with the song."""
    rendered = render_mix(load_mix_recipe(RECIPE.encode(), "yaml"), beside(folder), [], folder / "out")
    got = soundfile.read(rendered.audio[0].path, always_2d=True)[0].T
    snare = soundfile.read(folder / "snare.wav", always_2d=True)[0].T
    assert np.abs(got[0, :4_000] - snare[0]).max() <= 2e-5
    assert np.abs(got[1, 100:4_000] - snare[1, :3_900]).max() <= 2e-5


def test_the_digest_names_its_content(folder: Path):
    """Another response under the same name is another recipe, and so another cache entry and another dither."""
    recipe = load_mix_recipe(RECIPE.encode(), "yaml")
    first = pinned(recipe, beside(folder))
    assert len(first.buses[0].chain[0].convolution.impulse.asset_sha256) == 64
    soundfile.write(folder / "room.wav", np.ones((10, 1)), RATE, "DOUBLE")
    assert recipe_digest(pinned(recipe, beside(folder))) != recipe_digest(first)


@pytest.mark.parametrize(
    ("frames", "channels", "rate", "error"),
    [(10, 3, RATE, SourceError), (61 * 8_000, 1, 8_000, SourceError), (30 * RATE, 1, RATE, RecipeRefusedError)],
)
def test_responses_that_cannot_be_used(folder: Path, frames: int, channels: int, rate: int, error: type[Exception]):
    """Three channels, a minute and more, or too much at the mix's rate are refused, and no file is left."""
    soundfile.write(folder / "room.wav", np.full((frames, channels), 0.1), rate)
    with pytest.raises(error):
        render_mix(load_mix_recipe(RECIPE.encode(), "yaml"), beside(folder), [], folder / "out")
    assert list((folder / "out").iterdir()) == []


def test_a_master_may_have_one_too(folder: Path):
    """A master's chain reads its response the same way, for mono and stereo."""
    recipe = pb.MasterRecipe(source=pb.RecipeSource(file="snare.wav"), target=pb.MasterTarget(name="streaming"))
    recipe.chain.add().convolution.impulse.file = "room.wav"
    soundfile.write(folder / "snare.wav", 0.3 * np.random.default_rng(1).standard_normal(2 * RATE), RATE, "DOUBLE")
    rendered = render_master(recipe, beside(folder), folder / "out")
    assert rendered.audio[0].result.format.channels == 1
