"""Every equaliser setting that is allowed gives a stable filter that does what it says."""

import cmath

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tapelog_dsp import Bell, HighPass, HighShelf, LowPass, LowShelf, Notch
from tapelog_dsp.design.response import magnitude_db
from tapelog_dsp.processors.filters import Band

rates = st.sampled_from([8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
frequencies = st.floats(10.0, 40_000.0)
gains = st.floats(-24.0, 24.0)
bands = st.one_of(
    st.builds(Bell, frequencies, gains, st.floats(0.1, 40.0)),
    st.builds(LowShelf, frequencies, gains),
    st.builds(HighShelf, frequencies, gains),
    st.builds(Notch, frequencies, st.floats(0.1, 200.0)),
    st.builds(HighPass, frequencies, st.sampled_from([6, 12, 18, 24, 48])),
    st.builds(LowPass, frequencies, st.sampled_from([6, 12, 18, 24, 48])),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(band=bands, rate=rates)
def test_stable_and_bounded(band: Band, rate: int) -> None:
    """Poles lie inside the unit circle, and no frequency is lifted or cut by more than the band's gain plus 1 dB."""
    corner = getattr(band, "frequency_hz", None) or getattr(band, "cutoff_hz", 0.0)
    assume(corner <= (0.45 if hasattr(band, "cutoff_hz") else 0.49) * rate)
    sections = band.sections(rate)
    assert np.isfinite(sections).all()
    for _, _, _, a1, a2 in sections.tolist():
        root = cmath.sqrt(a1 * a1 - 4.0 * a2)
        assert max(abs(-a1 + root), abs(-a1 - root)) < 2.0
    levels = magnitude_db(sections, np.geomspace(10.0, 0.4999 * rate, 80), rate)
    gain_db = getattr(band, "gain_db", 0.0)
    assert max(levels) <= max(gain_db, 0.0) + 1.0
    if isinstance(band, Bell | LowShelf | HighShelf):
        assert min(levels) >= min(gain_db, 0.0) - 1.0
    if isinstance(band, Bell):
        assert abs(magnitude_db(sections, [corner], rate)[0] - gain_db) <= 1e-3
