"""The same samples on every machine: NumPy's vector units, BLAS and the kernels' instruction set must not matter."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from tapelog_dsp.kernels import loader
from tapelog_dsp.repair import clean
from tapelog_dsp.repair.testing import RATE, clipped, sung_phrases, with_clicks, with_hum, with_noise

SCRIPT = """
import sys
import numpy as np
from tapelog_dsp.repair import clean
result = clean(np.load(sys.argv[1]), 44_100)
sys.stdout.write(",".join(report.tool for report in result.reports if report.applied))
np.save(sys.argv[2], result.audio)
"""


def test_same_bits_without_vector_units(tmp_path: Path):
    """A take with five defects gives the same bits with SIMD switched off in NumPy, BLAS and the kernels."""
    damaged = with_noise(with_clicks(with_hum(sung_phrases(6.0)))[0], snr_db=28.0)
    damaged = clipped(damaged)[0] + 0.02
    np.save(tmp_path / "damaged.npy", damaged)
    plain = {
        **os.environ,
        loader.ISA_ENVIRONMENT: loader.runnable_levels()[0],
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": " ".join(np._core._multiarray_umath.__cpu_dispatch__),
    }
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "damaged.npy"), str(tmp_path / "cleaned.npy")]
    outcome = subprocess.run(command, env=plain, capture_output=True, text=True, check=False, timeout=100)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == "dc,clip,click,hum,noise"
    assert np.load(tmp_path / "cleaned.npy").tobytes() == clean(damaged, RATE).audio.tobytes()
