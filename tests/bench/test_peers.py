"""W1 and W2 against the other programs that can do the nearest to them: one run each, for they take long."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]


@pytest.mark.parametrize("program", ["sox", "ffmpeg"])
def test_w1(race: Any, program: str) -> None:
    """A mix and master; sox has no automation, no loudness and no true peak, ffmpeg another reverb."""
    race.need(program)
    session = ["data/s", "32", str(race.seconds), "OUT"]
    theirs = ["bash", f"peer_{program}_w1.sh", *session]
    assert race.compare("W1", program, [*race.ours, "w1", *session], theirs, pairs=1) > 1.0


@pytest.mark.parametrize(
    ("program", "script"),
    [
        ("sox", "peer_sox_w2.sh"),
        ("ffmpeg", "peer_ffmpeg_w2.sh"),
        ("ffmpeg", "peer_ffmpeg_loudnorm_w2.sh"),
        ("matchering", "peer_matchering_w2.py"),
    ],
)
def test_w2(race: Any, mixed: str, program: str, script: str) -> None:
    """A master; matchering matches a reference instead, which here is the mix, half as loud: it refuses the same."""
    if program == "matchering":
        race.need_module(program)
    else:
        race.need(program)
    shell = [race.peer_python] if script.endswith(".py") else ["bash"]
    files = [mixed, _half_as_loud(race.room / mixed), "OUT"] if program == "matchering" else [mixed, "OUT"]
    ours = [*race.ours, "w2", mixed, "OUT"]
    assert race.compare("W2", script.removeprefix("peer_"), ours, [*shell, script, *files], pairs=1) > 1.0


def _half_as_loud(path: Path) -> str:
    """Write a copy at half the level beside it and return its name."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    quieter = path.with_name(f"half-{path.name}")
    soundfile.write(quieter, samples * np.float32(0.5), rate_hz, subtype="PCM_24")
    return quieter.name
