"""A master from its recipe: chain, loudness drive, true-peak limiter, dither; constant memory in the song's length."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.units import db_to_gain
from tapelog_recipe import Violation, recipe_digest, resolved, validate_master

from tapelog_desk.analysis import Progress, write_json
from tapelog_desk.console import chain, gain_points, moving_settings
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.readers import AudioReader
from tapelog_desk.impulses import ImpulseOf, impulses
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mixdown import at_rate, open_source, resolved_outputs
from tapelog_desk.nodes.mastering import chain_node, keep, play
from tapelog_desk.nodes.store import NodeStore
from tapelog_desk.printing import Printer, output_paths, printing
from tapelog_desk.reduction import GainReduction
from tapelog_desk.rendered import Rendered, RenderedFileOut
from tapelog_desk.sources import Resolve, pinned
from tapelog_desk.spill import Spill
from tapelog_desk.targets import Aim, aim, infeasible
from tapelog_desk.verdict import judge, master_json

DEFAULT_OUTPUTS: Final = (pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24),)
"""A master is 24-bit."""

PEAK_ROOM_DB: Final = 0.05
"""The limiter works this far under the ceiling: by so much a meter may read above what it holds, whatever the meter.

It is more than shaped noise needs under full scale (0.01 dB at 16 bit), so that no dither clips at any ceiling."""

FADE_SHAPES: Final = {
    pb.FADE_SHAPE_UNSPECIFIED: "smooth",
    pb.FADE_SHAPE_SMOOTH: "smooth",
    pb.FADE_SHAPE_LINEAR: "linear",
    pb.FADE_SHAPE_EQUAL_POWER: "equal-power",
    pb.FADE_SHAPE_LATE: "late",
}
"""A recipe's word -> the core's."""

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

    def finish(self) -> None:
        """Say that all is done."""
        if self._progress is not None:
            self._progress(1.0)

    def next_pass(self) -> None:
        """Begin another pass; passes beyond the expected ones share what is left."""
        self._base = self._base + self._share if self._frames else self._base
        self._share = min(self._share, (1.0 - self._base) / 2.0)
        self._frames = 0


class _Bench:
    """One master in the making: what left the chain lies on disk and is read again for every pass.

    Parameters
    ----------
    spill : Spill
        Empty.
    sample_rate_hz, channels : int
        Of the master.
    ceiling_dbtp : float
        That no meter may read above.
    steps : _Steps
        Told of every pass.
    """

    def __init__(self, spill: Spill, *, sample_rate_hz: int, channels: int, ceiling_dbtp: float, steps: _Steps) -> None:
        self._spill = spill
        self._rate = sample_rate_hz
        self._channels = channels
        self._limiter = dsp.TruePeakLimiter(ceiling_dbtp=ceiling_dbtp - PEAK_ROOM_DB)
        self._steps = steps
        self._fade, self._ride = dsp.Fade(), dsp.DriveRide()

    def fill(
        self, reader: AudioReader, recipe: pb.MasterRecipe, impulse_of: ImpulseOf, nodes: NodeStore | None
    ) -> dict[str, float]:
        """Run the chain over the mix, or play what is kept of it, and return its processors' figures."""
        try:
            processors = chain(recipe.chain, "chain", channels=self._channels, impulse_of=impulse_of)
            moving = moving_settings(recipe.automation, recipe.chain, self._channels)
            spec = dsp.MasterSpec(self._rate, processors, self._channels, moving)
            running = dsp.MasterChain(spec)
        except dsp.ParameterError as error:
            raise RecipeRefusedError([Violation("chain", str(error))]) from error
        source = recipe.source.asset_sha256
        node = chain_node(nodes, source, reader.format.sample_rate_hz, spec) if nodes is not None and source else None
        figures = play(node, self._take) if node is not None else None
        if figures is None:
            self._spill.clear()
            blocks: Iterator[Samples] = running.blocks(self._read(reader))
            if node is not None:
                blocks = keep(node, self._channels, blocks, running.telemetry)
            for block in blocks:
                self._spill.write(block)
            figures = dict(running.telemetry())
        self._ride = dsp.DriveRide(gain_points(recipe.drive_automation))
        self._fade = dsp.Fade(recipe.fade.in_s, recipe.fade.out_s, FADE_SHAPES[recipe.fade.shape])
        try:
            self._fade.frames(self._rate, self._spill.frames)
        except dsp.ParameterError as error:
            raise RecipeRefusedError([Violation("fade", str(error))]) from error
        return figures

    def _take(self, block: Samples) -> None:
        """Take what is kept of the chain."""
        self._steps.advance(block.shape[1])
        self._spill.write(block)

    def _read(self, reader: AudioReader) -> Iterator[Samples]:
        stream = at_rate(reader, self._rate)
        while (block := stream.read(BLOCK_FRAMES)).shape[1]:
            self._steps.advance(block.shape[1])
            yield block

    def _again(self) -> Iterator[Samples]:
        self._steps.next_pass()
        faded = self._fade.blocks(self._spill.blocks(), sample_rate=self._rate, length_frames=self._spill.frames)
        for block in self._ride.blocks(faded, sample_rate=self._rate):
            self._steps.advance(block.shape[1])
            yield block

    def solve(self, wanted: Aim) -> dsp.DriveSolution:
        """Search the gain before the limiter."""
        return dsp.solve_drive(
            self._again,
            sample_rate=self._rate,
            target_lufs=wanted.integrated_lufs,
            limiter=self._limiter,
            tolerance_lu=wanted.tolerance_lu,
        )

    def print(self, printer: Printer, drive_db: float) -> Sequence[float]:
        """Run the last pass into files and return the limiter's gain reduction over time."""
        reduction = GainReduction(self._rate, self._channels, db_to_gain(drive_db))

        def tapped() -> Iterator[Samples]:
            for block in self._again():
                reduction.before(block)
                yield block

        blocks = dsp.limit_blocks(tapped(), sample_rate=self._rate, drive_db=drive_db, limiter=self._limiter)
        for block in blocks:
            reduction.after(block)
            printer.write(block)
        return reduction.result()


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
    nodes: NodeStore | None = None,
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
    nodes : NodeStore, optional
        Where the signal before the drive is kept, so that another target costs no chain; the bytes are the same.
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
    known = pinned(recipe, resolve)
    digest = recipe_digest(known)
    whole, formats = resolved(recipe), resolved_outputs(recipe.outputs or DEFAULT_OUTPUTS)
    with open_source(resolve(recipe.source), "the mix") as reader, Spill(out_dir, reader.format.channels) as spill:
        source_hz, channels = reader.format.sample_rate_hz, reader.format.channels
        rate_hz = recipe.sample_rate_hz or source_hz
        steps = _Steps(progress, reader.declared_frames * rate_hz // source_hz)
        bench = _Bench(spill, sample_rate_hz=rate_hz, channels=channels, ceiling_dbtp=wanted.ceiling_dbtp, steps=steps)
        whole.source.CopyFrom(known.source)
        telemetry = bench.fill(reader, whole, impulses(resolve), nodes)
        chained = time.perf_counter()
        solution = bench.solve(wanted)
        if not solution.feasible and not best_effort:
            raise infeasible(solution.limit, wanted)
        solved = time.perf_counter()
        places = paths or output_paths(formats, out_dir, name)
        key = bytes.fromhex(seed or digest)
        printer = Printer(formats, places, sample_rate_hz=rate_hz, channels=channels, dither_key=key)
        with printing(printer):
            reduced = bench.print(printer, solution.drive_db)
            audio, analysis = printer.finish()
    verdict = judge(wanted, solution, analysis)
    files: tuple[RenderedFileOut, ...] = ()
    if analysis_file:
        path = out_dir / f"{name}.analysis.json"
        write_json(path, master_json(analysis, verdict, reduced, recipe_digest=digest, telemetry=telemetry))
        files = (RenderedFileOut("analysis", path, "application/json"),)
    ended = time.perf_counter()
    timings = {"chain_s": chained - begun, "drive_s": solved - chained, "print_s": ended - solved}
    steps.finish()
    remarks = tuple(printer.remarks())
    return Rendered(audio, files, digest, analysis, verdict, reduced, remarks, timings_s=timings)
