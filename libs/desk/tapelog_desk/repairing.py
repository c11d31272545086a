"""Repair of a recorded file: what is damaged is proved, mended and reported; what is not comes out as it is."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.repair import RepairReport, clean
from tapelog_recipe import Violation

from tapelog_desk.analysis import Progress, write_json
from tapelog_desk.analyzing import analyze_file
from tapelog_desk.errors import RecipeRefusedError, SourceError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.readers import open_audio
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.printing import Printer, printing
from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut

SCHEMA: Final = "tapelog.repair/1"
"""Name of the report's JSON form."""

OUTPUT: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)
"""A repaired take is 32-bit float: it is neither dithered nor clipped before it is mixed."""

SAMPLES_MAX: Final = 2 * 96_000 * 900
"""Frames times channels: a quarter of an hour of stereo at 96 kHz. The repair holds all of it, about ten times over."""

SPANS_LISTED_MAX: Final = 1_000
"""Places that a report lists per tool; it counts them all."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair made.

    Attributes
    ----------
    rendered : Rendered
        The repaired file, or the file that was given where nothing was changed; and the report.
    changed : bool
        Whether any sample was changed.
    reports : tuple of RepairReport
        One per tool, in the order in which they ran.
    """

    rendered: Rendered
    changed: bool
    reports: tuple[RepairReport, ...]


def render_repair(
    path: Path,
    out_dir: Path,
    *,
    digest: str,
    tools: Sequence[str] = (),
    name: str = "repaired",
    called: str = "the take",
    progress: Progress | None = None,
) -> Repaired:
    """Repair a file into a 32-bit float WAV beside a report, ``<name>.repair.json``.

    Parameters
    ----------
    path : Path
        The recording.
    out_dir : Path
        An existing folder.
    digest : str
        64 hex digits that name the repair.
    tools : sequence of str
        Which of `tapelog_dsp.repair.TOOLS`; none is all of them.
    name : str
        Name of the files without extension.
    called : str
        What errors call the recording.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    SourceError
        ``REPAIR_TOO_LONG``, and as for every file that is read.
    RecipeRefusedError
        A tool is not known.
    OutputError
        A file cannot be written.
    """
    begun = time.perf_counter()
    before = analyze_file(path, name=called, progress=_part(progress, 0.0, 0.2))
    samples, rate_hz = _whole(path, called)
    try:
        result = clean(samples, rate_hz, tools or None)
    except dsp.ParameterError as error:
        raise RecipeRefusedError([Violation("tools", str(error))]) from error
    _tell(progress, 0.8)
    cleaned_at = time.perf_counter()
    if result.changed:
        printer = Printer(
            [OUTPUT],
            [out_dir / f"{name}.wav"],
            sample_rate_hz=rate_hz,
            channels=samples.shape[0],
            dither_key=bytes.fromhex(digest),
        )
        with printing(printer):
            for start in range(0, samples.shape[1], BLOCK_FRAMES):
                printer.write(result.audio[:, start : start + BLOCK_FRAMES])
            audio, analysis = printer.finish()
    else:
        audio, analysis = (RenderedAudio(path, before.audio),), before
    report = out_dir / f"{name}.repair.json"
    write_json(report, repair_json(result.reports, source_sha256=before.audio.sha256, changed=result.changed))
    files = (RenderedFileOut("repair", report, "application/json"),)
    timings = {"repair_s": cleaned_at - begun, "print_s": time.perf_counter() - cleaned_at}
    _tell(progress, 1.0)
    return Repaired(Rendered(audio, files, digest, analysis, timings_s=timings), result.changed, result.reports)


def _whole(path: Path, called: str) -> tuple[Samples, int]:
    """Return a file's samples ``[channels, frames]`` and its rate."""
    blocks = []
    with open_audio(path, name=called) as reader:
        channels, frames = reader.format.channels, 0
        while (block := reader.read(BLOCK_FRAMES)).shape[1]:
            blocks.append(block)
            frames += block.shape[1]
            if frames * channels > SAMPLES_MAX:
                problem = (
                    f"{called} has more than {SAMPLES_MAX} samples ({frames} frames of {channels} channels so far)"
                )
                raise SourceError("REPAIR_TOO_LONG", problem, "repair it in parts")
        return np.concatenate(blocks, axis=1), reader.format.sample_rate_hz


def repair_json(reports: Sequence[RepairReport], *, source_sha256: str, changed: bool) -> dict[str, Any]:
    """Return a repair's report as JSON values, in the form `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "engine_version": dsp.ENGINE_VERSION,
        "source_sha256": source_sha256,
        "changed": changed,
        "tools": [
            {
                "tool": report.tool,
                "applied": report.applied,
                "reason": report.reason,
                "confidence": _number(report.finding.confidence),
                "evidence": {name: _number(value) for name, value in sorted(report.finding.evidence.items())},
                "repaired_spans": report.repaired_spans,
                "changed_samples": report.changed_frames,
                "removed_db": _number(report.removed_db),
                "spans": [
                    {
                        "channel": span.channel,
                        "start_frame": span.start_frame,
                        "length_frames": span.length_frames,
                        "strength": _number(span.strength),
                    }
                    for span in report.finding.spans[:SPANS_LISTED_MAX]
                ],
            }
            for report in reports
        ],
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    """Return progress that tells a part's share of the whole."""
    if progress is None:
        return None
    tell = progress
    return lambda share: tell(start + (end - start) * share)
