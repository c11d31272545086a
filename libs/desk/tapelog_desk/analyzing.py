"""A file analysed whole: its meters, waveform and digests, and what only a take that arrives is asked for."""

from pathlib import Path
from typing import Final

import numpy as np
from tapelog.common.v1 import audio_pb2 as pb

from tapelog_desk.analysis import Analysis, Analyzer, Progress
from tapelog_desk.arrival import ArrivalMeter
from tapelog_desk.files.flac import FlacCheck
from tapelog_desk.files.identity import identified
from tapelog_desk.files.pcm import SampleDigest
from tapelog_desk.files.readers import open_audio
from tapelog_desk.limits import BLOCK_FRAMES

_MEDIA_TYPES: Final = {"wav": "audio/wav", "w64": "audio/x-w64", "aiff": "audio/aiff", "flac": "audio/flac",
                       "ogg": "audio/ogg", "mp3": "audio/mpeg"}  # fmt: skip


def analyze_file(path: Path, *, name: str = "", progress: Progress | None = None) -> Analysis:
    """Decode a file whole and measure it.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        How errors call it; by default its file name.
    progress : callable, optional
        Told the share that is done.

    Returns
    -------
    Analysis
        With `audio` filled: digests, size, the format as decoded. NaN and infinite samples are counted, and measured
        as silence.

    Raises
    ------
    SourceError
        It cannot be read whole.
    """
    with (
        open_audio(path, name=name, refuse_non_finite=False) as reader,
        identified(path, reader.plain_bytes()) as identity,
    ):
        audio = reader.format
        analyzer, arrival = Analyzer(audio), ArrivalMeter(audio)
        coded = None if reader.plain_bytes() else SampleDigest(audio.bit_depth, is_float=audio.is_float)
        check = FlacCheck(path, name or path.name) if audio.container == "flac" else None
        memory = np.empty((audio.channels, BLOCK_FRAMES))
        while got := reader.read_into(memory):
            block = memory if got == BLOCK_FRAMES else memory[:, :got].copy()
            analyzer.add(block)
            arrival.add(block)
            packed = coded.add(block) if coded is not None else b""
            if check is not None:
                check.add(packed)
            if progress is not None:
                progress(min(reader.frames_read / max(reader.declared_frames, reader.frames_read), 1.0))
        if check is not None:
            check.finish()
        analysis = analyzer.result(non_finite_samples=reader.non_finite_samples)
        arrival.result(analysis.measurements)
        audio.length_frames = reader.frames_read
        sha256, sample_digest = identity.result()
    analysis.audio.CopyFrom(
        pb.AudioResult(
            sha256=sha256,
            sample_digest=coded.hexdigest() if coded is not None else sample_digest,
            size_bytes=path.stat().st_size,
            media_type=_MEDIA_TYPES[audio.container],
            format=audio,
            measurements=analysis.measurements,
        )
    )
    return analysis
