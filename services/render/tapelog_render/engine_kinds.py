"""What the engine does for each kind of job: the desk's own functions, files in, files out."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import tapelog_dsp as dsp
from tapelog.common.v1.recipe_pb2 import RecipeSource
from tapelog.render.v1.resources_pb2 import RenderJob, RenderResult, Verification
from tapelog_desk import (
    Excerpt,
    Passage,
    Rendered,
    analysis_json,
    analyze_file,
    render_comp,
    render_master,
    render_mix,
    render_preview,
    render_repair,
    render_stems,
    write_json,
)
from tapelog_desk.album import SongIn, render_album, write_album_files
from tapelog_desk.checking import translation_of
from tapelog_desk.mastering import FADE_SHAPES
from tapelog_desk.nodes import NodeStore
from tapelog_desk.targets import aim
from tapelog_dsp import ENGINE_VERSION

from tapelog_render.application.asking import specs
from tapelog_render.application.asking.spec_checks import groups_of

Progress = Callable[[float], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What the engine is asked to do.

    Attributes
    ----------
    job : RenderJob
        Kind and spec.
    sources : mapping of str to Path
        The file of every asset, by SHA-256.
    out : Path
        An empty folder for results.
    nodes : NodeStore, optional
        Where signals inside mixes are kept.
    """

    job: RenderJob
    sources: Mapping[str, Path]
    out: Path
    nodes: NodeStore | None = None

    def resolve(self, source: RecipeSource) -> Path:
        """Return the file of a recipe's source."""
        return self.sources[source.asset_sha256]


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What was made.

    Attributes
    ----------
    result : RenderResult
        Without its further files.
    audio : list
        The file of each `result.audio`; None for one that is in the store already.
    files : list
        Role, path and media type of each further file.
    recipe_digest : str
        Of what was rendered.
    """

    result: RenderResult
    audio: list[str | None]
    files: list[tuple[str, str, str]]
    recipe_digest: str


def make(order: Order, progress: Progress) -> Outcome:
    """Make what a job asks for.

    Raises
    ------
    DeskError, RecipeError
        What is wrong, and what to do.
    """
    return _MAKERS[order.job.WhichOneof("spec") or ""](order, progress)


def _outcome(rendered: Rendered, **fields: Any) -> Outcome:
    result = RenderResult(
        audio=[audio.result for audio in rendered.audio],
        engine_version=rendered.engine_version,
        timings_s=rendered.timings_s,
        **fields,
    )
    files = [(file.role, str(file.path), file.media_type) for file in rendered.files]
    return Outcome(result, [str(audio.path) for audio in rendered.audio], files, rendered.recipe_digest)


def _analysis(order: Order, progress: Progress) -> Outcome:
    start_s = time.monotonic()
    digest = order.job.analysis.asset_sha256
    analysis = analyze_file(order.sources[digest], name="the asset", progress=progress)
    report = order.out / "analysis.json"
    write_json(report, analysis_json(analysis))
    timings_s = {"analyze": time.monotonic() - start_s}
    result = RenderResult(audio=[analysis.audio], engine_version=ENGINE_VERSION, timings_s=timings_s)
    return Outcome(result, [None], [("analysis", str(report), "application/json")], digest)


def _mix(order: Order, progress: Progress) -> Outcome:
    recipe, outputs = specs.mix_recipe_of(order.job), specs.outputs_of(order.job)
    return _outcome(render_mix(recipe, order.resolve, outputs, order.out, nodes=order.nodes, progress=progress))


def _master(order: Order, progress: Progress) -> Outcome:
    rendered = render_master(order.job.master.recipe, order.resolve, order.out, nodes=order.nodes, progress=progress)
    copy = rendered.audio[0]
    copy.result.translation.extend(translation_of(copy.path))
    return _outcome(rendered)


def _preview(order: Order, progress: Progress) -> Outcome:
    preview = order.job.preview
    is_mix = preview.HasField("mix")
    excerpt = Excerpt(
        preview.mix if is_mix else None,
        None if is_mix else order.sources[preview.asset_sha256],
        preview.range.start_frame,
        preview.range.end_frame,
        specs.target_lufs_of(order.job),
    )
    made = render_preview(
        excerpt, order.resolve, preview.outputs, order.out, digest=specs.digest_of(order.job), progress=progress
    )
    return _outcome(made.rendered, gain_db=made.gain_db)


def _repair(order: Order, progress: Progress) -> Outcome:
    repair = order.job.repair
    made = render_repair(
        order.sources[repair.asset_sha256],
        order.out,
        digest=specs.digest_of(order.job),
        tools=repair.tools,
        progress=progress,
    )
    outcome = _outcome(made.rendered, repaired=made.changed)
    return outcome if made.changed else dataclasses.replace(outcome, audio=[None])


def _stems(order: Order, progress: Progress) -> Outcome:
    stems = order.job.stems
    made = render_stems(
        stems.recipe,
        order.resolve,
        groups_of(order.job),
        order.out,
        digest=specs.digest_of(order.job),
        output=stems.output if stems.HasField("output") else None,
        progress=progress,
    )
    return _outcome(made.rendered, labels=made.labels)


def _comp(order: Order, progress: Progress) -> Outcome:
    passages = [
        Passage(order.sources[own.asset_sha256], own.range.start_frame, own.range.end_frame, own.crossfade_frames)
        for own in order.job.comp.passages
    ]
    return _outcome(render_comp(passages, order.out, digest=specs.digest_of(order.job), progress=progress))


def _album(order: Order, progress: Progress) -> Outcome:
    start_s = time.monotonic()
    asked = order.job.album
    songs = [
        SongIn(
            order.sources[song.asset_sha256],
            specs.gap_s_of(song),
            song.trim_db,
            dsp.Fade(song.fade.in_s, song.fade.out_s, FADE_SHAPES[song.fade.shape]),
            song.title or f"song {number}",
        )
        for number, song in enumerate(asked.songs, 1)
    ]
    album = render_album(
        songs,
        order.out,
        aim(asked.target),
        output=specs.album_output(order.job),
        mode="loudest" if asked.loudest_song_has_target else "album",
        sample_rate_hz=asked.sample_rate_hz or None,
        whole=asked.whole,
        progress=progress,
    )
    write_album_files(album, order.out)
    made = [*(song.audio for song in album.songs), *([album.whole] if album.whole is not None else [])]
    files = [("album", str(order.out / "album.json"), "application/json")]
    if album.whole is not None:
        files.append(("cue", str(order.out / "album.cue"), "application/x-cue"))
    result = RenderResult(
        audio=[audio.result for audio in made],
        labels=[*(song.title for song in album.songs), *([specs.WHOLE] if album.whole is not None else [])],
        engine_version=ENGINE_VERSION,
        timings_s={"album_s": time.monotonic() - start_s},
    )
    return Outcome(result, [str(audio.path) for audio in made], files, specs.digest_of(order.job))


def _verify(order: Order, progress: Progress) -> Outcome:
    """Render a job again; audio is kept only where it is not what it was."""
    asked = order.job.verify
    # Nothing that was kept may answer for what is to be proved.
    again = make(dataclasses.replace(order, job=asked.job, nodes=None), progress)
    digests = [audio.sample_digest for audio in again.result.audio]
    expected = list(asked.sample_digests)
    verification = Verification(
        job=asked.job.name, equal=digests == expected, expected_sample_digests=expected, sample_digests=digests
    )
    report = order.out / "verification.json"
    write_json(
        report,
        {
            "schema": "tapelog.verification/1",
            "job": asked.job.name,
            "engine_version": ENGINE_VERSION,
            "equal": verification.equal,
            "expected_sample_digests": expected,
            "sample_digests": digests,
        },
    )
    again.result.verification.CopyFrom(verification)
    audio: list[str | None] = [None for _ in again.audio] if verification.equal else again.audio
    return dataclasses.replace(again, audio=audio, files=[("verification", str(report), "application/json")])


_MAKERS: Final[Mapping[str, Callable[[Order, Progress], Outcome]]] = {
    "analysis": _analysis,
    "mix": _mix,
    "master": _master,
    "preview": _preview,
    "repair": _repair,
    "stems": _stems,
    "comp": _comp,
    "album": _album,
    "verify": _verify,
}
