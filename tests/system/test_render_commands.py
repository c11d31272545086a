"""Every kind of render job by the command line alone, on a running stack."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tapelog_cli.main import main

from .conftest import System
from .studio import Studio, open_studio, record_stems

RECIPE = """
sample_rate_hz: 48000
tracks:
  - {id: track-1, source: "file:track-1.wav", tags: [vocal]}
  - {id: track-2, source: "file:track-2.wav", tags: [band]}
"""


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """Run a command in this process; return the JSON that it prints."""
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.nightly
def test_every_kind_of_job_is_a_command(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mix, alternate, master, preview, stems, comp, album, analysis, repair, verify: each ends with its result."""
    studio = asyncio.run(_recorded(system, tmp_path))
    monkeypatch.setenv("TAPELOG_DATA_DIR", str(system.data_dir))
    monkeypatch.setenv("TAPELOG_PARTY", "pty-producer")
    first, second = studio.sources["track-1"], studio.sources["track-2"]
    files = {
        "mix.yaml": RECIPE,
        "master.yaml": "target: {name: streaming}",
        "comp.yaml": f"passages: [{{asset_sha256: {first}, range: {{start_frame: 0, end_frame: 96000}}}}, "
        f"{{asset_sha256: {second}, range: {{start_frame: 96000, end_frame: 190000}}, crossfade_frames: 480}}]",
        "album.yaml": f"{{songs: [{{asset_sha256: {first}}}, {{asset_sha256: {second}}}], "
        "target: {name: streaming}}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    mix, song = str(tmp_path / "mix.yaml"), studio.song
    made = {
        "MIX": told(capsys, "render", "mix", song, mix),
        "ALTERNATE": told(capsys, "render", "mix", song, mix, "--mute", "vocal"),
        "MASTER": told(capsys, "render", "master", song, str(tmp_path / "master.yaml"), first),
        "PREVIEW": told(capsys, "render", "preview", song, mix, "0:01-0:03", "--loudness-lufs", "-20"),
        "STEMS": told(capsys, "render", "stems", song, mix, "--stem", "a=vocal", "--stem", "b=band"),
        "COMP": told(capsys, "render", "comp", song, str(tmp_path / "comp.yaml")),
        "ALBUM": told(capsys, "render", "album", song, str(tmp_path / "album.yaml")),
        "ANALYSIS": told(capsys, "render", "analyze", song, first),
        "REPAIR": told(capsys, "render", "repair", song, first, "--tool", "click"),
        "VERIFY": told(capsys, "render", "verify", told(capsys, "render", "list", "--count", "9")[-1]["name"]),
    }
    for kind, job in made.items():
        assert job["kind"] == f"RENDER_KIND_{kind}"
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        assert all(re.fullmatch("[0-9a-f]{64}", audio["sample_digest"]) for audio in job["result"]["audio"])
    assert [len(made[kind]["result"]["audio"]) for kind in ("STEMS", "ALBUM")] == [2, 2]
    estimate = told(capsys, "render", "mix", song, mix, "--estimate")["estimate"]
    assert int(estimate["quantity_ms"]) == 4_000
    assert told(capsys, "render", "preview", song, first, "0:01-0:03", "--loudness-lufs", "-5", code=1)["error"]


async def _recorded(system: System, folder: Path) -> Studio:
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "By command")
        await record_stems(studio, folder, tracks=2, length_s=4.0)
    return studio
