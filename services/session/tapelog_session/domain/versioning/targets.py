"""Loudness targets a master can name, resolved to numbers that a gate can compare with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from tapelog.common.v1 import audio_pb2, recipe_pb2

from tapelog_session.domain.errors import InvalidCommand

TOLERANCE_LU: Final = 0.2
"""What a master may be off when its recipe does not say: the quality-control tolerance of EBU R 128."""
PEAK_EPSILON_DB: Final = 0.005
"""Half of the last digit a true-peak meter shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a named target asks for; `integrated_lufs` is None where it leaves the loudness free."""

    integrated_lufs: float | None
    ceiling_dbtp: float


Targets = Mapping[str, Target]


def resolve_target(target: recipe_pb2.MasterTarget, named: Targets) -> recipe_pb2.MasterTarget:
    """Return a target with every number written out; what the recipe writes overrides what the name says.

    Raises
    ------
    InvalidCommand
        There is no target of that name, or neither name nor numbers say what to reach.
    """
    known = named.get(target.name)
    if target.name and known is None:
        text = f"{target.name[:40]!r} is not one of {', '.join(named)}"
        raise InvalidCommand("UNKNOWN_TARGET", [("recipe.target.name", text)])
    base = known or Target(None, 0.0)
    lufs = target.integrated_lufs if target.HasField("integrated_lufs") else base.integrated_lufs
    if lufs is None or (known is None and not target.HasField("ceiling_dbtp")):
        text = "name a target such as 'streaming', or set integrated_lufs and ceiling_dbtp"
        if known is not None:
            text = f"{target.name} leaves the loudness free: set integrated_lufs"
        raise InvalidCommand("TARGET_OPEN", [("recipe.target", text)])
    return recipe_pb2.MasterTarget(
        name=target.name,
        integrated_lufs=lufs,
        ceiling_dbtp=target.ceiling_dbtp if target.HasField("ceiling_dbtp") else base.ceiling_dbtp,
        tolerance_lu=target.tolerance_lu if target.HasField("tolerance_lu") else TOLERANCE_LU,
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
