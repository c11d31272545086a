"""`tapelog check`: a real file through readers, codecs, report and page."""

import html
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_cli.main import main
from tapelog_desk import SourceError
from tapelog_desk.checking import average_spectrum, check_file, check_json, translation_of
from tapelog_desk.codecs import available_codecs
from tapelog_desk.report.check_page import check_html
from tapelog_dsp import Status
from tapelog_dsp.testing import programme

RATE = 44_100


@pytest.fixture
def master(tmp_path: Path) -> Path:
    """Return a stereo master of 8 s, peaks at -2 dBFS."""
    path = tmp_path / "master.wav"
    soundfile.write(path, 0.794 * programme(8.0, sample_rate=RATE).T, RATE, subtype="PCM_24")
    return path


def test_check_of_a_file(master: Path):
    """The report's status is its worst check, and its JSON holds every number, limit and verdict."""
    checked = check_file(master)
    plain = json.loads(json.dumps(check_json(checked), allow_nan=False))
    assert plain["schema"] == "tapelog.check/1"
    assert plain["format"] == {"sample_rate_hz": RATE, "channels": 2, "length_frames": 8 * RATE}
    order = ["PASS", "WARN", "FAIL"]
    assert plain["status"] == max((check["status"] for check in plain["checks"]), key=order.index)
    assert {"value", "warn", "fail", "unit", "side", "detail"} <= set(plain["checks"][0])
    assert len(plain["devices"]) == 7
    assert plain["codecs"] == []
    assert len(plain["correlation"]["values"]) == 77


@pytest.mark.skipif(not available_codecs(), reason="there is no ffmpeg with encoders on the PATH")
def test_codec_round_trip(master: Path):
    """Each codec gives the master back in place: small residual in the mids, the loudness kept, a judged peak."""
    checked = check_file(master, codecs=available_codecs())
    assert [one.codec for one in checked.codecs] == list(available_codecs())
    for one in checked.codecs:
        residual = dict(one.residual)
        assert residual["bass"] < -15.0, one
        assert abs(one.loudness_change_lu) < 1.0
        assert abs(one.offset_frames) <= 2
        assert -4.0 < one.true_peak_dbtp < 3.0
    better, worse = (dict(one.residual)["mids"] for one in checked.codecs if one.codec.encoder == "aac")
    assert better < worse
    assert sum(check.name == "codec_peak" for check in checked.checks) == len(checked.codecs)


def test_page_is_whole(master: Path):
    """The page has every check and five well-formed pictures, and loads nothing."""
    checked = check_file(master)
    page = check_html(checked)
    for check in checked.checks:
        assert check.title.split(":")[0] in html.unescape(page)
    drawings = [part.split("</svg>")[0] + "</svg>" for part in page.split("<figure>")[1:]]
    assert len(drawings) == 6
    for drawing in drawings:
        assert ET.fromstring(drawing).tag == "svg"  # noqa: S314  # made a moment ago
    assert "http" not in page
    assert "<script" not in page


def test_another_master_as_reference(master: Path, tmp_path: Path):
    """Held against itself a master has no difference; against a duller copy of itself it has too much air."""
    assert check_file(master, reference=master).report.balance.worst_band[1] == pytest.approx(0.0, abs=1e-9)
    samples, _ = soundfile.read(master)
    dull = np.apply_along_axis(lambda channel: np.convolve(channel, np.ones(8) / 8.0, mode="same"), 0, samples)
    other = tmp_path / "dull.wav"
    soundfile.write(other, dull, RATE, subtype="PCM_24")
    report = check_file(master, reference=other).report
    assert report.balance.reference == "dull.wav"
    assert dict(report.balance.bands)["presence"] > 6.0
    assert average_spectrum(other).left.sum() > 0.0


def test_what_cannot_be_judged(tmp_path: Path):
    """Silence and a file of six channels are refused by name."""
    for name, samples in (("silence.wav", np.zeros((RATE, 2))), ("six.wav", np.ones((RATE, 6)) * 0.1)):
        soundfile.write(tmp_path / name, samples, RATE)
        with pytest.raises(SourceError) as caught:
            check_file(tmp_path / name)
        assert caught.value.reason == "SOURCE_NOT_JUDGED"


def test_command(master: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The command prints a table or JSON, writes the page, and its exit code says whether a check failed."""
    page = tmp_path / "check.html"
    code = main(["check", str(master), "--no-codec", "--json", "--report", str(page)])
    plain = json.loads(capsys.readouterr().out)
    assert code == (4 if plain["status"] == Status.FAIL else 0)
    assert page.read_text().startswith("<!doctype html>")
    assert main(["check", str(master), "--no-codec", "--reference", "pink"]) in {0, 4}
    assert "True peak" in capsys.readouterr().out
    assert main(["check", str(master), "--reference", "nowhere"]) == 2
    assert main(["check", str(master), "--report", "check.pdf"]) == 2
    twin = tmp_path / "check.json"
    main(["check", str(master), "--no-codec", "--report", str(twin)])
    assert json.loads(twin.read_text()) == plain


def test_translation_names_every_playback_profile(tmp_path: Path) -> None:
    """A master gets mono and every device, with number and limit; what cannot be judged gets nothing."""
    rng = np.random.default_rng(2)
    soundfile.write(tmp_path / "x.wav", 0.1 * rng.standard_normal((96_000, 2)), 48_000, subtype="PCM_24")
    soundfile.write(tmp_path / "silence.wav", np.zeros((48_000, 2)), 48_000, subtype="PCM_24")
    found = {check.profile: check for check in translation_of(tmp_path / "x.wav")}
    assert {"mono-loudness", "mono-voice", "phone", "car", "earbuds", "full-range"} <= set(found)
    assert all(check.HasField("value") and check.status and check.unit for check in found.values())
    assert translation_of(tmp_path / "silence.wav") == []
