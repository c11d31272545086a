"""The desk: audio files in, audio files out. Reading, measuring, mixing and mastering on top of the core."""

import tapelog_dsp  # noqa: F401  # before NumPy is loaded: it keeps BLAS to one thread

from tapelog_desk.analysis import SCHEMA, Analysis, Curve, Progress, analysis_json, analyze_file, write_json
from tapelog_desk.errors import DeskError, OutputError, RecipeRefusedError, SourceError, TargetError
from tapelog_desk.files.readers import AudioReader, open_audio
from tapelog_desk.mastering import render_master
from tapelog_desk.mixdown import mix_blocks, render_mix
from tapelog_desk.probe import probe_file
from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut, Verdict
from tapelog_desk.sources import Resolve, beside, pinned

__all__ = [
    "SCHEMA",
    "Analysis",
    "AudioReader",
    "Curve",
    "DeskError",
    "OutputError",
    "Progress",
    "RecipeRefusedError",
    "Rendered",
    "RenderedAudio",
    "RenderedFileOut",
    "Resolve",
    "SourceError",
    "TargetError",
    "Verdict",
    "analysis_json",
    "analyze_file",
    "beside",
    "mix_blocks",
    "open_audio",
    "pinned",
    "probe_file",
    "render_master",
    "render_mix",
    "write_json",
]
