"""The report of a mix, a master, an album or a delivery: one page to send, to print, and to keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog_dsp import ENGINE_VERSION, Status

from tapelog_desk.analysis import analysis_json, write_json
from tapelog_desk.checking import check_json
from tapelog_desk.errors import OutputError
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.report import check_page, compared, svg, timeline, words
from tapelog_desk.report.compared import Compared, compared_json
from tapelog_desk.report.document import Figure, Section, fault_figures, measured_figures
from tapelog_desk.report.heard import Heard
from tapelog_desk.report.page import FORMATS, environment

TEMPLATE: Final = "sheet.html.j2"
SCHEMA: Final = "tapelog.sheet/1"
"""Name of the JSON form."""

PARTS_MAX: Final = 30
"""Files on one page: an album of more is two. Each takes at most 45 kB, and a mailed page stays under 1.5 MB."""

SONG_COLUMNS: Final = 420
"""Points of a song's curves where it stands beside others."""

NAME_CHARS_MAX: Final = 14
"""Of a name at the right end of a curve."""

TILES: Final = ((0, "integrated"), (1, "true peak"), (5, "peak to loudness"), (2, "loudness range"))
"""Which of the measured figures stand at the top, and their short names."""

CELL_CLASSES: Final = {
    "PASS": "pass",
    "kept": "pass",
    "approved": "pass",
    "same recipe": "pass",
    "verified": "pass",
    "confirmed": "pass",
    "complete": "pass",
    "WARN": "warn",
    "not measured": "warn",
    "open": "warn",
    "addressed": "warn",
    "waived": "warn",
    "superseded": "warn",
    "unconfirmed": "warn",
    "FAIL": "fail",
    "broken": "fail",
    "disputed": "fail",
    "missing": "fail",
    "not traced": "fail",
    "other samples": "fail",
}
"""Cells of a caller's table that are verdicts, and their colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What a report says.

    Attributes
    ----------
    title, subtitle : str
        What it is about, and whose.
    parts : tuple of Heard
        Its files: one of a mix or master, the songs of an album.
    verdict, missed : str, bool
        The sentence at the top, and whether it is bad news; empty takes that of the checks.
    sections : tuple of Section
        Decisions, notes, credits and what else the caller knows; before the pictures.
    appendix : tuple of Section
        What is looked up and not read, such as digests: at the end, instead of the table of files.
    compared : Compared, optional
        What changed in the sound.
    target_lufs : float, optional
        Where the target line goes.
    album_lufs : float, optional
        Loudness of the album as a whole.
    """

    title: str
    subtitle: str = ""
    parts: tuple[Heard, ...] = ()
    verdict: str = ""
    missed: bool = False
    sections: tuple[Section, ...] = ()
    appendix: tuple[Section, ...] = ()
    compared: Compared | None = None
    target_lufs: float | None = None
    album_lufs: float | None = None


def judged_figures(heard: Heard) -> list[Figure]:
    """Return what the check measured on top: dynamics, stereo field, offsets, noise."""
    if heard.checked is None:
        return []
    report = heard.checked.report
    levels = report.levels
    rows = [
        Figure("Peak to short-term loudness (PSR), lowest tenth", words.number(report.psr_p10_lu), "LU"),
        Figure("Crest", words.number(levels.crest_db), "dB"),
        Figure("DC offset", words.number(100.0 * max(levels.dc, key=abs), 4), "% of full scale"),
        Figure("Quietest 0.4 s", words.number(levels.noise_floor_dbfs), "dBFS"),
    ]
    if heard.analysis.measurements.channels == 2:
        rows += [
            Figure("Correlation, whole", words.number(levels.correlation, 2), ""),
            Figure("Correlation, worst 5 %", words.number(levels.correlation_p5, 2), ""),
            Figure("Sides against the middle", words.number(levels.side_to_mid_db), "dB"),
            Figure("Left against right", words.number(levels.balance_db), "dB"),
            Figure("Lost in mono", words.number(report.mono.loudness_lost_lu), "LU"),
        ]
    return rows


def _pictures(heard: Heard, *, alone: bool) -> list[dict[str, str]]:
    """Return what is drawn of a file; beside others only its spectrum."""
    if heard.checked is None:
        return []
    name = heard.title if len(heard.title) <= NAME_CHARS_MAX else f"{heard.title[: NAME_CHARS_MAX - 1]}…"
    return check_page.pictures(heard.checked, name=name)[: None if alone else 1]


def _part(heard: Heard, sheet: Sheet) -> dict[str, Any]:
    """Return a file as the template needs it."""
    alone = len(sheet.parts) == 1
    numbers, audio = heard.analysis.measurements, heard.analysis.audio
    tables = check_page.check_tables(heard.checked) if heard.checked is not None else {}
    checks = tables.get("checks", [])
    figures = measured_figures(numbers) + judged_figures(heard) + fault_figures(numbers)
    return {
        "title": heard.title,
        "name": heard.name,
        "remark": heard.remark,
        "status": heard.checked.status.value if heard.checked is not None else "",
        "verdict": check_page.verdict_words(heard.checked) if heard.checked is not None else "",
        "tiles": [{"value": figures[place].value, "unit": figures[place].unit, "name": name} for place, name in TILES],
        "length": svg.clock(heard.length_s),
        "start": svg.clock(heard.start_s),
        "format": format_words(heard),
        "halves": (figures[: (len(figures) + 1) // 2], figures[(len(figures) + 1) // 2 :]),
        "drawing": svg.drawing(
            heard.analysis if alone else svg.overview(heard.analysis, SONG_COLUMNS), target_lufs=sheet.target_lufs
        ),
        "pictures": _pictures(heard, alone=alone),
        "checks": checks if alone else [check for check in checks if check["status"] != Status.PASS.value],
        "platforms": tables.get("platforms", []) if alone else [],
        "codecs": tables.get("codecs", []) if alone else [],
        "size": f"{audio.size_bytes / 1e6:.1f} MB",
        "sha256": audio.sha256,
        "sample_digest": audio.sample_digest,
    }


def format_words(heard: Heard) -> str:
    """Return a format as studios write it: ``WAV 24/48``."""
    audio = heard.analysis.audio.format
    bits = f"{audio.bit_depth}{'f' if audio.is_float else ''}/" if audio.bit_depth else ""
    return f"{audio.container.upper()} {bits}{audio.sample_rate_hz / 1000:g}"


def _looks(sheet: Sheet) -> list[str]:
    """Return what failed or wants a look, by name, for a report of one file."""
    if len(sheet.parts) != 1 or sheet.parts[0].checked is None:
        return []
    checks = sheet.parts[0].checked.checks
    said = ((Status.FAIL, "Sound checks that failed"), (Status.WARN, "To look at"))
    named = [(text, [check.title for check in checks if check.status == status]) for status, text in said]
    return [f"{text}: {'; '.join(titles)}." for text, titles in named if titles]


def _verdict(sheet: Sheet) -> tuple[str, bool]:
    """Return the sentence at the top, and whether it is bad news."""
    if sheet.verdict:
        return sheet.verdict, sheet.missed
    judged = [one.checked for one in sheet.parts if one.checked is not None]
    if not judged:
        return "", False
    if len(judged) == 1:
        return check_page.verdict_words(judged[0]), judged[0].status == Status.FAIL
    counts = {status: sum(one.status == status for one in judged) for status in Status}
    said = ((Status.FAIL, "failed a check"), (Status.WARN, "to look at"), (Status.PASS, "with nothing to look at"))
    told = ", ".join(f"{counts[status]} {text}" for status, text in said if counts[status])
    return f"{len(judged)} songs: {told}", counts[Status.FAIL] > 0


def sheet_html(sheet: Sheet) -> str:
    """Return a report as HTML that loads nothing and prints on A4.

    Raises
    ------
    OutputError
        ``REPORT_TOO_LONG``: more than `PARTS_MAX` files.
    """
    if len(sheet.parts) > PARTS_MAX:
        problem = f"one report holds at most {PARTS_MAX} files, got {len(sheet.parts)}"
        raise OutputError("REPORT_TOO_LONG", problem, "make a report for each disc")
    verdict, missed = _verdict(sheet)
    several = len(sheet.parts) > 1
    beside = sheet.compared
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=sheet.title,
            subtitle=sheet.subtitle,
            verdict=verdict,
            missed=missed,
            looks=_looks(sheet),
            parts=[_part(heard, sheet) for heard in sheet.parts],
            several=several,
            sequence=timeline.sequence_chart(sheet.parts, sheet.album_lufs) if several else "",
            compared=beside,
            compared_rows=[one.row for one in beside.changes] if beside is not None else [],
            compared_pictures=compared.pictures(beside) if beside is not None else [],
            sections=sheet.sections,
            appendix=sheet.appendix,
            cell_classes=CELL_CLASSES,
            engine_version=ENGINE_VERSION,
        )
    )


def sheet_json(sheet: Sheet) -> dict[str, Any]:
    """Return a report as JSON values: everything that the page shows, with the curves."""
    verdict, missed = _verdict(sheet)
    return {
        "schema": SCHEMA,
        "title": sheet.title,
        "subtitle": sheet.subtitle,
        "verdict": verdict,
        "missed": missed,
        "target_lufs": sheet.target_lufs,
        "album_lufs": sheet.album_lufs,
        "parts": [
            {
                "title": heard.title,
                "file": heard.name,
                "start_s": heard.start_s,
                "remark": heard.remark,
                "sha256": heard.analysis.audio.sha256,
                "analysis": analysis_json(heard.analysis),
                "check": check_json(heard.checked) if heard.checked is not None else None,
            }
            for heard in sheet.parts
        ],
        "compared": compared_json(sheet.compared) if sheet.compared is not None else None,
        "sections": sections_json((*sheet.sections, *sheet.appendix)),
    }


def sections_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Return a caller's sections as JSON values."""
    return [
        {"title": section.title, "text": list(section.text), "rows": [list(row) for row in section.rows]}
        for section in sections
    ]


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write a report; the extension decides between page and JSON.

    Raises
    ------
    OutputError
        Another extension, too many files, or it cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        problem = f"a report ends in {' or '.join(FORMATS)}, got {path.name!r}"
        raise OutputError("REPORT_FORMAT_UNKNOWN", problem, "choose one of the two", file=path.name)
    if kind == ".json":
        write_json(path, sheet_json(sheet))
        return
    page = sheet_html(sheet)
    with atomic_file(path) as file:
        file.write(page.encode())
