"""What the package does to the process it is loaded into."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, resource
import tapelog_dsp
import numpy as np
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    np.zeros(131_072).sum()  # 1 MB, more than glibc keeps by itself
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(json.dumps([faults, os.environ["OPENBLAS_NUM_THREADS"]]))
"""


def run(**environment: str) -> list[object]:
    """Return page faults of 200 arrays of 1 MB, and the number of BLAS threads, in a fresh process with the core."""
    outcome = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    result: list[object] = json.loads(outcome.stdout)
    return result


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_of_a_block_is_used_again() -> None:
    """Arrays made and dropped in turn fault their pages in once, not 256 times each."""
    faults, _ = run()
    assert isinstance(faults, int)
    assert faults < 5_000


def test_threads_of_blas_that_were_set_stay() -> None:
    """One thread where nothing was said, else what was said."""
    assert run(OPENBLAS_NUM_THREADS="3")[1] == "3"
