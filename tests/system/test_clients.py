"""The command line alone, and the page of the client, against one real `tapelog up`."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import soundfile
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import main
from tapelog_client import StackState

from .client_page import examples, promised, run
from .conftest import System
from .excerpts import excerpt
from .other_languages import CLIENTS, node_client, run_client
from .studio import RATE_HZ

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "client.md"
LENGTH_S: Final = 3.0
HUMMING_S: Final = 4.0
"""Long enough for hum to be searched in."""
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
def typed(system: System, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return a command line of the running stack."""
    return CommandLine(system.data_dir, capsys)


def test_a_production_by_the_command_line_alone(typed: CommandLine, tmp_path: Path) -> None:
    """From a project to an accepted package; each refusal on the way says what is missing."""
    song = _book(typed)
    _agree(typed, song, tmp_path)
    _record(typed, song, tmp_path)
    _mix(typed, song, tmp_path)
    _finish(typed, song, tmp_path)


async def test_the_page_of_the_client_does_what_it_says(system: System, tmp_path: Path) -> None:
    """Every example of docs/client.md runs, in order, and prints what stands behind its lines."""
    (tmp_path / "tapelog-data").symlink_to(system.data_dir)
    excerpt(tmp_path, "kick", length_s=LENGTH_S)
    names: dict[str, Any] = {}
    blocks = examples(PAGE)
    with contextlib.chdir(tmp_path):
        for code in blocks:
            assert await run(code, names) == promised(code), code
        assert (tmp_path / "mix.wav").stat().st_size > 0
    assert len(blocks) > 10


async def test_the_node_client_books_a_song(system: System, tmp_path: Path) -> None:
    """It creates a song once for two sent commands, is told why the gate is closed, and reads the song's event."""
    script = node_client(tmp_path)
    state, api = StackState.read(system.data_dir), system.api("pty-node")
    async with api:
        token = await api_token(system, "pty-node", "--tenant-role", "AUDITOR")
        where = ("--session", state.session, "--notify", state.notify, "--party", "pty-node")
        done = await asyncio.to_thread(run_client, "node", script, *where, "--title", "Röhre", TAPELOG_TOKEN=token)
        assert done.returncode == 0, done.stderr
        told, refused, event = (json.loads(line) for line in done.stdout.splitlines())
        assert told["song"] == told["again"]
        assert (await api.songs.get(told["song"])).title == "Röhre"
        assert refused["code"] == "FAILED_PRECONDITION"
        assert event["type"] == "tapelog.song.song_created.v1"


async def test_the_shell_client_books_a_song(system: System, path_with_grpcurl: str) -> None:
    """The same with grpcurl: the song is there, and its gate says what is missing; a refusal ends the script."""
    state = StackState.read(system.data_dir)
    token = await api_token(system, "pty-shell")
    script, arguments = CLIENTS / "song.sh", (state.session, "pty-shell", "By hand")
    done = await asyncio.to_thread(run_client, "sh", script, *arguments, TAPELOG_TOKEN=token, PATH=path_with_grpcurl)
    assert done.returncode == 0, done.stderr
    name, _, gate = done.stdout.partition("\n")
    async with system.api("pty-shell") as api:
        assert (await api.songs.get(name)).title == "By hand"
    assert any(not condition.get("passed") for condition in json.loads(gate)["conditions"])
    done = await asyncio.to_thread(run_client, "sh", script, *arguments, TAPELOG_TOKEN="x", PATH=path_with_grpcurl)
    assert done.returncode != 0
    assert (done.stdout, "Unauthenticated" in done.stderr.title()) == ("", True)


async def api_token(system: System, party: str, *more: str) -> str:
    """Return what `tapelog token` prints."""
    command = [sys.executable, "-m", "tapelog_cli", "token", party, *more, "--data-dir", str(system.data_dir)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return str(done.stdout).strip()


def test_a_song_is_made_like_its_stems(typed: CommandLine, tmp_path: Path) -> None:
    """Rate and depth come from the file; a take of another rate fails with what to do about it."""
    stem = tmp_path / "01_Kick.wav"
    tone = [0.3, -0.3] * 44_100
    soundfile.write(stem, tone, 44_100, subtype="PCM_16")
    members = ("--member", "pty-producer=studio-producer,recording-engineer", "--member", "pty-artist=artist")
    project = typed.text("producer", "project", "create", "Old", "--artist", "The Testers", *members).strip()
    made = typed.json("producer", "song", "create", project, "From CD", "--like", str(stem))
    assert (made["sample_rate_hz"], made["bit_depth"]) == (44_100, 16)
    other = typed.text("producer", "song", "create", project, "Wrong").strip()
    typed.text("artist", "song", "register-work", other, "Wrong", "--writer", "pty-artist")
    (tmp_path / "brief.yaml").write_text(BRIEF)
    typed.text("artist", "brief", "propose", other, str(tmp_path / "brief.yaml"))
    for party in ("artist", "producer"):
        typed.text(party, "brief", "agree", other)
        typed.text(party, "song", "approve-arrangement", other)
    typed.text("producer", "gate", "advance", other)
    said = typed.text("producer", "take", "upload", other, str(stem), code=ExitCode.FAILURE)
    assert f"--like {stem}" in said


def test_alerts_are_sent_where_people_look(typed: CommandLine) -> None:
    """A channel for alerts is made, shown without its secret, and taken away; two places at once are wrong usage."""
    url = "https://hooks.slack.com/services/T0/B0/very-secret"
    made = typed.json("admin", "alert", "send", "Studio", "--slack", url)
    assert made["slack"]["host"] == "hooks.slack.com"
    assert "very-secret" not in json.dumps(made)
    assert made["filter"]["types"] == ["tapelog.alert.alert_raised.v1"]
    assert "Studio" in typed.text("admin", "subscription", "list")
    assert typed.json("admin", "subscription", "delete", made["name"]) == {"removed": made["name"]}
    typed.text("admin", "alert", "send", "--slack", "https://a.example", "--email", "b@c.example", code=ExitCode.USAGE)
    unset = typed.json("admin", "alert", "send", "--email", "ana@label.example", code=ExitCode.FAILURE)
    assert "mail" in unset["message"].lower()


def _book(typed: CommandLine) -> str:
    typed.text("producer", "party", "set", "pty-artist", "Ana Lind")
    members = [
        word for party, roles in ROLES.items() if party != "pty-label" for word in ("--member", f"{party}={roles}")
    ]
    project = typed.text("producer", "project", "create", "By Hand", "--artist", "The Testers", *members).strip()
    added = typed.json("producer", "project", "add-member", project, "pty-label", "label")
    assert {item["party"]: item["roles"] for item in added}["pty-label"] == ["ROLE_LABEL"]
    assert "songwriter" in typed.text("artist", "project", "members", project)
    assert "3 rounds" in typed.text("producer", "project", "set-allowance", project, "3")
    assert typed.text("producer", "project", "may", project, "SetPolicy").startswith("yes")
    assert typed.text("artist", "project", "may", project, "SetPolicy", code=ExitCode.FAILURE).startswith("no")
    assert "Ana Lind" in typed.text("artist", "party", "export", "pty-artist")
    return typed.text("producer", "song", "create", project, "Written", "--rate-hz", str(RATE_HZ)).strip()


def _agree(typed: CommandLine, song: str, folder: Path) -> None:
    refused = typed.json("producer", "gate", "advance", song, code=ExitCode.FAILURE)
    assert any("brief" in line.lower() for line in refused["details"])
    (folder / "brief.yaml").write_text(BRIEF)
    assert typed.json("artist", "brief", "propose", song, str(folder / "brief.yaml"))["revision"] == 1
    for party in ("artist", "producer"):
        typed.text(party, "brief", "agree", song)
        typed.text(party, "song", "approve-arrangement", song)
    typed.text("artist", "song", "register-work", song, "Written", "--writer", "pty-artist")
    assert "No echo on my voice." in typed.text("mixing", "brief", "show", song)
    (folder / "words.txt").write_text("Night drive\nall night\n")
    assert "2 lines" in typed.text("artist", "song", "set-lyrics", song, str(folder / "words.txt"), "--language", "en")
    typed.text("artist", "song", "attach-reference", song, "Blue Monday", "--aspect", "low-end")
    assert typed.json("producer", "gate", "show", song)["passed"]
    assert "recording" in typed.text("producer", "song", "advance", song)


def _record(typed: CommandLine, song: str, folder: Path) -> None:
    paths = [str(excerpt(folder, track, length_s=LENGTH_S, name=name)) for track, name in FILES.items()]
    takes = typed.json("recording", "take", "upload", song, *paths)
    assert {take["track"]: take["check_state"] for take in takes} == dict.fromkeys(FILES, "TAKE_CHECK_STATE_PASSED")
    _care(typed, song, folder)
    for take in takes:
        typed.text("producer", "take", "select", song, take["id"])
    unknown = typed.json("producer", "take", "select", song, "tk-none", code=ExitCode.FAILURE)
    assert takes[0]["id"] in unknown["hint"]
    refused = typed.text(
        "recording", "take", "comp", song, "kick", "--region", "tk-none=0:00-0:01", code=ExitCode.FAILURE
    )
    assert "tk-none" in refused
    _credit(typed, song, takes[0]["id"])
    typed.text("producer", "gate", "advance", song, "mixing")


def _care(typed: CommandLine, song: str, folder: Path) -> None:
    """Let a humming take through, make another from it, comp both, and wish for a third."""
    typed.text("recording", "take", "define", song, "double", "Double", "--no-required")
    humming = excerpt(folder, "lead-vox", length_s=HUMMING_S, hum=0.02, name="Double hum")
    (first,) = typed.json("recording", "take", "upload", song, str(humming), "--track", "double")
    assert "hum waived" in typed.text("producer", "take", "waive", song, first["id"], "hum", "it is the amp")
    plain = excerpt(folder, "lead-vox", length_s=HUMMING_S, name="Double plain")
    cleaned = typed.json(
        "recording", "take", "clean", song, first["id"], str(plain), "--treatment", "hum removed at 50 Hz"
    )
    assert (cleaned["parent"], cleaned["track"]) == (first["id"], "double")
    assert len(typed.json("recording", "take", "list", song)) > len(
        typed.json("recording", "take", "list", song, "--as-of", "1")
    )
    regions = ("--region", f"{first['id']}=0:00-0:01", "--region", f"{cleaned['id']}=0:01-0:02.5")
    comped = typed.json("recording", "take", "comp", song, "double", *regions)
    track = next(one for one in comped["tracks"] if one["id"] == "double")
    assert [part["take"] for part in track["comp"]["regions"]] == [first["id"], cleaned["id"]]
    assert "double" in typed.text("producer", "take", "request", song, "double", "tighter at the end")
    assert "optional" in typed.text("producer", "take", "require", song, "double", "it may fall away", "--optional")
    rejected = typed.json("producer", "take", "reject", song, cleaned["id"], "too clean")
    assert cleaned["id"] in json.dumps(rejected)


def _credit(typed: CommandLine, song: str, take: str) -> None:
    opened = typed.text("recording", "session", "open", song, "recording", "Pier Studio").strip()
    typed.text("recording", "session", "attend", opened, "pty-artist", "artist")
    typed.text("recording", "session", "equip", opened, "U 87", "LA-2A")
    noted = typed.json("recording", "session", "contribute", opened, "pty-artist", "artist", "--take", take)
    typed.text("artist", "session", "dispute", opened, noted["id"], "I sang, too")
    assert "confirmed" in typed.text("artist", "session", "confirm", opened, noted["id"])
    assert "ended" in typed.text("recording", "session", "close", opened)
    assert opened in typed.text("producer", "session", "list", song)
    assert "LA-2A" in typed.text("producer", "session", "show", opened)


def _mix(typed: CommandLine, song: str, folder: Path) -> None:
    loud, dry = folder / "mix-1.yaml", folder / "mix-2.yaml"
    loud.write_text(MIX % ("-6", ECHO))
    dry.write_text(MIX % ("-5", ""))
    assert "No echo on my voice." in typed.text(
        "mixing", "brief", "check", song, str(loud), code=ExitCode.TARGET_MISSED
    )
    first = typed.json("mixing", "mix", "propose", song, str(loud), "--submit")
    assert first["state"] == "VERSION_STATE_IN_REVIEW"
    note = typed.json("producer", "note", "add", song, "the echo hides the words", "--at", "0:00.5-0:01.25")
    assert (int(note["range"]["start_frame"]), int(note["range"]["end_frame"])) == (24_000, 60_000)
    assert "changes-requested" in typed.text("producer", "request-changes", song, "no echo", "--note", note["id"])
    second = typed.json("mixing", "mix", "propose", song, str(dry), "--comment", "dry")
    assert any(
        change["path"].startswith("tracks[lead-vox]")
        for change in typed.json("mixing", "mix", "diff", song, "1")["recipe"]
    )
    typed.text("mixing", "note", "address", song, note["id"], "gone", "--in", "mix-2")
    typed.text("producer", "note", "reopen", song, note["id"], "is it?")
    typed.text("mixing", "note", "reply", song, note["id"], "it is")
    typed.text("mixing", "note", "address", song, note["id"], "gone", "--in", "mix-2")
    typed.text("producer", "note", "verify", song, note["id"])
    assert typed.json("producer", "note", "list", song, "--state", "open") == []
    typed.text("mixing", "mix", "submit", song)
    typed.text("artist", "approve", song, "mix-2", "--heard", first["audio"][0]["sample_digest"], code=ExitCode.FAILURE)
    typed.text("artist", "approve", song, "mix-2", "--heard", second["audio"][0]["sample_digest"])
    _disagree(typed, song)
    typed.text("artist", "withdraw-approval", song, "I heard a click")
    typed.text("artist", "approve", song)
    assert "approved by pty-artist (artist), pty-producer" in typed.text("producer", "approve", song)
    _make_of(typed, song, folder)
    _render_alone(typed, song, folder)
    assert typed.text("producer", "song", "list", "--title", "writ").count(song) == 1
    assert "mix-2" in typed.text("producer", "song", "show", "Written")


def _disagree(typed: CommandLine, song: str) -> None:
    opened = typed.json("artist", "disagreement", "open", song, "fade or stop?", "--on", "mix-2")["id"]
    assert any(
        item["code"] for item in typed.json("producer", "gate", "show", song)["conditions"] if "passed" not in item
    )
    typed.text("artist", "disagreement", "state", song, opened, "a fade is weak", "--wish", "stop")
    typed.text("mixing", "disagreement", "state", song, opened, "the stop is cut off")
    typed.text("mixing", "disagreement", "propose", song, opened, "stop", "a clean stop", "--on", "mix-2")
    typed.text("producer", "disagreement", "decide", song, opened, "adopt", "it is the song", "--option", "stop")
    typed.text("artist", "disagreement", "consent", song, opened)
    assert "closed" in typed.text("producer", "disagreement", "close", song, opened, "--comment", "done")
    assert "a clean stop" in typed.text("label", "disagreement", "list", song)
    assert typed.json("label", "disagreement", "list", song, "--as-of", "1") == []


def _make_of(typed: CommandLine, song: str, folder: Path) -> None:
    (folder / "instrumental.yaml").write_text("id: instrumental\nmute: [vocal]\n")
    assert "mix-2: instrumental" in typed.text("mixing", "mix", "alternates", song, str(folder / "instrumental.yaml"))
    assert {stem["id"] for stem in typed.json("mixing", "mix", "stems", song)["stems"]} == set(FILES)
    typed.text("artist", "mix", "download", song, "-o", str(folder / "mix.wav"))
    assert soundfile.info(folder / "mix.wav").samplerate == RATE_HZ
    no_flac = typed.json("artist", "mix", "download", song, "-o", str(folder / "mix.aiff"), code=ExitCode.USAGE)
    assert ".wav" in no_flac["hint"]


def _render_alone(typed: CommandLine, song: str, folder: Path) -> None:
    take = typed.json("producer", "take", "list", song)[0]
    reference = f"reference: {{project: {song.split('/')[1]}}}"
    job = f"kind: ANALYSIS, analysis: {{asset_sha256: {take['asset_sha256']}}}, {reference}"
    (folder / "job.json").write_text(json.dumps({}))
    assert "kind" in typed.text("producer", "render", "create", str(folder / "job.json"), code=ExitCode.FAILURE)
    (folder / "jobs.yaml").write_text(f"jobs:\n  - {{{job}}}\n")
    assert "are billed" in typed.text("producer", "batch", "create", str(folder / "jobs.yaml"), "--estimate")
    batch = typed.json("producer", "batch", "create", str(folder / "jobs.yaml"))
    assert batch["name"] in typed.text("producer", "batch", "show", batch["name"])
    assert "succeeded" in typed.text("producer", "render", "watch", batch["jobs"][0]["name"])


def _finish(typed: CommandLine, song: str, folder: Path) -> None:
    typed.text("producer", "gate", "advance", song, "mastering")
    (folder / "master.yaml").write_text(MASTER)
    mastered = typed.json("mastering", "master", "propose", song, str(folder / "master.yaml"), "--submit")
    for party in ("artist", "producer"):
        typed.text(party, "approve", song, "master-1")
    job = typed.json("producer", "render", "show", mastered["render_job"])
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert "succeeded" in typed.text("producer", "render", "watch", mastered["render_job"])
    assert "the same samples" in typed.text("producer", "render", "verify", mastered["render_job"])
    assert "succeeded" in typed.text("producer", "render", "list", "--project", song.split("/")[1])
    typed.text("producer", "song", "set-isrc", song, "ZZTPL2600001")
    typed.text("mastering", "delivery", "build", song, "MX")
    typed.text("producer", "gate", "advance", song)
    package = typed.json("mastering", "delivery", "build", song, "MX")
    typed.text("producer", "delivery", "hand-over", song, "pty-label", "--comment", "here it is")
    assert "byte for byte" in typed.text("producer", "delivery", "rebuild", song)
    assert "accepted" in typed.text("label", "delivery", "accept", song)
    assert "both copies" in typed.text("producer", "delivery", "verify", song)
    typed.text("label", "delivery", "download", song, "--out", str(folder / "release"))
    files = {path.name for path in (folder / "release").iterdir()}
    assert files == {file["filename"] for file in package["files"]} | {"manifest.json"}
    assert "lacks" in typed.text(
        "producer", "credits", "export", song, "-o", str(folder / "c.xml"), code=ExitCode.TARGET_MISSED
    )
    assert (folder / "c.xml").read_bytes().startswith(b"<?xml")
    assert "accepted" in typed.text("producer", "song", "history", song, "--last", "3")
