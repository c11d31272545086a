"""Whether a master is what was asked for, judged by the samples in its file."""

from collections.abc import Sequence
from typing import Any

import tapelog_dsp as dsp

from tapelog_desk.analysis import Analysis, Curve, analysis_json, curve_json
from tapelog_desk.reduction import STEPS_PER_S
from tapelog_desk.rendered import Verdict
from tapelog_desk.targets import Aim


def judge(wanted: Aim, solution: dsp.DriveSolution, analysis: Analysis) -> Verdict:
    """Judge the printed samples, not the search: dither and rounding are in the file too."""
    numbers = analysis.measurements
    quiet = not numbers.HasField("integrated_lufs")
    off_lu = abs(numbers.integrated_lufs - wanted.integrated_lufs)
    over_db = numbers.true_peak_dbtp - wanted.ceiling_dbtp
    limit = solution.limit
    if not limit and (quiet or off_lu > wanted.tolerance_lu):
        limit = f"the printed master has {numbers.integrated_lufs:.2f} LUFS"
    if not limit and over_db > 0.0:
        limit = f"the printed master peaks at {numbers.true_peak_dbtp:.2f} dBTP"
    return Verdict(
        reached=not limit,
        limit=limit,
        target_name=wanted.name,
        target_lufs=wanted.integrated_lufs,
        ceiling_dbtp=wanted.ceiling_dbtp,
        tolerance_lu=wanted.tolerance_lu,
        drive_db=solution.drive_db,
        passes=solution.passes,
    )


def verdict_json(verdict: Verdict, analysis: Analysis) -> dict[str, Any]:
    """Return target and verdict as JSON values."""
    numbers = analysis.measurements
    measured = numbers.HasField("integrated_lufs")
    return {
        "target": {
            "name": verdict.target_name,
            "integrated_lufs": verdict.target_lufs,
            "ceiling_dbtp": verdict.ceiling_dbtp,
            "tolerance_lu": verdict.tolerance_lu,
        },
        "verdict": {
            "reached": verdict.reached,
            "limit": verdict.limit,
            "loudness_error_lu": round(numbers.integrated_lufs - verdict.target_lufs, 3) if measured else None,
            "peak_margin_db": round(verdict.ceiling_dbtp - numbers.true_peak_dbtp, 3) if measured else None,
            "drive_db": round(verdict.drive_db, 3),
        },
    }


def master_json(
    analysis: Analysis,
    verdict: Verdict,
    reduced: Sequence[float],
    *,
    recipe_digest: str,
    telemetry: dict[str, float],
) -> dict[str, Any]:
    """Return the analysis of a master as JSON values: numbers, target, verdict, curves."""
    figures = {name: round(value, 3) for name, value in sorted(telemetry.items())}
    return analysis_json(
        analysis,
        kind="master",
        recipe_digest=recipe_digest,
        **verdict_json(verdict, analysis),
        chain_figures=figures,
        gain_reduction_db=curve_json(Curve(0.0, 1.0 / STEPS_PER_S, reduced)),
    )
