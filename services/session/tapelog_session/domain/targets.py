"""Published loudness targets a master can name, as numbers that a gate can compare with."""

from __future__ import annotations

import dataclasses
from typing import Final

from tapelog.common.v1 import audio_pb2, recipe_pb2

from tapelog_session.domain.errors import InvalidCommand

TOLERANCE_LU: Final = 0.2
"""What a master may be off when its recipe does not say: the quality-control tolerance of EBU R 128."""
PEAK_EPSILON_DB: Final = 0.005
"""Half of the last digit a true-peak meter shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a master must reach."""

    integrated_lufs: float
    ceiling_dbtp: float
    tolerance_lu: float = TOLERANCE_LU


TARGETS: Final = {
    "streaming": Target(-14.0, -1.0),
    "apple-music": Target(-16.0, -1.0),
    "podcast": Target(-16.0, -1.0, 1.0),
    "ebu-r128": Target(-23.0, -1.0),
    "atsc-a85": Target(-24.0, -2.0, 2.0),
}


def resolve_target(target: recipe_pb2.MasterTarget) -> recipe_pb2.MasterTarget:
    """Return a target with every number written out.

    Raises
    ------
    InvalidCommand
        Its name is not published, or neither name nor numbers say what to reach.
    """
    known = TARGETS.get(target.name)
    if target.name and known is None:
        raise InvalidCommand(
            "UNKNOWN_TARGET",
            [("recipe.target.name", f"{target.name[:40]!r} is not one of {', '.join(TARGETS)}")],
        )
    if known is None and not (target.HasField("integrated_lufs") and target.HasField("ceiling_dbtp")):
        raise InvalidCommand(
            "TARGET_MISSING",
            [("recipe.target", "name a target such as 'streaming', or set integrated_lufs and ceiling_dbtp")],
        )
    base = known or Target(0.0, 0.0)
    return recipe_pb2.MasterTarget(
        name=target.name,
        integrated_lufs=target.integrated_lufs if target.HasField("integrated_lufs") else base.integrated_lufs,
        ceiling_dbtp=target.ceiling_dbtp if target.HasField("ceiling_dbtp") else base.ceiling_dbtp,
        tolerance_lu=target.tolerance_lu if target.HasField("tolerance_lu") else base.tolerance_lu,
    )


def loudness_fault(target: recipe_pb2.MasterTarget, measured: audio_pb2.Measurements) -> str:
    """Return how a master misses its loudness, or the empty string."""
    if not measured.HasField("integrated_lufs"):
        return "its integrated loudness could not be measured"
    off_lu = measured.integrated_lufs - target.integrated_lufs
    if abs(off_lu) <= target.tolerance_lu:
        return ""
    return (
        f"{measured.integrated_lufs:.2f} LUFS is {off_lu:+.2f} LU off {target.integrated_lufs:g} LUFS, "
        f"allowed are {target.tolerance_lu:g} LU"
    )


def true_peak_fault(target: recipe_pb2.MasterTarget, measured: audio_pb2.Measurements) -> str:
    """Return how a master breaks its ceiling, or the empty string."""
    if not measured.HasField("true_peak_dbtp"):
        return "its true peak could not be measured"
    if measured.true_peak_dbtp <= target.ceiling_dbtp + PEAK_EPSILON_DB:
        return ""
    return f"{measured.true_peak_dbtp:.2f} dBTP is above the ceiling of {target.ceiling_dbtp:g} dBTP"
