"""Pan laws: their centre values, ends and sums."""

import itertools
import math

import numpy as np
import pytest
from tapelog_dsp import ParameterError
from tapelog_dsp.processors.pan import PAN_LAWS_DB, mono_pan_gains, stereo_balance_gains


@pytest.mark.parametrize(("law_db", "exact_db"), [(0.0, 0.0), (-3.0, -3.0103), (-4.5, -4.5154), (-6.0, -6.0206)])
def test_centre(law_db: float, exact_db: float):
    """Each speaker has the law's level at the centre, both the same."""
    left, right = mono_pan_gains(0.0, law_db)
    assert left == pytest.approx(right, rel=1e-15)
    assert 20.0 * math.log10(left) == pytest.approx(exact_db, abs=5e-5)


@pytest.mark.parametrize("law_db", PAN_LAWS_DB)
def test_ends(law_db: float):
    """Hard left and hard right are exactly 1 and exactly 0."""
    assert mono_pan_gains(-1.0, law_db) == (1.0, 0.0)
    assert mono_pan_gains(1.0, law_db) == (0.0, 1.0)
    assert stereo_balance_gains(-1.0, law_db) == (1.0, 0.0)
    assert stereo_balance_gains(1.0, law_db) == (0.0, 1.0)


def test_constant_power():
    """The -3 dB law keeps L^2 + R^2 = 1, the -6 dB law keeps L + R = 1."""
    for pan in np.linspace(-1.0, 1.0, 41):
        left, right = mono_pan_gains(float(pan), -3.0)
        assert left**2 + right**2 == pytest.approx(1.0, abs=1e-15)
        left, right = mono_pan_gains(float(pan), -6.0)
        assert left + right == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("law_db", PAN_LAWS_DB)
def test_balance_leaves_the_near_side_alone(law_db: float):
    """A stereo source is exact at the centre; beside it the near side stays at 1 and the far side falls steadily."""
    assert stereo_balance_gains(0.0, law_db) == (1.0, 1.0)
    gains = [stereo_balance_gains(float(pan), law_db) for pan in np.linspace(0.0, 1.0, 21)]
    assert all(right == 1.0 for _, right in gains)
    assert all(before > after for (before, _), (after, _) in itertools.pairwise(gains))


@pytest.mark.parametrize(("pan", "law_db"), [(1.01, -3.0), (0.0, -2.5)])
def test_out_of_range(pan: float, law_db: float):
    """A position beyond the speakers or a law that does not exist is refused with the value."""
    with pytest.raises(ParameterError, match=str(pan or law_db)):
        mono_pan_gains(pan, law_db)
