"""Previews: a range of a mix or a file, of equal loudness, so that a comparison is fair."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import DeskError, beside, render_mix
from tapelog_desk.excerpt import Excerpt, render_preview
from tapelog_dsp import measure
from tapelog_dsp.testing import programme

RATE_HZ = 48_000
DIGEST = "5a" * 32
FLOAT = [pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Write six seconds of a programme."""
    path = tmp_path / "song.wav"
    soundfile.write(path, 0.3 * programme(6.0, sample_rate=RATE_HZ, seed=5).T, RATE_HZ, subtype="PCM_24")
    return path


def mix(gain_db: float) -> pb.MixRecipe:
    """Return a mix of the song with a compressor, at a level."""
    track = pb.RecipeTrack(
        id="song",
        source=pb.RecipeSource(file="song.wav"),
        gain_db=gain_db,
        chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-20.0))],
    )
    return pb.MixRecipe(sample_rate_hz=RATE_HZ, tracks=[track])


def read(path: Path) -> np.ndarray:
    """Return samples `[channels, frames]`."""
    return np.ascontiguousarray(soundfile.read(path, always_2d=True)[0].T)


def test_two_levels_of_a_mix_are_heard_equally_loud(song: Path, tmp_path: Path):
    """Previews of a mix and of the same mix 9 dB softer measure the target within 0.01 LU and are equal samples."""
    samples = []
    for gain_db in (0.0, -9.0):
        excerpt = Excerpt(mix(gain_db), None, 50_000, 194_000, -20.0)
        made = render_preview(excerpt, beside(tmp_path), FLOAT, tmp_path, digest=DIGEST)
        samples.append(read(made.rendered.audio[0].path))
        loudness = measure(samples[-1], RATE_HZ).loudness.integrated_lufs
        assert loudness == pytest.approx(-20.0, abs=0.01)
    assert samples[0].shape == (2, 144_000)
    assert np.abs(samples[0] - samples[1]).max() < 1e-5


def test_a_preview_is_the_whole_mixs_own_passage(song: Path, tmp_path: Path):
    """The range holds the samples of the whole mix times one gain, to float32's last bit."""
    whole = read(render_mix(mix(-3.0), beside(tmp_path), FLOAT, tmp_path).audio[0].path)
    excerpt = Excerpt(mix(-3.0), None, 100_001, 170_002)
    made = render_preview(excerpt, beside(tmp_path), FLOAT, tmp_path, digest=DIGEST)
    expected = whole[:, 100_001:170_002] * 10.0 ** (made.gain_db / 20.0)
    assert np.abs(read(made.rendered.audio[0].path) - expected).max() < 2.0**-24


def test_a_file_is_previewed_at_its_own_rate_and_repeats_to_the_byte(song: Path, tmp_path: Path):
    """An asset is cut and matched without a mix; the same excerpt gives the same file."""
    excerpt = Excerpt(None, song, 0, RATE_HZ)
    files = []
    for name in ("one", "two"):
        made = render_preview(excerpt, beside(tmp_path), (), tmp_path, digest=DIGEST, name=name)
        files.append(made.rendered.audio[0].result)
    assert files[0].sha256 == files[1].sha256
    assert files[0].measurements.integrated_lufs == pytest.approx(-23.0, abs=0.05)
    assert files[0].format.length_frames == RATE_HZ


@pytest.mark.parametrize(
    ("place", "target", "reason"),
    [
        ((0, 10_000), -23.0, "RANGE_LENGTH_REFUSED"),
        ((5 * RATE_HZ, 7 * RATE_HZ), -23.0, "RANGE_OUTSIDE"),
        ((0, RATE_HZ), -5.0, "TARGET_INFEASIBLE"),
    ],
)
def test_what_cannot_be_compared_fairly_is_refused(
    song: Path, tmp_path: Path, place: tuple[int, int], target: float, reason: str
):
    """Too short, behind the end, too loud for its peaks: each has its reason, and nothing is left behind."""
    with pytest.raises(DeskError) as error:
        render_preview(Excerpt(None, song, *place, target), beside(tmp_path), (), tmp_path, digest=DIGEST)
    assert error.value.reason == reason
    assert list(tmp_path.iterdir()) == [song]


def test_silence_has_no_loudness_to_match(tmp_path: Path):
    """A silent range is refused, not divided by zero."""
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros((RATE_HZ, 2)), RATE_HZ, subtype="PCM_24")
    with pytest.raises(DeskError) as error:
        render_preview(Excerpt(None, silent, 0, RATE_HZ), beside(tmp_path), (), tmp_path, digest=DIGEST)
    assert error.value.reason == "RANGE_SILENT"
