"""One small production by the command line alone, against a real `tapelog up`."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import main

from .conftest import System
from .excerpts import excerpt
from .studio import RATE_HZ

LENGTH_S: Final = 3.0
FILES: Final = {"kick": "01_Kick", "choir": "02_Choir", "lead-vox": "03_Lead Vox"}
ROLES: Final = {
    "pty-artist": "artist,songwriter",
    "pty-producer": "studio-producer",
    "pty-recording": "recording-engineer",
    "pty-mixing": "mixing-engineer",
    "pty-mastering": "mastering-engineer",
    "pty-label": "label",
}
BRIEF: Final = """
intent: Plain and close.
constraints:
  - id: dry-lead
    statement: No echo on my voice.
    effect_forbidden: {selector: {tracks: [lead-vox]}, effects: [delay]}
"""
MIX: Final = f"""
sample_rate_hz: {RATE_HZ}
tracks:
  - {{id: kick, source: "file:01_Kick.wav", gain_db: -6}}
  - {{id: choir, source: "file:02_Choir.wav", gain_db: -6, tags: [vocal]}}
  - {{id: lead-vox, source: "file:03_Lead Vox.wav", tags: [vocal, lead], gain_db: %s%s}}
"""
ECHO: Final = ", chain: [{delay: {time_ms: 120}}]"
MASTER: Final = """
source: file:mix.wav
target: {name: streaming}
outputs: [{container: wav, bit_depth: 24}, {container: flac, bit_depth: 24}]
"""


class CommandLine:
    """Runs commands in this process as one person after another."""

    def __init__(self, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._where = ("--data-dir", str(data_dir))
        self._capsys = capsys

    def text(self, party: str, *words: str, code: int = ExitCode.OK) -> str:
        """Run a command as a person reads it; return both outputs."""
        ended = main([*words, "--as", f"pty-{party}", *self._where])
        captured = self._capsys.readouterr()
        assert ended == code, (words, captured.out, captured.err)
        return captured.out + captured.err

    def json(self, party: str, *words: str, code: int = ExitCode.OK) -> Any:
        """Run a command for a program; return its document, from standard error where it was refused."""
        ended = main([*words, "--json", "--as", f"pty-{party}", *self._where])
        captured = self._capsys.readouterr()
        assert ended == code, (words, captured.out, captured.err)
        return json.loads(captured.out or captured.err)


@pytest.fixture
def run(system: System, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return a command line of the running stack."""
    return CommandLine(system.data_dir, capsys)


def test_a_production_by_the_command_line_alone(run: CommandLine, tmp_path: Path) -> None:
    """From a project to an accepted package; each refusal on the way says what is missing."""
    song = _book(run)
    _agree(run, song, tmp_path)
    _record(run, song, tmp_path)
    _mix(run, song, tmp_path)
    _finish(run, song, tmp_path)


def _book(run: CommandLine) -> str:
    run.text("producer", "party", "set", "pty-artist", "Ana Lind")
    members = [
        word for party, roles in ROLES.items() if party != "pty-label" for word in ("--member", f"{party}={roles}")
    ]
    project = run.text("producer", "project", "create", "By Hand", "--artist", "The Testers", *members).strip()
    added = run.json("producer", "project", "add-member", project, "pty-label", "label")
    assert {item["party"]: item["roles"] for item in added}["pty-label"] == ["ROLE_LABEL"]
    assert "songwriter" in run.text("artist", "project", "members", project)
    return run.text("producer", "song", "create", project, "Written", "--rate-hz", str(RATE_HZ)).strip()


def _agree(run: CommandLine, song: str, folder: Path) -> None:
    refused = run.json("producer", "gate", "advance", song, code=ExitCode.FAILURE)
    assert any("brief" in line.lower() for line in refused["details"])
    (folder / "brief.yaml").write_text(BRIEF)
    assert run.json("artist", "brief", "propose", song, str(folder / "brief.yaml"))["revision"] == 1
    for party in ("artist", "producer"):
        run.text(party, "brief", "agree", song)
        run.text(party, "song", "approve-arrangement", song)
    run.text("artist", "song", "register-work", song, "Written", "--writer", "pty-artist")
    assert "No echo on my voice." in run.text("mixing", "brief", "show", song)
    assert run.json("producer", "gate", "show", song)["passed"]
    assert "recording" in run.text("producer", "song", "advance", song)


def _record(run: CommandLine, song: str, folder: Path) -> None:
    paths = [str(excerpt(folder, track, length_s=LENGTH_S, name=name)) for track, name in FILES.items()]
    takes = run.json("recording", "take", "upload", song, *paths)
    assert {take["track"]: take["check_state"] for take in takes} == dict.fromkeys(FILES, "TAKE_CHECK_STATE_PASSED")
    for take in takes:
        run.text("producer", "take", "select", song, take["id"])
    unknown = run.json("producer", "take", "select", song, "tke-none", code=ExitCode.FAILURE)
    assert takes[0]["id"] in unknown["hint"]
    run.text("producer", "gate", "advance", song, "mixing")


def _mix(run: CommandLine, song: str, folder: Path) -> None:
    loud, dry = folder / "mix-1.yaml", folder / "mix-2.yaml"
    loud.write_text(MIX % ("-6", ECHO))
    dry.write_text(MIX % ("-5", ""))
    assert "No echo on my voice." in run.text("mixing", "brief", "check", song, str(loud), code=ExitCode.TARGET_MISSED)
    first = run.json("mixing", "mix", "propose", song, str(loud), "--submit")
    assert first["state"] == "VERSION_STATE_IN_REVIEW"
    note = run.json("producer", "note", "add", song, "the echo hides the words", "--at", "0:00.5-0:01.25")
    assert (int(note["range"]["start_frame"]), int(note["range"]["end_frame"])) == (24_000, 60_000)
    assert "changes-requested" in run.text("producer", "request-changes", song, "no echo", "--note", note["id"])
    second = run.json("mixing", "mix", "propose", song, str(dry), "--comment", "dry")
    assert any(
        change["path"].startswith("tracks[lead-vox]")
        for change in run.json("mixing", "mix", "diff", song, "1")["recipe"]
    )
    run.text("mixing", "note", "address", song, note["id"], "gone", "--in", "mix-2")
    run.text("producer", "note", "verify", song, note["id"])
    assert run.json("producer", "note", "list", song, "--state", "open") == []
    run.text("mixing", "mix", "submit", song)
    run.text("artist", "approve", song, "mix-2", "--heard", first["audio"][0]["sample_digest"], code=ExitCode.FAILURE)
    run.text("artist", "approve", song, "mix-2", "--heard", second["audio"][0]["sample_digest"])
    assert "approved by pty-artist (artist), pty-producer" in run.text("producer", "approve", song)
    assert run.text("producer", "song", "list", "--title", "writ").count(song) == 1
    assert "mix-2" in run.text("producer", "song", "show", "Written")


def _finish(run: CommandLine, song: str, folder: Path) -> None:
    run.text("producer", "gate", "advance", song, "mastering")
    (folder / "master.yaml").write_text(MASTER)
    mastered = run.json("mastering", "master", "propose", song, str(folder / "master.yaml"), "--submit")
    for party in ("artist", "producer"):
        run.text(party, "approve", song, "master-1")
    job = run.json("producer", "render", "show", mastered["render_job"])
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert "succeeded" in run.text("producer", "render", "list", "--project", song.split("/")[1])
    run.text("producer", "song", "set-isrc", song, "ZZTPL2600001")
    run.text("mastering", "delivery", "build", song, "MX")
    run.text("producer", "gate", "advance", song)
    package = run.json("mastering", "delivery", "build", song, "MX")
    assert "accepted" in run.text("label", "delivery", "accept", song)
    run.text("label", "delivery", "download", song, "--out", str(folder / "release"))
    files = {path.name for path in (folder / "release").iterdir()}
    assert files == {file["filename"] for file in package["files"]} | {"manifest.json"}
    assert "lacks" in run.text(
        "producer", "credits", "export", song, "-o", str(folder / "c.xml"), code=ExitCode.TARGET_MISSED
    )
    assert (folder / "c.xml").read_bytes().startswith(b"<?xml")
    assert "accepted" in run.text("producer", "song", "history", song, "--last", "3")
