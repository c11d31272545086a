"""Short excerpts of the project's own multitrack, `examples/lithium`: real recordings that render in a second."""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from tapelog.common.v1 import recipe_pb2

from .studio import RATE_HZ

STEMS: Final = Path(__file__).resolve().parents[2] / "examples" / "lithium" / "stems"
FILES: Final = {
    "kick": "01_kick.flac",
    "synth": "07_synth.flac",
    "choir": "09_choir-main.flac",
    "lead-vox": "12_lead-vox.flac",
}
TAGS: Final = {"choir": ["vocal"], "lead-vox": ["vocal", "lead"]}
BEGIN_S: Final = 14.5
"""The drop: all four play, the lead from its first word on."""
HUM_HZ: Final = 50.0
PAUSE_S: Final = 0.6
PAUSE_AMPLITUDE: Final = 1e-4
"""A breath before the first note, at -80 dBFS: what noise floors are measured in."""


def excerpt(folder: Path, track: str, *, length_s: float, hum: float = 0.0, name: str = "") -> Path:
    """Cut some seconds of a stem behind a pause, as a 24-bit WAV; `hum` adds a mains hum of this amplitude."""
    begin, frames = round(BEGIN_S * RATE_HZ), round(length_s * RATE_HZ)
    samples, rate_hz = soundfile.read(STEMS / FILES[track], start=begin, frames=frames, always_2d=True)
    assert rate_hz == RATE_HZ
    pause = np.random.default_rng(1).standard_normal((round(PAUSE_S * rate_hz), samples.shape[1])) * PAUSE_AMPLITUDE
    samples = np.concatenate((pause, samples))
    if hum:
        samples = samples + hum * _mains(len(samples))[:, None]
    path = folder / f"{name or track}.wav"
    soundfile.write(path, samples, rate_hz, subtype="PCM_24")
    return path


def _mains(frames: int) -> np.ndarray:
    """Return a hum with its first harmonics."""
    turns = 2 * np.pi * HUM_HZ * np.arange(frames) / RATE_HZ
    return sum(np.sin(k * turns) / k for k in (1, 2, 3, 5))


def mix_of(sources: dict[str, str], *, gain_db: float = -6.0, presence_db: float = 0.0) -> recipe_pb2.MixRecipe:
    """Return a mix of the excerpts; `presence_db` lifts the lead's consonants."""
    recipe = recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ)
    for track, sha256 in sources.items():
        added = recipe.tracks.add(id=track, gain_db=gain_db, tags=TAGS.get(track, []))
        added.source.asset_sha256 = sha256
        if track == "lead-vox" and presence_db:
            added.chain.add().eq.bands.add(frequency_hz=3_000, gain_db=presence_db, q=0.8)
    return recipe


def master_of() -> recipe_pb2.MasterRecipe:
    """Return a master for streaming, as 24-bit WAV and FLAC."""
    recipe = recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
    for container in (recipe_pb2.CONTAINER_WAV, recipe_pb2.CONTAINER_FLAC):
        recipe.outputs.add(container=container, bit_depth=24)
    return recipe
