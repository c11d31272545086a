"""`tapelog repair`."""

import math
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog_desk.files.atomic import file_sha256
from tapelog_desk.repairing import Repaired, render_repair
from tapelog_dsp.repair import TOOLS

from tapelog_cli.desk import show
from tapelog_cli.desk.files import keep, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode


def _checked(take: Path, output: Path, *, force: bool) -> None:
    if not take.is_file():
        raise WrongUsage(f"{take} is not there", "check the path")
    if output.suffix.lower() != ".wav":
        raise WrongUsage(f"{output} must end in .wav", "a repaired take is 32-bit float")
    require_folder(output)
    keep([take], from_outputs=[output])
    if output.exists() and not force:
        raise WrongUsage(f"{output} is there already", "choose another name, or --force to replace it")


def _json(take: Path, output: Path, made: Repaired) -> dict[str, Any]:
    return {
        "file": str(take),
        "output": str(output) if made.changed else None,
        "changed": made.changed,
        "report": str(made.rendered.files[0].path),
        "silences": len(made.silences),
        "tools": [
            {
                "tool": report.tool,
                "applied": report.applied,
                "reason": report.reason,
                "places": report.repaired_spans,
                "changed_samples": report.changed_frames,
                "removed_db": report.removed_db if math.isfinite(report.removed_db) else None,
            }
            for report in made.reports
        ],
    }


@told
def repair(
    take: Annotated[Path, Parameter(help="The recording.", negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The repaired take, .wav; a report lies beside.")],
    tool: Annotated[
        list[str] | None, Parameter(help=f"Only this one, may be given often: {', '.join(TOOLS)}.", negative=())
    ] = None,
    force: Annotated[bool, Parameter(negative="", help="Replace a file that is there.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Mend what is proved to be damaged, and say what was done.

    DC, clipping, dropouts, rumble, clicks and crackle, hum, plosives, hiss. A sound take is left alone: then
    no file is written.

    Example: `tapelog repair take.wav -o mended.wav`
    """
    _checked(take, output, force=force)
    unknown = sorted(set(tool or ()) - set(TOOLS))
    if unknown:
        raise WrongUsage(f"--tool {unknown[0]} is not known", f"one of {', '.join(TOOLS)}")
    with show.progress_bar(f"listening to {take.name}", quiet=json) as progress:
        made = render_repair(
            take,
            output.parent,
            digest=file_sha256(take),
            tools=tool or (),
            name=output.stem,
            called=take.name,
            progress=progress,
        )
    if json:
        show.print_json(_json(take, output, made))
        return ExitCode.OK
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("tool", "did", "why"):
        table.add_column(name)
    for report in made.reports:
        did = "left alone" if not report.applied else f"{report.repaired_spans or 'whole'} mended"
        table.add_row(report.tool, did, report.reason)
    show.output().print(table)
    line = f"{output} and {made.rendered.files[0].path}" if made.changed else f"{take} is sound: no file was written"
    show.output().print(line, markup=False, soft_wrap=True)
    if made.silences:
        show.print_notes([f"{len(made.silences)} silent stretches of half a second or more; the report says where"])
    return ExitCode.OK
