"""Repair of a recorded file: what is damaged is proved, mended and reported; what is not comes out as it is."""

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.repair import RepairReport, Span, clean_store, silences
from tapelog_recipe import Violation

from tapelog_desk.analysis import Progress, write_json
from tapelog_desk.analyzing import analyze_file
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.files.readers import open_audio
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.printing import Printer, printing
from tapelog_desk.recording import FileStore
from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut

SCHEMA: Final = "tapelog.repair/1"
"""Name of the report's JSON form."""

OUTPUT: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)
"""A repaired take is 32-bit float: it is neither dithered nor clipped before it is mixed."""

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
    silences : tuple of Span
        Where all channels stay below -70 dBFS for half a second or more; told, and left as they are.
    """

    rendered: Rendered
    changed: bool
    reports: tuple[RepairReport, ...]
    silences: tuple[Span, ...]


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
        An existing folder, with room for up to four copies of the recording at 8 bytes a sample.
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
        As for every file that is read.
    RecipeRefusedError
        A tool is not known.
    OutputError
        A file cannot be written.
    """
    begun = time.perf_counter()
    before = analyze_file(path, name=called, progress=_part(progress, 0.0, 0.2))
    rate_hz, channels = before.audio.format.sample_rate_hz, before.audio.format.channels
    with closing(FileStore(out_dir, channels, before.audio.format.length_frames)) as store:
        _fill(store, path, called)
        quiet = silences(store, rate_hz)
        try:
            mended, reports = clean_store(store, rate_hz, tools or None)
        except dsp.ParameterError as error:
            raise RecipeRefusedError([Violation("tools", str(error))]) from error
        _tell(progress, 0.8)
        cleaned_at = time.perf_counter()
        changed = any(one.applied for one in reports)
        if changed:
            key = bytes.fromhex(digest)
            printer = Printer(
                [OUTPUT], [out_dir / f"{name}.wav"], sample_rate_hz=rate_hz, channels=channels, dither_key=key
            )
            with closing(mended), printing(printer):
                for start in range(0, mended.frames, BLOCK_FRAMES):
                    printer.write(mended.read(start, min(start + BLOCK_FRAMES, mended.frames)))
                audio, analysis = printer.finish()
        else:
            audio, analysis = (RenderedAudio(path, before.audio),), before
    report = out_dir / f"{name}.repair.json"
    write_json(report, repair_json(reports, source_sha256=before.audio.sha256, changed=changed, quiet=quiet))
    files = (RenderedFileOut("repair", report, "application/json"),)
    timings = {"repair_s": cleaned_at - begun, "print_s": time.perf_counter() - cleaned_at}
    _tell(progress, 1.0)
    return Repaired(Rendered(audio, files, digest, analysis, timings_s=timings), changed, reports, quiet)


def _fill(store: FileStore, path: Path, called: str) -> None:
    """Write a file's samples into a store."""
    with open_audio(path, name=called) as reader:
        while (block := reader.read(BLOCK_FRAMES)).shape[1]:
            store.write(reader.frames_read - block.shape[1], block)


def repair_json(
    reports: Sequence[RepairReport], *, source_sha256: str, changed: bool, quiet: Sequence[Span] = ()
) -> dict[str, Any]:
    """Return a repair's report as JSON values, in the form `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "engine_version": dsp.ENGINE_VERSION,
        "source_sha256": source_sha256,
        "changed": changed,
        "silences": [
            {"start_frame": span.start_frame, "length_frames": span.length_frames} for span in quiet[:SPANS_LISTED_MAX]
        ],
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
