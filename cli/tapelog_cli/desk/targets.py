"""`tapelog targets`."""

import dataclasses
from typing import Annotated

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog_desk.targets import own_targets
from tapelog_dsp import load_targets

from tapelog_cli.desk import show
from tapelog_cli.desk.asked import OwnTargets
from tapelog_cli.desk.told import told
from tapelog_cli.exit_codes import ExitCode


@told
def targets(
    *,
    targets: OwnTargets = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """List delivery targets: the package's, and your own.

    Example: `tapelog targets --targets my.toml`
    """
    known = own_targets(targets)
    if json:
        show.print_json({name: dataclasses.asdict(row) for name, row in known.items()})
        return ExitCode.OK
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for heading in ("name", "LUFS", "dBTP", "rate", "bits", "status", "title", "source"):
        table.add_column(heading, overflow="fold")
    for name, row in known.items():
        loudness = "free" if row.integrated_lufs is None else f"{row.integrated_lufs:g}"
        rate = "" if row.sample_rate_hz is None else f"{row.sample_rate_hz}"
        status = row.status if name in load_targets() else f"{row.status}, yours"
        table.add_row(
            name,
            loudness,
            f"{row.true_peak_dbtp:g}",
            rate,
            str(row.bits),
            status,
            row.title,
            f"{row.source} ({row.date})",
        )
    show.output().print(table)
    return ExitCode.OK
