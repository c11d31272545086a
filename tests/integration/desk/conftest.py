"""The example song, rendered once for all tests of this folder."""

from pathlib import Path
from typing import Final

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import Rendered, beside, render_master, render_mix
from tapelog_recipe import load_master_recipe, load_mix_recipe

SONG: Final = Path(__file__).parents[3] / "examples/lithium"
WAV32: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)
WAV24: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24)
FLAC24: Final = pb.OutputFormat(container=pb.CONTAINER_FLAC, bit_depth=24)
WAV16: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=16)
FLAC16: Final = pb.OutputFormat(container=pb.CONTAINER_FLAC, bit_depth=16)


@pytest.fixture(scope="session")
def song() -> Path:
    """Return the example's folder."""
    return SONG


@pytest.fixture(scope="session")
def mix_recipe() -> pb.MixRecipe:
    """Return the mix that follows the brief."""
    return load_mix_recipe((SONG / "mix-2.yaml").read_text())


@pytest.fixture(scope="session")
def mix(mix_recipe: pb.MixRecipe, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return mix 2 as 32-bit float, 24-bit and 16-bit files."""
    folder = tmp_path_factory.mktemp("mix")
    return render_mix(mix_recipe, beside(SONG), [WAV32, WAV24, FLAC24, WAV16, FLAC16], folder)


@pytest.fixture(scope="session")
def master_recipe(mix: Rendered) -> pb.MasterRecipe:
    """Return the streaming master's recipe, its source being the rendered mix."""
    recipe = load_master_recipe((SONG / "master-streaming.yaml").read_text())
    recipe.source.file = mix.audio[0].path.name
    return recipe


@pytest.fixture(scope="session")
def master(mix: Rendered, master_recipe: pb.MasterRecipe, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return the streaming master of mix 2 as WAV and FLAC."""
    return render_master(master_recipe, beside(mix.audio[0].path.parent), tmp_path_factory.mktemp("master"))
