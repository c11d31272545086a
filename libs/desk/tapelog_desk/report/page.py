"""The report as one self-contained page, light and printable."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import jinja2

from tapelog_desk.analysis import write_json
from tapelog_desk.errors import OutputError
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.rendered import Rendered
from tapelog_desk.report import svg
from tapelog_desk.report.document import Section, figures, report_json, verdict_words

TEMPLATE: Final = "page.html.j2"
FORMATS: Final = (".html", ".json")
"""Extensions of reports."""


def environment() -> jinja2.Environment:
    """Return the templates of this folder."""
    loader = jinja2.PackageLoader("tapelog_desk.report", package_path="")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)


def report_html(rendered: Rendered, *, title: str, subtitle: str = "", sections: Sequence[Section] = ()) -> str:
    """Return the report as HTML that loads nothing.

    Parameters
    ----------
    rendered : Rendered
        The master or mix that is reported on.
    title, subtitle : str
        Song, and whose.
    sections : sequence of Section
        Credits, decisions and what else the caller knows; shown at the end.
    """
    verdict = rendered.verdict
    drawing = svg.drawing(
        rendered.analysis,
        target_lufs=verdict.target_lufs if verdict is not None else None,
        reduction_db=rendered.gain_reduction_db,
    )
    numbers = rendered.analysis.measurements
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            subtitle=subtitle,
            drawing=drawing,
            figures=figures(rendered),
            verdict=verdict,
            verdict_words=verdict_words(rendered),
            length=svg.clock(numbers.length_frames / max(numbers.sample_rate_hz, 1)),
            numbers=numbers,
            audio=rendered.audio,
            remarks=rendered.remarks,
            sections=sections,
            recipe_digest=rendered.recipe_digest,
            engine_version=rendered.engine_version,
        )
    )


def write_report(
    path: Path, rendered: Rendered, *, title: str, subtitle: str = "", sections: Sequence[Section] = ()
) -> None:
    """Write a report; the extension decides between page and JSON.

    Raises
    ------
    OutputError
        Another extension, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        problem = f"a report ends in {' or '.join(FORMATS)}, got {path.name!r}"
        raise OutputError("REPORT_FORMAT_UNKNOWN", problem, "choose one of the two", file=path.name)
    if kind == ".json":
        write_json(path, report_json(rendered, title=title, subtitle=subtitle, sections=sections))
        return
    page = report_html(rendered, title=title, subtitle=subtitle, sections=sections)
    with atomic_file(path) as file:
        file.write(page.encode())
