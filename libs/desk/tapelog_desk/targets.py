"""What a master is to reach: the named targets of the core, overridden by what a recipe writes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.errors import TargetError

SOLVER_MIN_LU: Final = 0.05
"""The drive is searched to this; a smaller tolerance cannot be promised."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A target with nothing left open.

    Attributes
    ----------
    name : str
        Name of the target; empty where it was written out.
    integrated_lufs, ceiling_dbtp, tolerance_lu : float
        What to reach.
    """

    name: str
    integrated_lufs: float
    ceiling_dbtp: float
    tolerance_lu: float


def own_targets(path: Path | None) -> Mapping[str, dsp.Target]:
    """Return the package's targets and those of a user's file.

    Raises
    ------
    TargetError
        ``TARGETS_REFUSED``: the file cannot be used.
    """
    try:
        return dsp.read_targets(path)
    except dsp.ParameterError as error:
        name = path.name if path is not None else ""
        raise TargetError("TARGETS_REFUSED", str(error), "mend the file (docs/mastering.md)", file=name) from error


def written_out(target: pb.MasterTarget, targets: Mapping[str, dsp.Target]) -> pb.MasterTarget:
    """Return a target with the numbers that its name stands for written into it.

    A recipe then needs no file beside it, and has the digest that the services give it: they write the numbers out too.
    The tolerance of a published row is not written, for theirs is the default.
    """
    published = dsp.load_targets().get(target.name)
    row = published or targets.get(target.name)
    complete = pb.MasterTarget()
    complete.CopyFrom(target)
    if row is None:
        return complete
    if row.integrated_lufs is not None and not target.HasField("integrated_lufs"):
        complete.integrated_lufs = row.integrated_lufs
    if not target.HasField("ceiling_dbtp"):
        complete.ceiling_dbtp = row.true_peak_dbtp
    if published is None and row.tolerance_lu is not None and not target.HasField("tolerance_lu"):
        complete.tolerance_lu = row.tolerance_lu
    return complete


def aim(target: pb.MasterTarget) -> Aim:
    """Return what to reach; a name that is not published is only a label where both numbers are written.

    Raises
    ------
    TargetError
        ``TARGET_UNKNOWN``: no target has the name. ``TARGET_OPEN``: it leaves the loudness free and the recipe too.
    """
    named: dsp.Target | None = None
    labelled = target.HasField("integrated_lufs") and target.HasField("ceiling_dbtp")
    if target.name and not (labelled and target.name not in dsp.load_targets()):
        try:
            named = dsp.get_target(target.name)
        except dsp.TargetUnknownError as error:
            problem = f"there is no target {target.name!r}"
            remedy = f"use one of {', '.join(error.known)}; or of your own with --targets FILE"
            raise TargetError("TARGET_UNKNOWN", problem, remedy, target=target.name) from error
    lufs = named.integrated_lufs if named is not None else None
    if target.HasField("integrated_lufs"):
        lufs = target.integrated_lufs
    if lufs is None:
        problem = f"the target {target.name!r} leaves the loudness free"
        remedy = "give the loudness: --lufs, or target.integrated_lufs in the recipe"
        raise TargetError("TARGET_OPEN", problem, remedy, target=target.name)
    ceiling = named.true_peak_dbtp if named is not None else -1.0
    if target.HasField("ceiling_dbtp"):
        ceiling = target.ceiling_dbtp
    tolerance = max(target.tolerance_lu if target.HasField("tolerance_lu") else 0.2, SOLVER_MIN_LU)
    return Aim(target.name, lufs, ceiling, tolerance)


def infeasible(limit: str, wanted: Aim) -> TargetError:
    """Return the error for a target that this mix cannot reach."""
    problem = f"the target of {wanted.integrated_lufs:g} LUFS at {wanted.ceiling_dbtp:g} dBTP is out of reach: {limit}"
    remedy = "choose a quieter target, compress the mix more, or accept the closest (--best-effort)"
    return TargetError("TARGET_INFEASIBLE", problem, remedy, target_lufs=wanted.integrated_lufs)
