import numpy as np
import pytest
from tapelog_dsp import Audio

from tests.unit.instruction_sets import each_isa

__all__ = ["each_isa"]


@pytest.fixture
def random() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20_26)


@pytest.fixture
def stereo(random: np.random.Generator) -> Audio:
    """Return stereo noise."""
    return random.uniform(-0.5, 0.5, (2, 3_000))


@pytest.fixture
def mono(random: np.random.Generator) -> Audio:
    """Return mono noise."""
    return random.uniform(-0.5, 0.5, (1, 3_000))
