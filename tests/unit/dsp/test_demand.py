"""Names that are imported when they are asked for are the ones that the packages name."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

HEAVY = (
    "yaml",
    "grpc",
    "soundfile",
    "soxr",
    "scipy",
    "pydantic",
    "nats",
    "rich.progress",
    "tapelog_recipe",
    "tapelog_dsp.graph",
)
"""What measuring a WAV file needs nothing of."""

PROGRAM = f"""
import json, sys
from tapelog_cli.main import main
code = main(["meter", sys.argv[1]])
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


@pytest.mark.parametrize("package", ["tapelog_dsp", "tapelog_desk"])
def test_every_name_is_found(package: str) -> None:
    """Everything in `__all__` can be imported, is there once, and a name that is not there is an AttributeError."""
    module = import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert type(getattr(module, name)) is not type(sys), f"{name} is a module"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(module, "nothing")  # noqa: B009  # the way of a program that asks


def test_the_meter_loads_nothing_else(tmp_path: Path) -> None:
    """`tapelog meter` of a WAV file starts without recipes, services, codecs and the mix graph."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(8_000, 0.1), 8_000, subtype="PCM_16")
    outcome = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(outcome.stdout.splitlines()[-1]) == []
