"""EBU Tech 3342 v4: loudness range, minimum requirements 1 to 4; tolerance 1 LU (ours reads within 0.05)."""

import numpy as np
import pytest
from tapelog_dsp import LoudnessMeter
from tapelog_dsp.testing import tone


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10.0), ((-20, -15), 5.0), ((-40, -20), 20.0), ((-50, -35, -20, -35, -50), 15.0)],
    ids=["case 1", "case 2", "case 3", "case 4"],
)
@pytest.mark.parametrize("block_frames", [4_096, 100_003])
def test_loudness_range(levels: tuple[float, ...], expected: float, block_frames: int):
    """Tones of 1 kHz, 20 s at each level: LRA is the difference that the document gives, whatever the blocks."""
    samples = tone([(20, level) for level in levels])
    meter = LoudnessMeter(48_000, 2)
    for start in range(0, samples.shape[1], block_frames):
        meter.add(np.ascontiguousarray(samples[:, start : start + block_frames]))
    assert meter.result().range_lu == pytest.approx(expected, abs=0.05)
