"""A master from its recipe: chain, loudness drive, true-peak limiter, dither; constant memory in the song's length."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.units import db_to_gain
from tapelog_recipe import Violation, recipe_digest, resolved, validate_master

from tapelog_desk.analysis import Analysis, Curve, Progress, analysis_json, curve_json, write_json
from tapelog_desk.console import chain
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.files.readers import AudioReader, Samples
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mixdown import at_rate, open_source, resolved_outputs
from tapelog_desk.printing import Printer, output_paths, printing
from tapelog_desk.reduction import STEPS_PER_S, GainReduction
from tapelog_desk.rendered import Rendered, RenderedFileOut, Verdict
from tapelog_desk.sources import Resolve, pinned
from tapelog_desk.spill import Spill
from tapelog_desk.targets import Aim, aim, infeasible

DEFAULT_OUTPUTS: Final = (pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24),)
"""A master is 24-bit."""

PEAK_ROOM_DB: Final = 0.05
"""The limiter works this far under the ceiling: by so much a meter may read above what it holds, whatever the meter."""

PASSES_EXPECTED: Final = 5
"""Readings of the mix, chain and print included, that progress is counted by; more of them only make it wait."""


class _Steps:
    """Progress over several passes of unknown number: never falling, full only at the end."""

    def __init__(self, progress: Progress | None, length_frames: int) -> None:
        self._progress = progress
        self._length = max(length_frames, 1)
        self._base = 0.0
        self._share = 1.0 / PASSES_EXPECTED
        self._frames = 0

    def advance(self, frames: int) -> None:
        """Count frames of the present pass."""
        self._frames += frames
        if self._progress is not None:
            self._progress(self._base + self._share * min(self._frames / self._length, 1.0))

    def next_pass(self) -> None:
        """Begin another pass; passes beyond the expected ones share what is left."""
        self._base = self._base + self._share if self._frames else self._base
        self._share = min(self._share, (1.0 - self._base) / 2.0)
        self._frames = 0


def _source_blocks(reader: AudioReader, sample_rate_hz: int, steps: _Steps) -> Iterator[Samples]:
    stream = at_rate(reader, sample_rate_hz)
    while (block := stream.read(BLOCK_FRAMES)).shape[1]:
        steps.advance(block.shape[1])
        yield block


def _fill(
    spill: Spill, reader: AudioReader, recipe: pb.MasterRecipe, sample_rate_hz: int, steps: _Steps
) -> dict[str, float]:
    """Run the chain before the limiter into the spill and return its processors' figures."""
    channels = reader.format.channels
    try:
        spec = dsp.MasterSpec(sample_rate_hz, chain(recipe.chain, "chain", channels), channels)
        running = dsp.MasterChain(spec)
    except dsp.ParameterError as error:
        raise RecipeRefusedError([Violation("chain", str(error))]) from error
    for block in running.blocks(_source_blocks(reader, sample_rate_hz, steps)):
        spill.write(block)
    return dict(running.telemetry())


def _counted(spill: Spill, steps: _Steps) -> Iterator[Samples]:
    steps.next_pass()
    for block in spill.blocks():
        steps.advance(block.shape[1])
        yield block


def _print(
    printer: Printer, spill: Spill, *, drive_db: float, limiter: dsp.TruePeakLimiter, reduction: GainReduction,
    sample_rate_hz: int, steps: _Steps,
) -> None:  # fmt: skip
    def tapped() -> Iterator[Samples]:
        for block in _counted(spill, steps):
            reduction.before(block)
            yield block

    for block in dsp.limit_blocks(tapped(), sample_rate=sample_rate_hz, drive_db=drive_db, limiter=limiter):
        reduction.after(block)
        printer.write(block)


def _judge(wanted: Aim, solution: dsp.DriveSolution, analysis: Analysis) -> Verdict:
    """Judge the printed samples, not the search: dither and rounding are in the file too."""
    numbers = analysis.measurements
    quiet = not numbers.HasField("integrated_lufs")
    off_lu = abs(numbers.integrated_lufs - wanted.integrated_lufs)
    over_db = numbers.true_peak_dbtp - wanted.ceiling_dbtp
    limit = solution.limit
    if not limit and (quiet or off_lu > wanted.tolerance_lu):
        limit = f"the printed master has {numbers.integrated_lufs:.2f} LUFS"
    if not limit and over_db > 0:
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


def render_master(
    recipe: pb.MasterRecipe,
    resolve: Resolve,
    out_dir: Path,
    *,
    name: str = "master",
    paths: Sequence[Path] = (),
    seed: str | None = None,
    best_effort: bool = False,
    analysis_file: bool = True,
    progress: Progress | None = None,
) -> Rendered:
    """Render a master into the files of its recipe.

    The chain runs once into a temporary file; the drive is searched over that file; the last pass limits, dithers,
    measures and writes.

    Parameters
    ----------
    recipe : MasterRecipe
        As written; it is checked, resolved and pinned here. Without outputs one 24-bit WAV is made.
    resolve : callable
        Finds the file of its source.
    out_dir : Path
        An existing folder, with room for the master and a float32 copy of it.
    name : str
        Name of the files without extension.
    paths : sequence of Path
        Where each output goes, instead of `out_dir` and `name`.
    seed : str, optional
        64 hex digits that key the dither; by default the digest of the pinned recipe.
    best_effort : bool
        Whether the closest master is made where the target cannot be reached, instead of an error.
    analysis_file : bool
        Whether the analysis is written beside the audio, as ``<name>.analysis.json``.
    progress : callable, optional
        Told the share that is done; what it raises ends the render and leaves nothing behind.

    Returns
    -------
    Rendered
        With `verdict`. The same recipe gives the same bytes.

    Raises
    ------
    RecipeRefusedError, SourceError, OutputError
        What is wrong, and what to do.
    TargetError
        ``TARGET_UNKNOWN``, ``TARGET_OPEN`` or ``TARGET_INFEASIBLE``.
    """
    violations = validate_master(recipe, services=False)
    if violations:
        raise RecipeRefusedError(violations)
    wanted = aim(recipe.target)
    begun = time.perf_counter()
    digest = recipe_digest(pinned(recipe, resolve))
    whole, formats = resolved(recipe), resolved_outputs(recipe.outputs or DEFAULT_OUTPUTS)
    limiter = dsp.TruePeakLimiter(ceiling_dbtp=wanted.ceiling_dbtp - PEAK_ROOM_DB)
    with open_source(resolve(recipe.source), "the mix") as reader:
        audio_format = reader.format
        rate_hz, channels = recipe.sample_rate_hz or audio_format.sample_rate_hz, audio_format.channels
        steps = _Steps(progress, reader.declared_frames * rate_hz // audio_format.sample_rate_hz)
        with Spill(out_dir, channels) as spill:
            telemetry = _fill(spill, reader, whole, rate_hz, steps)
            chained = time.perf_counter()
            solution = dsp.solve_drive(
                lambda: _counted(spill, steps),
                sample_rate=rate_hz,
                target_lufs=wanted.integrated_lufs,
                limiter=limiter,
                tolerance_lu=wanted.tolerance_lu,
            )
            if not solution.feasible and not best_effort:
                raise infeasible(solution.limit, wanted)
            solved = time.perf_counter()
            reduction = GainReduction(rate_hz, channels, db_to_gain(solution.drive_db))
            places = paths or output_paths(formats, out_dir, name)
            key = bytes.fromhex(seed or digest)
            printer = Printer(formats, places, sample_rate_hz=rate_hz, channels=channels, dither_key=key)
            with printing(printer):
                _print(
                    printer, spill, drive_db=solution.drive_db, limiter=limiter, reduction=reduction,
                    sample_rate_hz=rate_hz, steps=steps,
                )  # fmt: skip
                audio, analysis = printer.finish()
    verdict, reduced = _judge(wanted, solution, analysis), reduction.result()
    files: tuple[RenderedFileOut, ...] = ()
    if analysis_file:
        path = out_dir / f"{name}.analysis.json"
        write_json(path, master_json(analysis, verdict, reduced, recipe_digest=digest, telemetry=telemetry))
        files = (RenderedFileOut("analysis", path, "application/json"),)
    ended = time.perf_counter()
    timings = {"chain_s": chained - begun, "drive_s": solved - chained, "print_s": ended - solved}
    remarks = tuple(printer.remarks())
    if progress is not None:
        progress(1.0)
    return Rendered(audio, files, digest, analysis, verdict, reduced, remarks, timings_s=timings)


def master_json(
    analysis: Analysis,
    verdict: Verdict,
    reduced: tuple[float, ...],
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
