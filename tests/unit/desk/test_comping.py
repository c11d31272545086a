"""Comps: passages of takes, exact to the frame, with crossfades of equal power."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_desk import RecipeRefusedError, SourceError
from tapelog_desk.comping import Passage, render_comp

RATE_HZ = 48_000
DIGEST = "5a" * 32
LENGTH = 100_000


def take(folder: Path, name: str, seed: int, *, channels: int = 1, rate_hz: int = RATE_HZ) -> tuple[Path, np.ndarray]:
    """Write noise as a 24-bit take and return it as it was written, `[channels, frames]`."""
    path = folder / f"{name}.wav"
    noise = 0.3 * np.random.default_rng(seed).uniform(-1.0, 1.0, (LENGTH, channels))
    soundfile.write(path, noise, rate_hz, subtype="PCM_24")
    return path, soundfile.read(path, always_2d=True)[0].T


def rendered(passages: list[Passage], folder: Path) -> np.ndarray:
    """Return the comp's samples."""
    result = render_comp(passages, folder, digest=DIGEST)
    return soundfile.read(result.audio[0].path, always_2d=True)[0].T


def test_passages_hold_the_takes_own_samples(tmp_path: Path):
    """Without crossfades every sample is the take's own, cuts are to the frame, and silence comes before the first."""
    (one, a), (two, b) = take(tmp_path, "one", 1), take(tmp_path, "two", 2)
    made = rendered([Passage(one, 1_000, 40_001), Passage(two, 40_001, 70_003), Passage(one, 70_003, LENGTH)], tmp_path)
    expected = np.concatenate([np.zeros((1, 1_000)), a[:, 1_000:40_001], b[:, 40_001:70_003], a[:, 70_003:]], axis=1)
    assert np.array_equal(made, expected)


def test_a_crossfade_has_equal_power_and_only_its_own_frames(tmp_path: Path):
    """Inside, the gains are the roots of u and 1 - u; outside, nothing is touched; a block boundary cannot be seen."""
    (one, a), (two, b) = take(tmp_path, "one", 1), take(tmp_path, "two", 2)
    cut, frames = 32_000, 4_800  # the fade lies across the end of the first block
    made = rendered([Passage(one, 0, cut), Passage(two, cut, LENGTH, frames)], tmp_path)
    u = (np.arange(frames) + 0.5) / frames
    fade = a[:, cut : cut + frames] * np.sqrt(1.0 - u) + b[:, cut : cut + frames] * np.sqrt(u)
    assert np.array_equal(made[:, :cut], a[:, :cut])
    assert np.abs(made[:, cut : cut + frames] - fade).max() < 2.0**-25
    assert np.array_equal(made[:, cut + frames :], b[:, cut + frames :])


def test_a_take_that_goes_on_is_not_faded_into_itself(tmp_path: Path):
    """A crossfade between two passages of one take leaves the take as it was played."""
    one, a = take(tmp_path, "one", 1)
    made = rendered([Passage(one, 0, 50_000), Passage(one, 50_000, LENGTH, 2_000)], tmp_path)
    assert np.array_equal(made, a)


def test_mono_beside_stereo_is_heard_on_both_sides(tmp_path: Path):
    """A comp of mono and stereo takes is stereo, and the mono take is in its middle."""
    (one, a), (two, b) = take(tmp_path, "one", 1), take(tmp_path, "two", 2, channels=2)
    made = rendered([Passage(one, 0, 50_000), Passage(two, 50_000, LENGTH)], tmp_path)
    assert np.array_equal(made[:, :50_000], np.repeat(a[:, :50_000], 2, axis=0))
    assert np.array_equal(made[:, 50_000:], b[:, 50_000:])


def test_what_cannot_be_put_together_is_refused(tmp_path: Path):
    """Gaps, fades longer than their passage, takes that are too short and rates that differ are named."""
    (one, _), (two, _) = take(tmp_path, "one", 1), take(tmp_path, "two", 2, rate_hz=44_100)
    for passages, place in (
        ([], "passages"),
        ([Passage(one, 0, 10), Passage(one, 11, 20)], "passages[1].range"),
        ([Passage(one, 0, 10), Passage(two, 10, 20, 11)], "passages[1].crossfade_frames"),
        ([Passage(one, 0, 10, 1)], "passages[0].crossfade_frames"),
    ):
        with pytest.raises(RecipeRefusedError) as refusal:
            render_comp(passages, tmp_path, digest=DIGEST)
        assert place in {violation.path for violation in refusal.value.violations}
    for passages, reason in (
        ([Passage(one, 0, LENGTH + 1)], "RANGE_OUTSIDE"),
        ([Passage(one, 0, 10), Passage(two, 10, 20)], "SOURCE_RATES_DIFFER"),
    ):
        with pytest.raises(SourceError) as error:
            render_comp(passages, tmp_path, digest=DIGEST)
        assert error.value.reason == reason
    assert list(tmp_path.glob("comp*")) == []
