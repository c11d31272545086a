import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tapelog_dsp.audio import Audio

from tests.unit.instruction_sets import each_isa

__all__ = ["each_isa"]


@pytest.fixture
def random() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(1_955)


class Corpus:
    """Recordings with known damage, and clean ones, under the folder that TAPELOG_CORPUS names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        truth: list[dict[str, Any]] = json.loads((folder / "restoration" / "truth.json").read_text())
        self.damaged = {entry["file"]: entry["clean"] for entry in truth if entry["role"] != "clean"}

    def read(self, name: str) -> tuple[Audio, int]:
        """Return a recording ``[channels, frames]`` and its rate."""
        samples, sample_rate = soundfile.read(self.folder / name, always_2d=True)
        return np.ascontiguousarray(samples.T), int(sample_rate)

    def pair(self, name: str) -> tuple[Audio, Audio, int]:
        """Return the damaged recording, the clean one, and their rate."""
        damaged, sample_rate = self.read(f"restoration/{name}")
        clean, _ = self.read(f"restoration/{self.damaged[name]}")
        return damaged, clean, sample_rate


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """Return the corpus, or skip."""
    folder = os.environ.get("TAPELOG_CORPUS")
    if not folder:
        pytest.skip("TAPELOG_CORPUS is not set: real damaged recordings are looked for there")
    return Corpus(Path(folder))
