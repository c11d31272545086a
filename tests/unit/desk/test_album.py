"""`tapelog album`: songs of several rates and widths become one album with its sequence."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_cli.main import main
from tapelog_desk import TargetError
from tapelog_desk.album import SongIn, gap_frames, render_album
from tapelog_desk.targets import Aim
from tapelog_dsp import Fade, measure
from tapelog_dsp.testing import programme

WAV_24 = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24)


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    """Return three songs: 44.1 kHz stereo, 48 kHz stereo 8 dB softer, 44.1 kHz mono."""
    made = []
    for name, rate, gain, channels in (("one", 44_100, 0.5, 2), ("two", 48_000, 0.2, 2), ("three", 44_100, 0.4, 1)):
        path = tmp_path / f"{name}.wav"
        samples = gain * programme(5.0, sample_rate=rate, seed=len(name) + rate)[:channels]
        soundfile.write(path, samples.T, rate, subtype="PCM_24")
        made.append(path)
    return made


def read(path: Path) -> tuple[np.ndarray, int]:
    """Return a file ``[channels, frames]``."""
    samples, rate = soundfile.read(path, always_2d=True)
    return np.ascontiguousarray(samples.T), rate


def test_album(songs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Every song has its file at one rate; the whole is their samples in sequence, and reaches the target."""
    out = tmp_path / "album"
    arguments = ["album", *map(str, songs), "-o", str(out), "--lufs", "-20", "--gap", "0,1,0.5", "--whole", "--json"]
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "album.json").read_text())
    assert [song["file"] for song in told["songs"]] == ["01-one.wav", "02-two.wav", "03-three.wav"]
    whole, rate = read(out / "album.wav")
    assert rate == 44_100
    assert whole.shape[1] == told["length_frames"]
    loudness, before = [], []
    for song in told["songs"]:
        samples, rate = read(out / song["file"])
        assert rate == 44_100
        start, stop = song["start_frame"], song["start_frame"] + song["length_frames"]
        assert start % (44_100 // 75) == 0
        assert np.abs(whole[:, start:stop] - samples).max() < 4.0 * 2.0**-23  # both dithered
        loudness.append(measure(samples, rate).loudness.integrated_lufs)
        before.append(song["before_lufs"])
    assert measure(whole, rate).loudness.integrated_lufs == pytest.approx(-20.0, abs=0.3)
    assert np.diff(loudness) == pytest.approx(np.diff(before), abs=0.05)
    cue = (out / "album.cue").read_text()
    assert cue.startswith('FILE "album.wav" WAVE\n  TRACK 01 AUDIO\n    TITLE "one"\n    INDEX 01 00:00:00\n')
    assert "TRACK 03" in cue
    assert "INDEX 01 00:06:00" in cue


def test_the_same_album_has_the_same_bytes(songs: list[Path], tmp_path: Path):
    """A second run writes equal files."""
    for name in ("a", "b"):
        assert main(["album", *map(str, songs), "-o", str(tmp_path / name), "--target", "streaming", "--flac"]) == 0
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_trims_and_fades(songs: list[Path], tmp_path: Path):
    """A trim moves its own song alone; a fade ends it in silence."""
    aim = Aim("", -24.0, -1.0, 0.2)
    plain = render_album([SongIn(path) for path in songs], tmp_path, aim, output=WAV_24)
    moved = render_album(
        [SongIn(songs[0]), SongIn(songs[1], trim_db=4.0, fade=Fade(out_s=2.0)), SongIn(songs[2])], tmp_path, aim,
        output=WAV_24,
    )  # fmt: skip
    gains = [
        [song.audio.result.measurements.integrated_lufs - song.before_lufs for song in made.songs]
        for made in (plain, moved)
    ]
    assert np.ptp(gains[0]) < 0.1
    assert gains[1][1] - gains[1][0] == pytest.approx(4.0, abs=0.1)
    samples, _ = read(moved.songs[1].audio.path)
    assert np.abs(samples[:, -20:]).max() < 1e-4


def test_out_of_reach(songs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A target beyond the limiter is refused with exit code 4 and no file; best effort makes the closest.

    A folder with files is written into only with `--force`.
    """
    out = tmp_path / "loud"
    assert main(["album", *map(str, songs), "-o", str(out), "--lufs", "-2"]) == 4
    assert "out of reach" in capsys.readouterr().err
    assert list(out.iterdir()) == []
    (out / "last.wav").write_text("the only copy")
    again = ["album", *map(str, songs), "-o", str(out), "--lufs", "-2", "--best-effort"]
    assert main(again) == 2
    assert [path.name for path in out.iterdir()] == ["last.wav"]
    assert main([*again, "--force"]) == 0
    with pytest.raises(TargetError):
        render_album([SongIn(songs[0])], tmp_path, Aim("", -2.0, -1.0, 0.2), output=WAV_24)


def test_gaps_land_on_disc_frames():
    """At 44.1 kHz a song starts on a 75th of a second; without a gap it follows at once."""
    assert (12_345 + gap_frames(2.0, 12_345, 44_100)) % 588 == 0
    assert gap_frames(0.0, 12_345, 44_100) == 0
    assert gap_frames(1.0, 7, 8_000) == 8_000


@pytest.mark.parametrize(
    "wrong",
    [
        ["--gap", "1,2"], ["--gap", "soon"], ["--mode", "mixtape"], ["--bit-depth", "20"], ["--trim", "40"],
        ["--bit-depth", "32", "--flac"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(songs: list[Path], tmp_path: Path, wrong: list[str]):
    """Values that do not fit are refused before anything is read."""
    assert main(["album", *map(str, songs), "-o", str(tmp_path / "x"), "--lufs", "-20", *wrong]) == 2
    assert main(["album", *map(str, songs), "-o", str(tmp_path / "x")]) == 2
