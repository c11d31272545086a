"""The gate that every block of every file passes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_desk import probe_file
from tapelog_desk.errors import SourceError
from tapelog_desk.files.readers import open_audio

RATE_HZ = 44_100


def _drain(path: Path, *, refuse_non_finite: bool = True, block: int = 4_096) -> tuple[np.ndarray, int]:
    with open_audio(path, refuse_non_finite=refuse_non_finite) as reader:
        parts = []
        while (part := reader.read(block)).shape[1]:
            parts.append(part)
        return np.concatenate(parts, axis=1), reader.non_finite_samples


def _tone(frames: int = 20_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(frames))


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("x.flac", "PCM_16"), ("x.flac", "PCM_24"), ("x.aiff", "PCM_16"), ("x.aiff", "FLOAT"), ("x.w64", "PCM_24"),
     ("x.ogg", "VORBIS"), ("x.mp3", "MPEG_LAYER_III")],
)  # fmt: skip
@pytest.mark.parametrize("block", [1_000, 4_096, 65_536])
def test_every_container_reads_as_libsndfile_reads_it(tmp_path: Path, name: str, subtype: str, block: int):
    """Blocks of any size, joined, are what libsndfile reads in one piece."""
    path = tmp_path / name
    soundfile.write(path, np.stack((_tone(), -_tone()), axis=1), RATE_HZ, subtype)
    expected = soundfile.read(path, always_2d=True)[0].T
    assert np.array_equal(_drain(path, block=block)[0], expected)
    assert probe_file(path).container == path.suffix[1:]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_place(tmp_path: Path, bad: float):
    """A mix may not swallow NaN; the message names channel and frame."""
    samples = np.stack((_tone(), _tone()), axis=1)
    samples[12_345, 1] = bad
    soundfile.write(tmp_path / "x.wav", samples, RATE_HZ, "FLOAT")
    with pytest.raises(SourceError, match="in channel 2 at frame 12345") as caught:
        _drain(tmp_path / "x.wav")
    assert caught.value.reason == "SOURCE_NON_FINITE"


def test_a_meter_counts_them_and_reads_silence(tmp_path: Path):
    """Measuring goes on, and says how many there were."""
    samples = _tone()
    samples[100:107] = np.nan
    soundfile.write(tmp_path / "x.wav", samples, RATE_HZ, "DOUBLE")
    read, count = _drain(tmp_path / "x.wav", refuse_non_finite=False)
    assert count == 7
    assert not read[0, 100:107].any()
    assert np.array_equal(read[0, 107:], samples[107:])


def test_levels_beyond_reason_are_refused(tmp_path: Path):
    """A float file with samples of 1e38 is a wrongly read file."""
    soundfile.write(tmp_path / "x.wav", _tone() * 1e6, RATE_HZ, "FLOAT")
    with pytest.raises(SourceError) as caught:
        _drain(tmp_path / "x.wav")
    assert caught.value.reason == "SOURCE_LEVEL_ABSURD"


@pytest.mark.parametrize("name", ["x.flac", "x.aiff"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, name: str):
    """Half an upload is an error with both numbers, or what the decoder says, never half a song."""
    soundfile.write(tmp_path / name, np.random.default_rng(1).uniform(-0.5, 0.5, 50_000), RATE_HZ, "PCM_16")
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[: len(raw) // 2])
    with pytest.raises(SourceError) as caught:
        _drain(tmp_path / name)
    assert caught.value.reason in {"SOURCE_TRUNCATED", "SOURCE_DAMAGED"}


def test_the_name_of_a_file_does_not_matter(tmp_path: Path):
    """A FLAC called .wav is read as what it is."""
    soundfile.write(tmp_path / "x.flac", _tone(), RATE_HZ)
    (tmp_path / "x.flac").rename(tmp_path / "x.wav")
    assert probe_file(tmp_path / "x.wav").container == "flac"


def test_codecs_outside_the_list_are_refused(tmp_path: Path):
    """µ-law in AIFF opens in libsndfile and is refused here."""
    soundfile.write(tmp_path / "x.aiff", _tone(), RATE_HZ, "ULAW")
    with pytest.raises(SourceError) as caught:
        open_audio(tmp_path / "x.aiff")
    assert caught.value.reason == "SOURCE_FORMAT_REFUSED"


def test_a_missing_file_and_a_folder_are_typed_errors(tmp_path: Path):
    """What cannot be opened says so."""
    for path, reason in ((tmp_path / "none.wav", "SOURCE_NOT_FOUND"), (tmp_path, "SOURCE_UNREADABLE")):
        with pytest.raises(SourceError) as caught:
            open_audio(path)
        assert caught.value.reason == reason
