"""What each kind of job reads, makes and is digested by; every spec is taken as checked."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

import tapelog_recipe
from google.protobuf.message import Message
from tapelog.common.v1.recipe_pb2 import Container, MixRecipe, OutputFormat
from tapelog.render.v1.resources_pb2 import AlbumSong, RenderJob, RenderKind, RenderResult
from tapelog_desk.excerpt import DEFAULT_LUFS

from tapelog_render.domain.usage import milliseconds

SPEC_OF: Final[Mapping[RenderKind.ValueType, str]] = {
    RenderKind.RENDER_KIND_ANALYSIS: "analysis",
    RenderKind.RENDER_KIND_MIX: "mix",
    RenderKind.RENDER_KIND_ALTERNATE: "mix",
    RenderKind.RENDER_KIND_MASTER: "master",
    RenderKind.RENDER_KIND_PREVIEW: "preview",
    RenderKind.RENDER_KIND_REPAIR: "repair",
    RenderKind.RENDER_KIND_STEMS: "stems",
    RenderKind.RENDER_KIND_COMP: "comp",
    RenderKind.RENDER_KIND_ALBUM: "album",
    RenderKind.RENDER_KIND_VERIFY: "verify",
}
"""The spec that a job of a kind has."""

BILLED: Final = frozenset(
    {
        RenderKind.RENDER_KIND_MIX,
        RenderKind.RENDER_KIND_MASTER,
        RenderKind.RENDER_KIND_ALTERNATE,
        RenderKind.RENDER_KIND_PREVIEW,
        RenderKind.RENDER_KIND_REPAIR,
        RenderKind.RENDER_KIND_STEMS,
        RenderKind.RENDER_KIND_ALBUM,
    }
)
"""Analyses, comps and verifications are work of our own accord and cost nothing."""

NOT_KEPT: Final = frozenset(
    {RenderKind.RENDER_KIND_ANALYSIS, RenderKind.RENDER_KIND_PREVIEW, RenderKind.RENDER_KIND_VERIFY}
)
"""What makes no audio that stays."""

GAP_S: Final = 2.0
"""Silence before a song of an album that says nothing about it."""

WHOLE: Final = "album"
"""Label of the album as one file."""


def digest_of(job: RenderJob) -> str:
    """Return the creative digest of a valid job: free of engine and output format; an analysis' is the asset's own."""
    match job.WhichOneof("spec"):
        case "mix":
            return tapelog_recipe.recipe_digest(mix_recipe_of(job))
        case "master":
            return tapelog_recipe.recipe_digest(job.master.recipe)
        case "analysis":
            return job.analysis.asset_sha256
        case "verify":
            return digest_of(job.verify.job)
    spec = _spec_of(job)
    creative = type(spec)()
    creative.CopyFrom(spec)
    for field in ("output", "outputs"):
        if field in creative.DESCRIPTOR.fields_by_name:
            creative.ClearField(field)
    return hashlib.sha256(tapelog_recipe.canonical_bytes(creative)).hexdigest()


def render_digest_of(job: RenderJob, recipe_digest: str, engine_version: str) -> str:
    """Return the digest of recipe, engine and output format."""
    return tapelog_recipe.render_digest(recipe_digest, engine_version, outputs_of(job))


def mix_recipe_of(job: RenderJob) -> MixRecipe:
    """Return the recipe that a MIX or ALTERNATE job mixes; raises `RecipeError` for an alternate that does not fit."""
    if job.mix.HasField("alternate"):
        return tapelog_recipe.apply_alternate(job.mix.recipe, job.mix.alternate)
    return job.mix.recipe


def outputs_of(job: RenderJob) -> list[OutputFormat]:
    """Return the files a job makes; a mix without outputs is one 32-bit float WAV."""
    match job.WhichOneof("spec"):
        case "mix":
            return list(job.mix.outputs) or [OutputFormat(container=Container.CONTAINER_WAV, bit_depth=32)]
        case "master":
            return list(job.master.recipe.outputs)
        case "preview":
            return list(job.preview.outputs)
        case "stems":
            return [job.stems.output]
        case "album":
            return [album_output(job)]
        case "verify":
            return outputs_of(job.verify.job)
    return []


def album_output(job: RenderJob) -> OutputFormat:
    """Return the format of an album's files."""
    if job.album.HasField("output"):
        return job.album.output
    return OutputFormat(container=Container.CONTAINER_WAV, bit_depth=24)


def assets_of(job: RenderJob) -> list[str]:
    """Return the SHA-256 of every asset a job reads, each once, in order: whatever field of its spec names it."""
    return list(dict.fromkeys(_assets_in(_spec_of(job))))


def _assets_in(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.name == "asset_sha256":
            yield value
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                yield from _assets_in(part)


def recipe_in(job: RenderJob) -> MixRecipe | None:
    """Return the mix recipe that a job is about, if it is about one."""
    match job.WhichOneof("spec"):
        case "mix":
            return job.mix.recipe
        case "stems":
            return job.stems.recipe
        case "preview" if job.preview.HasField("mix"):
            return job.preview.mix
        case "verify":
            return recipe_in(job.verify.job)
    return None


def expected_ms(job: RenderJob) -> int:
    """Return how long the audio of a job is expected to be, in milliseconds; 0 for not known."""
    recipe = recipe_in(job)
    rate_hz = recipe.sample_rate_hz if recipe is not None else 0
    match job.WhichOneof("spec"):
        case "verify":
            return expected_ms(job.verify.job)
        case "preview":
            return milliseconds(job.preview.range.end_frame - job.preview.range.start_frame, rate_hz)
        case "master":
            rate_hz = job.master.recipe.sample_rate_hz
        case "album":
            rate_hz = job.album.sample_rate_hz
    return milliseconds(job.expected_length_frames, rate_hz)


def made_ms(result: RenderResult, kind: RenderKind.ValueType) -> int:
    """Return the length of what was made, in milliseconds: of the first file, or of all songs of an album."""
    made = list(result.audio[:1])
    if kind == RenderKind.RENDER_KIND_ALBUM:
        made = [audio for audio, label in zip(result.audio, result.labels, strict=True) if label != WHOLE]
    return sum(milliseconds(audio.format.length_frames, audio.format.sample_rate_hz) for audio in made)


def target_lufs_of(job: RenderJob) -> float:
    """Return the loudness of a preview."""
    return job.preview.target_lufs or DEFAULT_LUFS


def gap_s_of(song: AlbumSong) -> float:
    """Return the silence before a song."""
    return song.gap_s if song.HasField("gap_s") else GAP_S


def _spec_of(job: RenderJob) -> Message:
    spec: Message = getattr(job, job.WhichOneof("spec") or "")
    return spec
