"""The loudness target that a command line asks for."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.targets import own_targets, written_out
from tapelog_dsp import load_targets

from tapelog_cli.desk.told import WrongUsage

TARGETS: Final = ", ".join(
    f"{name} ({target.integrated_lufs:g} LUFS, {target.true_peak_dbtp:g} dBTP)"
    for name, target in load_targets().items()
    if target.integrated_lufs is not None
)
"""Named targets with what they ask for, for the help."""

OwnTargets = Annotated[
    Path | None, Parameter(env_var="TAPELOG_TARGETS", help="TOML file of your own targets (docs/mastering.md).")
]


def asked_target(
    name: str | None, targets: Path | None, lufs: float | None, ceiling_dbtp: float | None
) -> pb.MasterTarget:
    """Return the target that the options ask for, its numbers written out; with both numbers any name is a label.

    Raises
    ------
    WrongUsage
        No target has the name.
    TargetError
        The file of targets cannot be used.
    """
    known = own_targets(targets)
    if name and name not in known and (lufs is None or ceiling_dbtp is None):
        raise WrongUsage(
            f"there is no target {name!r}", f"use one of {', '.join(known)}; or of your own with --targets FILE"
        )
    return written_out(pb.MasterTarget(name=name or "", integrated_lufs=lufs, ceiling_dbtp=ceiling_dbtp), known)
