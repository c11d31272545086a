"""Names that strangers give to audio: none becomes a path, and what can be read is read."""

import io
import json
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_cli.main import main

PROJECT = """<?xml version="1.0" encoding="UTF-8"?>
<Project version="1.0"><Application name="Host" version="1"/>
<Transport><Tempo unit="bpm" value="120" id="t"/></Transport>
<Structure>{tracks}<Track contentType="audio" id="m" name="Master"><Channel role="master" id="mc"/></Track></Structure>
<Arrangement id="a"><Lanes timeUnit="seconds" id="l">{lanes}</Lanes></Arrangement></Project>
"""
TRACK = '<Track contentType="audio" id="k{n}" name={name}><Channel role="regular" id="c{n}" destination="mc"/></Track>'
LANE = (
    '<Lanes track="k{n}" id="n{n}"><Clips id="s{n}"><Clip time="0" duration="1"><Audio channels="1" duration="1" '
    'sampleRate="48000" id="u{n}"><File path={path}{external}/></Audio></Clip></Clips></Lanes>'
)
OUTSIDE = ("../../stolen.wav", "/etc/stolen.wav", "a\\..\\..\\stolen.wav", "C:\\stolen.wav", "file:///etc/stolen.wav")
ODD = (
    "CON.wav", "aux", "\u202egnp.wav", "a" * 900 + ".wav", "Ünder—dash ♪.wav", " .wav", "-rf.wav",
    unicodedata.normalize("NFC", "é.wav"), unicodedata.normalize("NFD", "é.wav"),
)  # fmt: skip


def _audio() -> bytes:
    made = io.BytesIO()
    soundfile.write(made, 0.1 * np.sin(np.arange(48_000) / 10), 48_000, format="WAV", subtype="PCM_16")
    return made.getvalue()


def _quoted(text: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(text)


def _session(path: Path, names: tuple[str, ...], *, holds: bool, external: bool = False) -> Path:
    """Write a DAWproject with a track for each name of an audio file, which the archive holds or not."""
    numbered = list(enumerate(names))
    tracks = "".join(TRACK.format(n=n, name=_quoted(name)) for n, name in numbered)
    outer = ' external="true"' if external else ""
    lanes = "".join(LANE.format(n=n, path=_quoted(name), external=outer) for n, name in numbered)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.xml", PROJECT.format(tracks=tracks, lanes=lanes))
        for name in names if holds else ():
            archive.writestr(name, _audio())
    return path


def _everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("external", [False, True], ids=["inside", "external"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_outside(name: str, external: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A path out of the archive, or out of the session's folder, brings nothing and writes nothing."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "stolen.wav").write_bytes(_audio())
    session = _session(home / "a.dawproject", (name,), holds=False, external=external)
    before = _everything(tmp_path)
    code = main(["import", str(session), "-o", str(home / "song"), "--json"])
    said = capsys.readouterr()
    assert code in (1, 2)
    assert "Traceback" not in said.err
    assert {path for path in _everything(tmp_path) - before if path.is_relative_to(home / "song")} == (
        _everything(tmp_path) - before
    )
    assert not any("stolen" in path.name for path in _everything(home))


def test_odd_names_become_plain_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Device names, right-to-left marks, twins of one letter, long names: each file once, under a plain name."""
    session = _session(tmp_path / "a.dawproject", ODD, holds=True)
    assert main(["import", str(session), "-o", str(tmp_path / "song"), "--json"]) == 0, capsys.readouterr().err
    json.loads(capsys.readouterr().out)
    files = sorted((tmp_path / "song" / "audio").iterdir())
    assert len(files) == len(ODD)
    assert all(path.name.isascii() and path.name.isprintable() and len(path.name) <= 80 for path in files)
    assert not any(path.name.startswith(("-", ".")) for path in files)
