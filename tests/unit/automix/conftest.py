"""Strips of made-up stems, as the steps of a first mix get them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tapelog_desk.automix.hearing import hear
from tapelog_desk.automix.roles import BY_NAME
from tapelog_desk.automix.sheet import Stem
from tapelog_desk.automix.strip import Strip
from tapelog_desk.automix.testing import RATE
from tapelog_dsp import ArrayReader

MakeStrip = Callable[..., Strip]


@pytest.fixture
def strip_of() -> MakeStrip:
    """Return a function that makes a strip of samples with a role."""

    def make(name: str, role: str, samples: np.ndarray, *, tags: tuple[str, ...] = ()) -> Strip:
        heard = hear(ArrayReader(samples), sample_rate_hz=RATE, channels=samples.shape[0])
        return Strip(Stem(name, Path(f"{name}.wav"), role, tags), heard, BY_NAME[role])

    return make
