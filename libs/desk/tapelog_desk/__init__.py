"""The desk: audio files in, audio files out. Reading, measuring, mixing and mastering on top of the core."""

from typing import TYPE_CHECKING

import tapelog_dsp  # noqa: F401  # before NumPy is loaded: it keeps BLAS to one thread
from tapelog_dsp.demand import on_demand

if TYPE_CHECKING:
    from tapelog_desk.analysis import SCHEMA, Analysis, Curve, Progress, analysis_json, write_json
    from tapelog_desk.analyzing import analyze_file
    from tapelog_desk.comping import Passage, render_comp
    from tapelog_desk.errors import DeskError, OutputError, RecipeRefusedError, SourceError, TargetError
    from tapelog_desk.excerpt import Excerpt, Previewed, render_preview
    from tapelog_desk.files.readers import AudioReader, open_audio
    from tapelog_desk.mastering import render_master
    from tapelog_desk.metering import measure_file
    from tapelog_desk.mixdown import mix_blocks, render_mix
    from tapelog_desk.probe import probe_file
    from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut, Verdict
    from tapelog_desk.repairing import Repaired, render_repair
    from tapelog_desk.sources import Resolve, beside, pinned
    from tapelog_desk.stems import StemGroup, Stems, render_stems


__getattr__ = on_demand(
    __name__,
    {
        "analysis": "SCHEMA Analysis Curve Progress analysis_json write_json",
        "analyzing": "analyze_file",
        "comping": "Passage render_comp",
        "errors": "DeskError OutputError RecipeRefusedError SourceError TargetError",
        "excerpt": "Excerpt Previewed render_preview",
        "files.readers": "AudioReader open_audio",
        "mastering": "render_master",
        "metering": "measure_file",
        "mixdown": "mix_blocks render_mix",
        "probe": "probe_file",
        "rendered": "Rendered RenderedAudio RenderedFileOut Verdict",
        "repairing": "Repaired render_repair",
        "sources": "Resolve beside pinned",
        "stems": "StemGroup Stems render_stems",
    },
)

__all__ = [
    "SCHEMA",
    "Analysis",
    "AudioReader",
    "Curve",
    "DeskError",
    "Excerpt",
    "OutputError",
    "Passage",
    "Previewed",
    "Progress",
    "RecipeRefusedError",
    "Rendered",
    "RenderedAudio",
    "RenderedFileOut",
    "Repaired",
    "Resolve",
    "SourceError",
    "StemGroup",
    "Stems",
    "TargetError",
    "Verdict",
    "analysis_json",
    "analyze_file",
    "beside",
    "measure_file",
    "mix_blocks",
    "open_audio",
    "pinned",
    "probe_file",
    "render_comp",
    "render_master",
    "render_mix",
    "render_preview",
    "render_repair",
    "render_stems",
    "write_json",
]
