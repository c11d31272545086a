"""`tapelog check`."""

import math
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog_desk.checking import Checked, check_file, check_json
from tapelog_desk.codecs import available_codecs
from tapelog_desk.report.check_page import verdict_words, write_check
from tapelog_desk.report.page import FORMATS
from tapelog_desk.targets import own_targets
from tapelog_dsp import Status, load_curves

from tapelog_cli.desk import show
from tapelog_cli.desk.asked import OwnTargets
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode

STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


@told
def check(
    master: Annotated[Path, Parameter(help="The master: a mono or stereo audio file.")],
    /,
    *,
    reference: Annotated[
        str, Parameter(help=f"What its spectrum is held against: {', '.join(load_curves())}, or another master's file.")
    ] = "popular",
    codec: Annotated[
        bool, Parameter(help="Send it through AAC, MP3 and Opus and back, where ffmpeg is on the PATH.")
    ] = True,
    targets: OwnTargets = None,
    report: Annotated[
        Path | None, Parameter(help="Report to write: .html for people with pictures, .json for programs.")
    ] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Judge how a master comes across on other loudspeakers, in mono, on streaming platforms and after codecs.

    Exit codes: 0 nothing failed, 1 refused, 2 wrong usage, 4 a check failed.

    Example: `tapelog check master.wav --report check.html`
    """
    if report is not None and report.suffix.lower() not in FORMATS:
        raise WrongUsage(f"{report} must end in .html or .json", "the extension decides the form")
    if reference not in load_curves() and not Path(reference).is_file():
        raise WrongUsage(f"there is no reference {reference!r}", f"use {', '.join(load_curves())}, or name a file")
    platforms = own_targets(targets).values()
    held_against = reference if reference in load_curves() else Path(reference)
    with show.progress_bar(f"checking {master.name}", quiet=json) as progress:
        codecs = available_codecs() if codec else ()
        checked = check_file(master, reference=held_against, codecs=codecs, targets=platforms, progress=progress)
    if report is not None:
        write_check(report, checked)
    if json:
        show.print_json(check_json(checked))
    else:
        show.output().print(_table(checked))
        show.output().print(verdict_words(checked), style=STYLES[checked.status], markup=False)
    return ExitCode.TARGET_MISSED if checked.status == Status.FAIL else ExitCode.OK


def _table(checked: Checked) -> Table:
    """Return the checks as a table, what needs a look first."""
    made = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "check"):
        made.add_column(name)
    for name in ("value", "warn", "fail"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("")
    order = [Status.FAIL, Status.WARN, Status.PASS]
    for one in sorted(checked.checks, key=lambda row: order.index(row.status)):
        sign = ">" if one.side == "above" else "<"
        value = f"{round(one.value, 2) + 0.0:.2f} {one.unit}" if math.isfinite(one.value) else "–"
        made.add_row(
            f"[{STYLES[one.status]}]{one.status.value}[/]", one.title, value, f"{sign} {one.warn:g}",
            f"{sign} {one.fail:g}", "" if one.status == Status.PASS else one.detail,
        )  # fmt: skip
    return made
