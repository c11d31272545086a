"""Writing the report: facts from the result, curves from the analysis that each render made beside its audio."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res

from tapelog_cli.demo import files
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.report import svg
from tapelog_cli.demo.summary import decisions, stage_times_s, usage
from tapelog_cli.shapes import figure

if TYPE_CHECKING:
    from tapelog_cli.demo.summary import Result

TEMPLATE: Final = "page.html.j2"
ANALYSIS: Final = "analysis"
"""Role of the attachment that holds a render's curves."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One version's curves, drawn."""

    title: str
    waveform: str
    loudness: str
    length_s: float


async def write_report(booking: Booking, result: "Result", out: Path) -> None:
    """Write `report.html`."""
    song = await booking.producer.songs.get(booking.song)
    curves = []
    for title, version in (("Master", result.master), (f"Mix {result.mix.number}", result.mix)):
        path = await files.fetch_attachment(booking, version, ANALYSIS, out / "analysis" / f"{title.lower()}.json")
        if path is not None:
            curves.append(_curve(title, json.loads(path.read_text()), version))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tapelog_cli.demo.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template(TEMPLATE).render(
        result=result,
        figure=figure,
        curves=curves,
        verdicts=_verdicts(song),
        decisions=decisions(result.agreement.events),
        stages=stage_times_s(result.agreement.events),
        usage=usage(result.agreement.entries),
    )
    (out / "report.html").write_text(page)


def _curve(title: str, analysis: dict[str, Any], version: res.Version) -> Curve:
    measured = version.audio[0].measurements
    length_s = measured.length_frames / measured.sample_rate_hz
    short_term = analysis["short_term_lufs"]
    return Curve(
        title=title,
        waveform=svg.waveform(analysis["waveform"]["low"], analysis["waveform"]["high"]),
        loudness=svg.loudness(
            short_term["values"],
            first_s=short_term["first_s"],
            step_s=short_term["step_s"],
            length_s=length_s,
            integrated_lufs=measured.integrated_lufs,
        ),
        length_s=length_s,
    )


def _verdicts(song: res.Song) -> list[dict[str, Any]]:
    """Return the verdicts of all versions, broken rules first."""
    rows = [
        {
            "version": "/".join(version.name.split("/")[-2:]),
            "statement": verdict.statement,
            "verdict": brief_pb2.Verdict.Name(verdict.verdict).removeprefix("VERDICT_").replace("_", " ").lower(),
            "evidence": verdict.evidence,
            "paths": list(verdict.recipe_paths),
        }
        for version in song.versions
        for verdict in version.verdicts
    ]
    return sorted(rows, key=lambda row: row["verdict"] != "violation")
