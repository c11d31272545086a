import numpy as np
import pytest


@pytest.fixture
def random_noise():
    """Half a second of seeded stereo noise."""
    return np.random.default_rng(9).uniform(-1.0, 1.0, (2, 22_050))
