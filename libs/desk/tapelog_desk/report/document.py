"""What a report says, before it is a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tapelog.common.v1 import audio_pb2 as pb

from tapelog_desk.analysis import analysis_json
from tapelog_desk.rendered import Rendered
from tapelog_desk.report.words import number
from tapelog_desk.verdict import master_json, verdict_json

SCHEMA: Final = "tapelog.report/1"
"""Name of the JSON form."""

NOT_DEFINED: Final = "not defined"
"""Shown for a value that does not exist for this audio."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section that the caller adds, such as credits or decisions.

    Attributes
    ----------
    title : str
        Heading.
    rows : tuple of tuple of str
        A table; the first row is its head.
    text : tuple of str
        Paragraphs before the table.
    """

    title: str
    rows: tuple[tuple[str, ...], ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table of numbers."""

    name: str
    value: str
    unit: str
    wanted: str = ""
    note: str = ""


def _value(numbers: pb.Measurements, name: str, digits: int = 1) -> str:
    return number(getattr(numbers, name), digits) if numbers.HasField(name) else NOT_DEFINED  # type: ignore[arg-type]


def measured_figures(numbers: pb.Measurements, *, wanted: str = "", ceiling: str = "") -> list[Figure]:
    """Return what was measured, with its units; `wanted` and `ceiling` are what was asked for."""
    has_plr = numbers.HasField("true_peak_dbtp") and numbers.HasField("integrated_lufs")
    plr = number(numbers.true_peak_dbtp - numbers.integrated_lufs) if has_plr else NOT_DEFINED
    short_note = "" if numbers.length_frames >= 60 * numbers.sample_rate_hz else "means little below one minute"
    return [
        Figure("Integrated loudness", _value(numbers, "integrated_lufs", 2), "LUFS", wanted),
        Figure("True peak", _value(numbers, "true_peak_dbtp", 2), "dBTP", ceiling),
        Figure("Loudness range", _value(numbers, "loudness_range_lu"), "LU", note=short_note),
        Figure("Loudest 3 s (short-term)", _value(numbers, "max_short_term_lufs"), "LUFS"),
        Figure("Loudest 400 ms (momentary)", _value(numbers, "max_momentary_lufs"), "LUFS"),
        Figure("Peak to loudness (PLR)", plr, "LU"),
        Figure("Sample peak", _value(numbers, "sample_peak_dbfs", 2), "dBFS"),
    ]


def fault_figures(numbers: pb.Measurements) -> list[Figure]:
    """Return what is wrong with the samples; empty where nothing is."""
    rows = []
    if numbers.clipped_samples:
        rows.append(Figure("Clipped samples", str(numbers.clipped_samples), "samples"))
    if numbers.non_finite_samples:
        rows.append(Figure("NaN or infinite samples", str(numbers.non_finite_samples), "samples"))
    if numbers.silent_channels:
        silent = ", ".join(str(channel + 1) for channel in numbers.silent_channels)
        rows.append(Figure("Silent channels", silent, ""))
    return rows


def figures(rendered: Rendered) -> list[Figure]:
    """Return the numbers with their units, and what was asked for."""
    numbers, verdict = rendered.analysis.measurements, rendered.verdict
    wanted = (f"{verdict.target_lufs:.1f} ± {verdict.tolerance_lu:g}" if verdict else "").replace("-", "−")
    ceiling = (f"≤ {verdict.ceiling_dbtp:.1f}" if verdict else "").replace("-", "−")
    rows = measured_figures(numbers, wanted=wanted, ceiling=ceiling)
    if verdict is not None:
        most = max(rendered.gain_reduction_db, default=0.0)
        rows.append(Figure("Drive into the limiter", number(verdict.drive_db, 2), "dB"))
        rows.append(Figure("Most taken off by the limiter", number(most), "dB"))
    return rows + fault_figures(numbers)


def verdict_words(rendered: Rendered) -> str:
    """Return the verdict as a sentence, empty where nothing was aimed at."""
    verdict = rendered.verdict
    if verdict is None:
        return ""
    name = f" ({verdict.target_name})" if verdict.target_name else ""
    aim = f"{verdict.target_lufs:g} LUFS, {verdict.ceiling_dbtp:g} dBTP{name}".replace("-", "−", 2)
    return f"Target reached: {aim}" if verdict.reached else f"Target missed: {aim}. {verdict.limit}"


def report_json(
    rendered: Rendered, *, title: str, subtitle: str = "", sections: Sequence[Section] = ()
) -> dict[str, Any]:
    """Return the report as JSON values: everything that the page shows, with the curves."""
    verdict = rendered.verdict
    analysis = (
        analysis_json(rendered.analysis, kind="mix", recipe_digest=rendered.recipe_digest)
        if verdict is None
        else master_json(
            rendered.analysis, verdict, rendered.gain_reduction_db, recipe_digest=rendered.recipe_digest, telemetry={}
        )
    )
    judged = {} if verdict is None else verdict_json(verdict, rendered.analysis)
    return {
        "schema": SCHEMA,
        "title": title,
        "subtitle": subtitle,
        "verdict_words": verdict_words(rendered),
        **judged,
        "files": [
            {
                "name": audio.path.name,
                "media_type": audio.result.media_type,
                "bit_depth": audio.result.format.bit_depth,
                "size_bytes": audio.result.size_bytes,
                "sha256": audio.result.sha256,
                "sample_digest": audio.result.sample_digest,
            }
            for audio in rendered.audio
        ],
        "remarks": list(rendered.remarks),
        "sections": [
            {"title": section.title, "text": list(section.text), "rows": [list(row) for row in section.rows]}
            for section in sections
        ],
        "analysis": analysis,
    }
