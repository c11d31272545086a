"""A comp: passages of takes put together into one recording, to the frame, with crossfades between them."""

import dataclasses
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import Violation

from tapelog_desk.analysis import Progress
from tapelog_desk.errors import RecipeRefusedError, SourceError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.readers import AudioReader
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mixdown import open_source
from tapelog_desk.printing import Printer, printing
from tapelog_desk.rendered import Rendered

OUTPUT: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)
"""A comp is 32-bit float, which holds every sample of a 24-bit take as it is."""

PASSAGES_MAX: Final = 512
"""Passages of one comp: a vocal cut by the word."""

TAKES_MAX: Final = 128
"""Takes of one comp: all of them are read side by side."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a take, at its own place.

    Attributes
    ----------
    path : Path
        The take.
    start_frame, end_frame : int
        Where in the take and in the comp, which begin together.
    crossfade_frames : int
        Over so many of its own first frames it fades in, while the take before sounds on and fades out.
    """

    path: Path
    start_frame: int
    end_frame: int
    crossfade_frames: int = 0


def check_passages(passages: Sequence[Passage]) -> list[Violation]:
    """Return what is wrong with the order and the lengths of passages."""
    found = []
    if not 1 <= len(passages) <= PASSAGES_MAX:
        found.append(Violation("passages", f"there are {len(passages)}, a comp has 1 to {PASSAGES_MAX}"))
    takes = len({passage.path for passage in passages})
    if takes > TAKES_MAX:
        found.append(Violation("passages", f"they are of {takes} recordings, the limit is {TAKES_MAX}"))
    end = None
    for number, passage in enumerate(passages[:PASSAGES_MAX]):
        place = f"passages[{number}]"
        if not 0 <= passage.start_frame < passage.end_frame:
            text = f"[{passage.start_frame}, {passage.end_frame}) must begin at 0 or later and end after it begins"
            found.append(Violation(f"{place}.range", text))
        if end is not None and passage.start_frame != end:
            text = f"begins at {passage.start_frame}, the passage before ends at {end}"
            found.append(Violation(f"{place}.range", text))
        longest = passage.end_frame - passage.start_frame if end is not None else 0
        if not 0 <= passage.crossfade_frames <= max(longest, 0):
            text = f"{passage.crossfade_frames} frames are outside 0 to {max(longest, 0)}"
            found.append(Violation(f"{place}.crossfade_frames", text))
        end = passage.end_frame
    return found


def render_comp(
    passages: Sequence[Passage],
    out_dir: Path,
    *,
    digest: str,
    name: str = "comp",
    progress: Progress | None = None,
) -> Rendered:
    """Put passages together into one 32-bit float WAV that begins where the takes begin.

    Outside the crossfades every sample is the take's own. A crossfade has equal power: the gains are the square roots
    of u and 1 - u at the middle of each frame, which no library's approximation touches.

    Parameters
    ----------
    passages : sequence of Passage
        In order, each beginning where the one before ends.
    out_dir : Path
        An existing folder.
    digest : str
        64 hex digits that name the comp.
    name : str
        Name of the file without extension.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    RecipeRefusedError
        Passages overlap, leave gaps, or fade for longer than they last.
    SourceError
        ``SOURCE_RATES_DIFFER``; ``RANGE_OUTSIDE``: a take ends before its passage; and as for every file that is read.
    OutputError
        The file cannot be written.
    """
    violations = check_passages(passages)
    if violations:
        raise RecipeRefusedError(violations)
    begun = time.perf_counter()
    passages = _joined(passages)
    with ExitStack() as stack:
        paths = list(dict.fromkeys(passage.path for passage in passages))
        readers = [stack.enter_context(open_source(path, f"take {number + 1}")) for number, path in enumerate(paths)]
        rate_hz, channels = _shape(readers, passages, paths)
        printer = Printer(
            [OUTPUT], [out_dir / f"{name}.wav"], sample_rate_hz=rate_hz, channels=channels,
            dither_key=bytes.fromhex(digest),
        )  # fmt: skip
        length = passages[-1].end_frame
        with printing(printer):
            for start in range(0, length, BLOCK_FRAMES):
                stop = min(start + BLOCK_FRAMES, length)
                printer.write(_block(passages, dict(zip(paths, readers, strict=True)), channels, start, stop))
                if progress is not None:
                    progress(stop / length)
            audio, analysis = printer.finish()
    return Rendered(audio, (), digest, analysis, timings_s={"comp_s": time.perf_counter() - begun})


def _joined(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages without crossfades of a take into itself: it goes on as it was played."""
    before = [None, *(passage.path for passage in passages)]
    return [
        dataclasses.replace(passage, crossfade_frames=0) if passage.path == path else passage
        for path, passage in zip(before, passages, strict=False)
    ]


def _shape(readers: Sequence[AudioReader], passages: Sequence[Passage], paths: Sequence[Path]) -> tuple[int, int]:
    rates = sorted({reader.format.sample_rate_hz for reader in readers})
    if len(rates) > 1:
        problem = f"the takes have the sample rates {', '.join(map(str, rates))} Hz"
        raise SourceError("SOURCE_RATES_DIFFER", problem, "convert them to one rate: frames mean different times")
    ends = {path: max(p.end_frame for p in passages if p.path == path) for path in paths}
    for number, (path, reader) in enumerate(zip(paths, readers, strict=True), 1):
        if reader.declared_frames < ends[path]:
            problem = f"take {number} has {reader.declared_frames} frames, its passage ends at {ends[path]}"
            raise SourceError("RANGE_OUTSIDE", problem, "choose an earlier range")
    return rates[0], max(reader.format.channels for reader in readers)


def _block(
    passages: Sequence[Passage], readers: dict[Path, AudioReader], channels: int, start: int, stop: int
) -> Samples:
    """Return one block of the comp; every take is read along, so that all stay at the same place."""
    frames = stop - start
    blocks = {}
    for path, reader in readers.items():
        block = np.zeros((channels, frames))
        read = reader.read(frames)
        block[:, : read.shape[1]] = read
        blocks[path] = block
    out = np.zeros((channels, frames))
    for number, passage in enumerate(passages):
        following = passages[number + 1] if number + 1 < len(passages) else None
        sounds_until = passage.end_frame + (following.crossfade_frames if following is not None else 0)
        first, last = max(passage.start_frame, start), min(sounds_until, stop)
        if last <= first:
            continue
        part = blocks[passage.path][:, first - start : last - start]
        out[:, first - start : last - start] += part * _gains(passage, following, first, last)
    return out


def _gains(passage: Passage, following: Passage | None, first: int, last: int) -> Samples:
    """Return a passage's gain at each frame of [first, last) of the comp."""
    frames = np.arange(first, last)
    gains = np.ones(last - first)
    if passage.crossfade_frames:
        into = (frames - passage.start_frame + 0.5) / passage.crossfade_frames
        gains = np.where(into < 1.0, np.sqrt(np.clip(into, 0.0, 1.0)), gains)
    if following is not None and following.crossfade_frames:
        out_of = (frames - following.start_frame + 0.5) / following.crossfade_frames
        gains = np.where(out_of > 0.0, gains * np.sqrt(np.clip(1.0 - out_of, 0.0, 1.0)), gains)
    return gains
