"""A range of a mix or a file at a stated loudness: what two people need to compare two versions fairly."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.units import db_to_gain
from tapelog_recipe import resolved, validate_mix

from tapelog_desk.analysis import Progress
from tapelog_desk.errors import RecipeRefusedError, SourceError, TargetError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mixdown import MIX_CHANNELS, mix_blocks, open_source, resolved_outputs
from tapelog_desk.printing import Printer, output_paths, printing
from tapelog_desk.rendered import Rendered
from tapelog_desk.sources import Resolve
from tapelog_desk.spill import Spill

DEFAULT_OUTPUTS: Final = (pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24),)
DEFAULT_LUFS: Final = -23.0
"""The level of EBU R 128: so low that nearly everything reaches it without touching the ceiling."""
CEILING_DBTP: Final = -1.0
"""No preview is louder: matching by gain alone must not clip what is compared."""
LENGTH_MIN_S: Final = 0.4
"""One gating block of BS.1770: less has no integrated loudness."""
LENGTH_MAX_S: Final = 600.0
"""Ten minutes: a preview is not a way around a render."""
_STEPS_PER_DB: Final = 10_000
"""The gain lies on a grid, so that no library's last bit decides it."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is to be heard of a mix or a file.

    Attributes
    ----------
    mix : MixRecipe, optional
        The mix; None where `path` is given.
    path : Path, optional
        The file, mono or stereo.
    start_frame, end_frame : int
        The range, at the recipe's or the file's sample rate.
    target_lufs : float
        Integrated loudness of the range.
    """

    mix: pb.MixRecipe | None
    path: Path | None
    start_frame: int
    end_frame: int
    target_lufs: float = DEFAULT_LUFS


@dataclass(frozen=True, slots=True)
class Previewed:
    """A preview, and the gain that gave it its loudness."""

    rendered: Rendered
    gain_db: float


def render_preview(
    excerpt: Excerpt,
    resolve: Resolve,
    outputs: Sequence[pb.OutputFormat],
    out_dir: Path,
    *,
    digest: str,
    name: str = "preview",
    progress: Progress | None = None,
) -> Previewed:
    """Render a range and bring it to its loudness by one gain, so that only the loudness differs from the original.

    A mix runs from its first frame, so the range holds exactly the samples of the whole mix, times the gain.

    Parameters
    ----------
    excerpt : Excerpt
        What.
    resolve : callable
        Finds the file of a mix's source.
    outputs : sequence of OutputFormat
        Files to make; none is one 24-bit WAV.
    out_dir : Path
        An existing folder.
    digest : str
        64 hex digits that name the excerpt: the key of its dither.
    name : str
        Name of the files without extension.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    RecipeRefusedError, SourceError, OutputError
        What is wrong, and what to do. ``RANGE_OUTSIDE``: the audio ends before the range. ``RANGE_LENGTH_REFUSED``:
        it is shorter than 0.4 s or longer than 10 minutes. ``RANGE_SILENT``: it has no loudness.
    TargetError
        ``TARGET_INFEASIBLE``: the gain would lift a peak over -1 dBTP.
    """
    begun = time.perf_counter()
    rate_hz, channels = _shape(excerpt)
    frames = excerpt.end_frame - excerpt.start_frame
    if not LENGTH_MIN_S * rate_hz <= frames <= LENGTH_MAX_S * rate_hz:
        problem = f"the range of {frames} frames lasts {frames / rate_hz:.3f} s"
        raise SourceError("RANGE_LENGTH_REFUSED", problem, f"choose {LENGTH_MIN_S:g} s to {LENGTH_MAX_S:g} s")
    with Spill(out_dir, channels) as spill:
        meter = dsp.Meter(rate_hz, channels)
        for block in _range(excerpt, resolve, progress):
            spill.write(block)
            meter.add(block)
        if spill.frames < frames:
            problem = f"the range ends at frame {excerpt.end_frame}, the audio {frames - spill.frames} frames before"
            raise SourceError("RANGE_OUTSIDE", problem, "choose an earlier range")
        gain_db = _gain_db(meter.result(), excerpt.target_lufs)
        formats = resolved_outputs(outputs or DEFAULT_OUTPUTS)
        printer = Printer(
            formats,
            output_paths(formats, out_dir, name),
            sample_rate_hz=rate_hz,
            channels=channels,
            dither_key=bytes.fromhex(digest),
        )
        gain = db_to_gain(gain_db)
        with printing(printer):
            for block in spill.blocks():
                printer.write(block * gain)
            audio, analysis = printer.finish()
    timings = {"preview_s": time.perf_counter() - begun}
    rendered = Rendered(audio, (), digest, analysis, remarks=tuple(printer.remarks()), timings_s=timings)
    return Previewed(rendered, gain_db)


def _shape(excerpt: Excerpt) -> tuple[int, int]:
    """Return sample rate and channels."""
    if excerpt.mix is not None:
        violations = validate_mix(excerpt.mix, services=False)
        if violations:
            raise RecipeRefusedError(violations)
        return int(resolved(excerpt.mix).sample_rate_hz), MIX_CHANNELS
    with open_source(_path(excerpt), "the asset") as reader:
        return reader.format.sample_rate_hz, reader.format.channels


def _path(excerpt: Excerpt) -> Path:
    if excerpt.path is None:
        raise SourceError("SOURCE_NOT_FOUND", "the excerpt names neither a mix nor a file", "name one of them")
    return excerpt.path


def _range(excerpt: Excerpt, resolve: Resolve, progress: Progress | None) -> Iterator[Samples]:
    """Yield the range's own samples on the float32 grid."""
    place = 0
    with closing(_blocks(excerpt, resolve)) as blocks:
        for block in blocks:
            first, last = max(excerpt.start_frame - place, 0), min(excerpt.end_frame - place, block.shape[1])
            place += block.shape[1]
            if last > first:
                yield block[:, first:last]
            if progress is not None:
                progress(min(place / excerpt.end_frame, 1.0))
            if place >= excerpt.end_frame:
                return


def _blocks(excerpt: Excerpt, resolve: Resolve) -> Generator[Samples, None, None]:
    if excerpt.mix is not None:
        with closing(mix_blocks(resolved(excerpt.mix), resolve)) as blocks:
            for block in blocks:
                yield block.mix
        return
    with open_source(_path(excerpt), "the asset") as reader:
        while (read := reader.read(BLOCK_FRAMES)).shape[1]:
            yield dsp.round_to_float32(read)


def _gain_db(measured: dsp.Measurement, target_lufs: float) -> float:
    loudness = measured.loudness.integrated_lufs
    if not math.isfinite(loudness):
        problem = "the range is silent: nothing in it is louder than the absolute gate of -70 LUFS"
        raise SourceError("RANGE_SILENT", problem, "choose a range in which something is heard")
    gain_db = math.floor((target_lufs - loudness) * _STEPS_PER_DB + 0.5) / _STEPS_PER_DB
    peak_dbtp = measured.true_peak.max_dbtp + gain_db
    if peak_dbtp > CEILING_DBTP:
        highest = target_lufs - (peak_dbtp - CEILING_DBTP)
        problem = f"at {target_lufs:g} LUFS the range would peak at {peak_dbtp:.2f} dBTP, over {CEILING_DBTP:g} dBTP"
        remedy = f"choose {math.floor(highest * 10) / 10:g} LUFS or less, for everything that is compared"
        raise TargetError("TARGET_INFEASIBLE", problem, remedy, target_lufs=target_lufs)
    return gain_db
