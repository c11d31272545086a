"""Songs for the first mix: a small synthetic one, the example, and the multitracks of the larger corpus."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tapelog_desk import open_audio
from tapelog_desk.automix import FirstMix, Stem, first_mix, read_stems
from tapelog_desk.automix.bands import BandMeter
from tapelog_desk.automix.evaluation import tone_of
from tapelog_desk.automix.sheet import stem_id
from tapelog_desk.automix.testing import write_song

EXAMPLE = Path(__file__).parents[3] / "examples/lithium"


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the files of the small song."""
    return write_song(tmp_path_factory.mktemp("song"))


@pytest.fixture(scope="session")
def mixed(song: list[Path]) -> FirstMix:
    """Return the first mix of the small song."""
    return first_mix(read_stems(song), song[0].parent)


@pytest.fixture(scope="session")
def example() -> Path:
    """Return the example's folder."""
    return EXAMPLE


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the larger corpus, or skip."""
    if "TAPELOG_CORPUS" not in os.environ:
        pytest.skip("TAPELOG_CORPUS is not set: the multitracks and masters of the larger corpus are needed")
    return Path(os.environ["TAPELOG_CORPUS"])


@pytest.fixture(scope="session")
def masters_tone(corpus: Path) -> np.ndarray:
    """Return the mean spectrum of the corpus's masters, in dB per third octave."""
    tones = []
    for path in sorted((corpus / "masters").iterdir()):
        with open_audio(path) as reader:
            meter = BandMeter(reader.format.sample_rate_hz, reader.format.channels)
            while (block := reader.read(32_768)).shape[1]:
                for _ in meter.add(block):
                    pass
        tones.append(tone_of(meter.bands()))
    return np.mean(tones, axis=0)


@pytest.fixture(scope="session")
def multitrack(corpus: Path) -> Callable[[str], tuple[Path, list[Stem]]]:
    """Return a function that gives a session's folder and its stems with their written roles."""

    def load(name: str) -> tuple[Path, list[Stem]]:
        folder = corpus / "multitrack" / name
        stems: list[Stem] = []
        for file, role in json.loads((folder / "session.json").read_text())["stems"].items():
            # The chorale's sheet names parts, not sources: there the names of the files have to do.
            words = "" if name == "chorale_bwv248" else role
            stems.append(Stem(stem_id(Path(file).stem, [stem.id for stem in stems]), folder / file, words))
        return folder, stems

    return load
