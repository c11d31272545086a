"""Synthetic stems whose nature is known, for tests: seeded, mono, full scale 1.0."""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from tapelog_desk.automix.bands import Floats

RATE: Final = 48_000


def _times(seconds: float, rate: int) -> Floats:
    return np.arange(round(seconds * rate)) / rate


def tone(frequency_hz: float, *, seconds: float = 4.0, rate: int = RATE, partials: int = 8) -> Floats:
    """Return a steady harmonic tone ``[1, frames]`` whose partials fall by 1/n."""
    t = _times(seconds, rate)
    made = np.zeros_like(t)
    for partial in range(1, partials + 1):
        made += np.sin(2.0 * np.pi * frequency_hz * partial * t) / partial
    quiet: Floats = 0.2 * made[None, :]
    return quiet


def _struck(sound: Floats, every_s: float, seconds: float, rate: int) -> Floats:
    made = np.zeros(round(seconds * rate))
    for start in range(0, made.size, round(every_s * rate)):
        room = min(sound.size, made.size - start)
        made[start : start + room] += sound[:room]
    return made[None, :]


def kick(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return a kick on every half second."""
    t = _times(0.3, rate)
    sweep = 2.0 * np.pi * (50.0 * t + 1.5 * (1.0 - np.exp(-t / 0.02)))
    click = np.random.default_rng(1).standard_normal(t.size) * np.exp(-t / 0.002) * 0.2
    return _struck(0.8 * np.sin(sweep) * np.exp(-t / 0.06) + click, 0.5, seconds, rate)


def snare(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return a snare on every second."""
    t = _times(0.25, rate)
    noise = np.convolve(np.random.default_rng(2).standard_normal(t.size), np.ones(8) / 8.0, mode="same")
    body = np.sin(2.0 * np.pi * 210.0 * t) * np.exp(-t / 0.03)
    return _struck(0.3 * body + 0.5 * noise * np.exp(-t / 0.05), 1.0, seconds, rate)


def hats(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return closed hi-hats on every quarter of a second."""
    t = _times(0.08, rate)
    noise = np.random.default_rng(3).standard_normal(t.size + 3)
    bright = np.diff(noise, n=3) * 0.1
    return _struck(bright * np.exp(-t / 0.02), 0.25, seconds, rate)


def bass(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return bass notes of half a second."""
    notes = []
    for note in range(round(seconds * 2)):
        t = _times(0.5, rate)
        frequency = 55.0 * 2.0 ** ((0, 0, 3, 5)[note % 4] / 12.0)
        wave = sum(np.sin(2.0 * np.pi * frequency * n * t) / n**1.7 for n in range(1, 6))
        notes.append(0.4 * wave * np.minimum(1.0, t / 0.01) * np.minimum(1.0, (0.5 - t) / 0.03))
    return np.concatenate(notes)[None, :]


def keys(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return chords that change every second."""
    chords = []
    for bar in range(round(seconds)):
        t = _times(1.0, rate)
        wave = np.zeros_like(t)
        for semitone in (0, 4, 7):
            frequency = 261.63 * 2.0 ** ((semitone + (0, 5, 7, 0)[bar % 4]) / 12.0)
            wave += sum(np.sin(2.0 * np.pi * frequency * n * t) / n**1.5 for n in range(1, 7))
        chords.append(0.08 * wave * np.minimum(1.0, t / 0.01) * np.exp(-t / 1.5))
    return np.concatenate(chords)[None, :]


def voice(*, seconds: float = 6.0, rate: int = RATE) -> Floats:
    """Return a sung line: gliding pitch with vibrato, vowels that change, and hissed consonants."""
    t = _times(seconds, rate)
    glide = 180.0 * 2.0 ** ((3.0 * np.sin(2.0 * np.pi * 0.31 * t) + 0.4 * np.sin(2.0 * np.pi * 5.3 * t)) / 12.0)
    phase = 2.0 * np.pi * np.cumsum(glide) / rate
    open_mouth = 0.5 + 0.5 * np.sin(2.0 * np.pi * 1.7 * t)
    wave = np.zeros_like(t)
    for partial in range(1, 16):
        formant = np.exp(-(((glide * partial - (400.0 + 700.0 * open_mouth)) / 350.0) ** 2))
        wave += np.sin(phase * partial) * (0.2 / partial + formant)
    hiss = np.diff(np.random.default_rng(4).standard_normal(t.size + 1))
    consonant = (np.sin(2.0 * np.pi * 2.1 * t) > 0.9).astype(np.float64)
    level = 0.6 + 0.4 * np.sin(2.0 * np.pi * 0.4 * t)
    return (level * (0.12 * wave * (1.0 - consonant) + 0.03 * hiss * consonant))[None, :]


SONG: Final = {"kick": kick, "snare": snare, "hats": hats, "bass": bass, "keys": keys, "lead-vox": voice}
"""The stems of a small song, by file name."""


def write_song(folder: Path, *, gains_db: dict[str, float] | None = None, seconds: float = 6.0) -> list[Path]:
    """Write the small song as 24-bit WAV and return its files.

    Parameters
    ----------
    folder : Path
        Where.
    gains_db : dict of str to float, optional
        Recording level of stems, by name.
    seconds : float
        Length.
    """
    paths = []
    for name, make in SONG.items():
        level = 10.0 ** ((gains_db or {}).get(name, 0.0) / 20.0)
        path = folder / f"{name}.wav"
        soundfile.write(path, level * make(seconds=seconds).T, RATE, subtype="PCM_24")
        paths.append(path)
    return paths
