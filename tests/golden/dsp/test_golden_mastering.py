"""Every mastering processor gives the recorded bits on every instruction set and every kind of machine.

When the sound is changed on purpose, raise ENGINE_VERSION and record anew:
``python tests/golden/dsp/mastering.py > tests/golden/dsp/mastering.json``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_dsp.kernels import loader

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "mastering.json").read_text())

PLAIN_MACHINE = {
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX2 FMA3",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
"""NumPy and the C library as they are on a processor without AVX2 and fused multiply-add."""


def rendered(**environment: str) -> dict[str, str]:
    """Return the digests of a run in a fresh process."""
    command = [sys.executable, "-W", "ignore", str(HERE / "mastering.py")]
    outcome = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=100
    )
    digests: dict[str, str] = json.loads(outcome.stdout)
    return digests


@pytest.mark.parametrize("isa", loader.runnable_levels())
def test_same_bits_on_every_instruction_set(isa: str) -> None:
    """Every processor's samples are those recorded, whichever kernels ran."""
    assert rendered(**{loader.ISA_ENVIRONMENT: isa}) == RECORDED


def test_same_bits_on_a_plainer_machine() -> None:
    """With NumPy, its FFT and the C library held to older instructions the bits are the same."""
    assert rendered(**PLAIN_MACHINE, **{loader.ISA_ENVIRONMENT: loader.runnable_levels()[0]}) == RECORDED
