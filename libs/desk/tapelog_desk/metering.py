"""What meters read of a file, and no more: its parts are read and measured beside each other."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from tapelog_desk.analysis import Analysis, Analyzer, Progress
from tapelog_desk.files.readers import AudioReader, open_audio

PART_MIN_S: Final = 20
"""Seconds that are worth a thread of their own: each part begins a second early, for its filters to settle."""

THREADS_MAX: Final = 8
"""Parts at a time: more would wait for the disk."""

BLOCK_BYTES: Final = 2 * 1024 * 1024
"""Read at a time, to whole seconds: calls cost a twentieth of a millisecond a block, and there is nothing else."""


def measure_file(path: Path, *, name: str = "", progress: Progress | None = None, threads: int = 0) -> Analysis:
    """Decode a file whole and read its meters: as `analyze_file`, but no waveform, digest, noise floor or hum.

    Parameters
    ----------
    path : Path
        The file. A WAV file is measured in parts side by side; others are read from their start to their end.
    name : str
        How errors call it; by default its file name.
    progress : callable, optional
        Told the share that is done.
    threads : int
        0 for as many as this process may use. For every number the same peaks, and loudness within 1e-9 LU.

    Returns
    -------
    Analysis
        Its `audio` has the format only. NaN and infinite samples are counted, and measured as silence.

    Raises
    ------
    SourceError
        It cannot be read whole.
    """
    with open_audio(path, name=name, refuse_non_finite=False) as reader:
        audio, length_s = reader.format, reader.declared_frames // max(reader.format.sample_rate_hz, 1)
        able = reader.go_to(1) and reader.go_to(0)
        wanted = min(threads or len(os.sched_getaffinity(0)), THREADS_MAX, length_s // PART_MIN_S)
        count = max(wanted, 1) if able else 1
        starts = [part * length_s // count * audio.sample_rate_hz for part in range(count)]

        def told() -> None:
            # The parts are of one length: what the first has done, all have done, as far as anybody can see.
            if progress is not None:
                ends = reader.declared_frames if count == 1 else starts[1]
                progress(min(reader.frames_read / max(ends, reader.frames_read), 1.0))

        def part(start: int, stop: int | None) -> tuple[Analyzer, AudioReader]:
            if start == 0:
                return _measured(reader, 0, stop, told), reader
            with open_audio(path, name=name, refuse_non_finite=False) as own:
                return _measured(own, start, stop), own

        with ThreadPoolExecutor(count, "meter") as pool:
            parts = list(pool.map(part, starts, [*starts[1:], None]))
    whole = parts[0][0]
    for later, _ in parts[1:]:
        whole.join(later)
    analysis = whole.result(non_finite_samples=sum(one.non_finite_samples for _, one in parts))
    audio.length_frames = analysis.measurements.length_frames
    analysis.audio.format.CopyFrom(audio)
    return analysis


def _measured(reader: AudioReader, start: int, stop: int | None, told: Callable[[], None] = lambda: None) -> Analyzer:
    """Measure the frames from `start` to `stop`, or to the end, with the second before them for the filters."""
    rate_hz, channels = reader.format.sample_rate_hz, reader.format.channels
    before = None
    if start:
        reader.go_to(start - rate_hz)
        before = reader.read(rate_hz)
        reader.non_finite_samples = 0
    analyzer = Analyzer(reader.format, waveform=False, first_frame=start, before=before)
    most = max(BLOCK_BYTES // (max(reader.packed_bytes, 8) * channels) // rate_hz, 1) * rate_hz

    def wanted() -> int:
        return most if stop is None else min(stop - reader.frames_read, most)

    (_packed if reader.packed_bytes else _plain)(reader, analyzer, most, wanted, told)
    return analyzer


def _packed(
    reader: AudioReader, analyzer: Analyzer, most: int, wanted: Callable[[], int], told: Callable[[], None]
) -> None:
    """Measure whole numbers as they stand in the file."""
    frame_bytes = reader.packed_bytes * reader.format.channels
    memory = np.empty(most * frame_bytes, dtype=np.uint8)
    while (frames := wanted()) > 0:
        got = reader.read_packed(memory[: frames * frame_bytes])
        analyzer.add_packed(memory[: got * frame_bytes], reader.packed_bytes)
        told()
        if got < frames:
            break


def _plain(
    reader: AudioReader, analyzer: Analyzer, most: int, wanted: Callable[[], int], told: Callable[[], None]
) -> None:
    """Measure samples that have to be decoded and checked."""
    memory = np.empty((reader.format.channels, most))
    while (frames := wanted()) > 0:
        block = memory if frames == most else np.empty((reader.format.channels, frames))
        got = reader.read_into(block)
        if got:
            analyzer.add(block if got == frames else block[:, :got].copy())
            told()
        if got < frames:
            break
