"""Reports of a version and of a delivery, as the command writes them from running services."""

import asyncio
import html
import json
import re
from pathlib import Path
from typing import Final

import pytest
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_cli.main import main

from .conftest import System
from .production import ISRC, deliver, finish_master, finish_mix, record_excerpts
from .studio import Studio, open_studio

LENGTH_S: Final = 4.0
HOSTILE: Final = "</td><script>alert('note')</script>"
RULES: Final = (
    brief_pb2.Constraint(
        id="peak",
        statement="Nothing may clip in a car.",
        true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-0.9, applies_to=brief_pb2.APPLIES_TO_MASTER),
    ),
    brief_pb2.Constraint(
        id="dry",
        statement="No delay on the voice.",
        effect_forbidden=brief_pb2.EffectForbidden(
            selector=brief_pb2.TrackSelector(tracks=["lead-vox"]), effects=["delay"]
        ),
    ),
)


async def _report(system: System, path: Path, *words: str) -> str:
    """Run `tapelog report` and return what it wrote."""
    command = ["report", *words, "-o", str(path), "--data-dir", str(system.data_dir), "--as", "pty-producer"]

    def run() -> str:
        assert main(command) == 0
        return path.read_text()

    return await asyncio.to_thread(run)


def _text(page: str) -> str:
    """Return a page's words without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_version_and_delivery_are_told_from_the_services(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who approved what, what changed, which notes were heard, what is delivered: all of it stands on the pages."""
    async with system.api("pty-producer") as api:
        await api.parties.upsert("pty-artist", "Ann <b>Artist</b>")
        studio = await open_studio(api, "Lithium & <i>more</i>", *RULES)
        await record_excerpts(studio, tmp_path, "kick", "choir", "lead-vox", length_s=LENGTH_S)
        await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
        first = await finish_mix(studio)
        note = await studio.artist.notes.add(first.name, "louder voice " + HOSTILE, thread=res.NOTE_THREAD_CLIENT)
        await studio.producer.notes.add(first.name, "the singer is nervous")
        second = await finish_mix(studio, presence_db=3.0)
        await studio.mixing.notes.address(studio.song, note.id, "3 dB of presence", second.name)
        await studio.artist.notes.verify(studio.song, note.id)
        await _of_a_mix(system, second, first, tmp_path)
        assert "1 internal notes are left out" in capsys.readouterr().out
        await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
        master = await finish_master(studio)
        await studio.producer.songs.set_isrc(studio.song, ISRC)
        await _of_a_delivery(system, studio, await deliver(studio), master, tmp_path)


async def _of_a_mix(system: System, mix: res.Version, before: res.Version, folder: Path) -> None:
    """The mix with its rules, approvals, digests and what changed; internal notes only when asked for."""  # noqa: D401
    page = await _report(system, folder / "mix.html", "--version", mix.name)
    assert "<script" not in page
    text = _text(page)
    measured = mix.audio[0].measurements
    for words in (
        "Lithium & <i>more</i>, mix 2",
        "Approved by Ann <b>Artist</b> (artist) and pty-producer (studio producer)",
        f"{measured.integrated_lufs:.2f} LUFS".replace("-", "−"),
        f"{measured.true_peak_dbtp:.2f} dBTP".replace("-", "−"),
        "kept No delay on the voice.",
        f"louder voice {HOSTILE} 3 dB of presence mix 1",
        "verified whole Ann",
        "tracks[lead-vox].chain[0]",
        mix.recipe_digest,
        *(audio.sample_digest for audio in mix.audio),
    ):
        assert words in text, words
    assert "Nothing may clip in a car." not in text
    assert "nervous" not in text
    plain = json.loads(await _report(system, folder / "mix.json", "--version", mix.name, "--internal"))
    assert plain["parts"][0]["analysis"]["sample_digest"] == mix.audio[0].sample_digest
    loudness = next(one for one in plain["compared"]["changes"] if one["name"] == "Integrated loudness")
    stored = [version.audio[0].measurements.integrated_lufs for version in (before, mix)]
    assert [loudness["before"], loudness["after"]] == pytest.approx(stored, abs=1e-3)
    assert "nervous" in json.dumps(plain["sections"])


async def _of_a_delivery(
    system: System, studio: Studio, package: res.DeliveryPackage, master: res.Version, folder: Path
) -> None:
    """Every file with its digest and the version behind it; documents made anew are the same; the master is drawn."""
    text = _text(await _report(system, folder / "delivery.html", "--delivery", package.name))
    for file in package.files:
        assert file.sha256 in text
        assert file.filename in text
    for words in (
        "Final: to be handed over",
        f"{len(package.files)} files, each traced to its approved version.",
        "byte for byte the same",
        package.manifest_sha256,
        f"ISRC {ISRC}",
        "Lithium & <i>more</i>, by Ann <b>Artist</b>",
        f"{master.audio[0].measurements.integrated_lufs:.2f} LUFS".replace("-", "−"),
    ):
        assert words in text, words
    newest = json.loads(await _report(system, folder / "delivery.json", "--delivery", studio.song))
    assert newest["parts"][0]["analysis"]["sample_digest"] == master.audio[0].sample_digest
    wrong = ["report", "--version", "no such song", "-o", str(folder / "x.html"), "--data-dir", str(system.data_dir)]
    assert await asyncio.to_thread(main, [*wrong, "--as", "pty-producer"]) == 1
