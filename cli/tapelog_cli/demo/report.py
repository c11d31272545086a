"""The report: the desk's page about the master, with the production's own sections below it."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_desk import analyze_file
from tapelog_desk.rendered import Rendered, RenderedAudio, Verdict
from tapelog_desk.report import Section, report_html

from tapelog_cli.demo import files
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.summary import Result, decisions, stage_times_s
from tapelog_cli.printed.shapes import figure, format_words

ANALYSIS: Final = "analysis"
"""Role of the attachment in which a render says what it reached and how its limiter worked."""
MASTER_FILES: Final = ("master.wav", "master.flac")


async def write_report(booking: Booking, result: Result, out: Path) -> None:
    """Write `report.html`; the delivered file itself is measured again for it."""
    song = await booking.producer.songs.get(booking.song)
    path = await files.fetch_attachment(booking, result.master, ANALYSIS, out / "analysis" / "master.json")
    told = json.loads(path.read_text())
    rendered = Rendered(
        audio=tuple(RenderedAudio(out / name, result.audio[name]) for name in MASTER_FILES),
        files=(),
        recipe_digest=result.master.recipe_digest,
        analysis=await asyncio.to_thread(analyze_file, out / MASTER_FILES[0]),
        verdict=_verdict(told),
        gain_reduction_db=tuple(told["gain_reduction_db"]["values"]),
        engine_version=told["engine_version"],
    )
    page = report_html(rendered, title=result.title, subtitle=result.artist, sections=_sections(result, song))
    await asyncio.to_thread((out / "report.html").write_text, page)


def _verdict(told: dict[str, Any]) -> Verdict:
    target, reached = told["target"], told["verdict"]
    return Verdict(
        reached=reached["reached"],
        limit=reached["limit"],
        target_name=target["name"],
        target_lufs=target["integrated_lufs"],
        ceiling_dbtp=target["ceiling_dbtp"],
        tolerance_lu=target["tolerance_lu"],
        drive_db=reached["drive_db"],
        passes=0,
    )


def _sections(result: Result, song: res.Song) -> Sequence[Section]:
    agreement = result.agreement
    received = ", ".join(f"{name} {count}" for name, count in agreement.counts.items())
    agree = (
        f"Events received: {received}. All of them, and the {len(agreement.entries)} entries of the usage ledger, "
        f"agree with the event log: {agreement.song_events} facts of the song, {len(agreement.events)} public events."
    )
    return (
        Section("Mix and alternates", rows=_audio_rows(result)),
        Section("The brief, rule by rule", rows=_verdict_rows(song)),
        Section("Decisions", rows=_decision_rows(result)),
        Section("Stages", rows=_stage_rows(result)),
        Section("Usage", rows=_usage_rows(agreement.entries)),
        Section("Subscribers", text=(agree,)),
        Section("Credits", text=(result.credits,)),
    )


def _audio_rows(result: Result) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            name,
            figure(audio.measurements, "integrated_lufs"),
            figure(audio.measurements, "loudness_range_lu"),
            figure(audio.measurements, "true_peak_dbtp"),
            format_words(audio.format),
            audio.sha256,
        )
        for name, audio in result.audio.items()
        if name not in MASTER_FILES
    ]
    return (("File", "LUFS-I", "LRA, LU", "True peak, dBTP", "Format", "SHA-256"), *rows)


def _verdict_rows(song: res.Song) -> tuple[tuple[str, ...], ...]:
    """Return the verdicts of all versions, broken rules first."""
    rows = [
        (
            "/".join(version.name.split("/")[-2:]),
            verdict.statement,
            brief_pb2.Verdict.Name(verdict.verdict).removeprefix("VERDICT_").replace("_", " ").lower(),
            "; ".join((*verdict.recipe_paths, verdict.evidence)),
        )
        for version in song.versions
        for verdict in version.verdicts
    ]
    return (("Version", "Rule", "Verdict", "Evidence"), *sorted(rows, key=lambda row: row[2] != "violation"))


def _decision_rows(result: Result) -> tuple[tuple[str, ...], ...]:
    rows = [(decision["by"], decision["role"], decision["what"]) for decision in decisions(result.agreement.events)]
    return (("Who", "In the role of", "What"), *rows)


def _stage_rows(result: Result) -> tuple[tuple[str, ...], ...]:
    rows = [(stage, f"{seconds:.1f} s") for stage, seconds in stage_times_s(result.agreement.events).items()]
    return (("Stage", "Time in it"), *rows)


def _usage_rows(entries: Sequence[render.UsageEntry]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            render.RenderKind.Name(entry.kind).removeprefix("RENDER_KIND_"),
            f"{entry.quantity_ms / 1000:.3f} s",
            render.UsageState.Name(entry.state).removeprefix("USAGE_STATE_"),
            entry.usage_key,
        )
        for entry in entries
    ]
    return (("Kind", "Audio", "State", "Key of the intent"), *rows)
