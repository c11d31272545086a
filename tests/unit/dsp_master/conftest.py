import numpy as np
import pytest

from tests.unit.instruction_sets import each_isa

__all__ = ["each_isa"]


@pytest.fixture
def random() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20_26)
