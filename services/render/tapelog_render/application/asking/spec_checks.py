"""Everything that can be wrong with what a job asks for, by kind; nothing is rendered to find it."""

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import tapelog_recipe
from tapelog.common.v1.recipe_pb2 import MasterRecipe, MixRecipe, OutputFormat, RecipeSource
from tapelog.render.v1.resources_pb2 import RenderJob, RenderKind
from tapelog_chassis.errors import FieldViolation
from tapelog_desk.album import GAP_MAX_S
from tapelog_desk.comping import Passage, check_passages
from tapelog_desk.excerpt import LENGTH_MAX_S, LENGTH_MIN_S
from tapelog_desk.stems import StemGroup, check_groups
from tapelog_dsp.master.album import SONGS_MAX
from tapelog_dsp.repair import TOOLS
from tapelog_recipe import RecipeError, Violation

from tapelog_render.application.asking import specs

PREVIEW_LUFS: Final = (-60.0, -5.0)
TRIM_DB: Final = (-12.0, 12.0)
TITLE_CHARS_MAX: Final = 200


def check_mix(recipe: MixRecipe, field: str) -> list[FieldViolation]:
    """Return everything wrong with a mix recipe."""
    return _fields(field, tapelog_recipe.validate_mix(recipe, services=True))


def check_master(recipe: MasterRecipe, field: str) -> list[FieldViolation]:
    """Return everything wrong with a master recipe."""
    return _fields(field, tapelog_recipe.validate_master(recipe, services=True))


def check_spec(job: RenderJob, field: str) -> list[FieldViolation]:
    """Return everything wrong with a job's kind and its spec."""
    spec = specs.SPEC_OF.get(job.kind)
    if spec is None or spec == "verify":
        known = ", ".join(RenderKind.Name(kind) for kind in specs.SPEC_OF if kind in _ASKED_FOR)
        why = "is made by VerifyRender; ask for" if spec else "is not one of"
        return [FieldViolation(f"{field}.kind", f"{job.kind} {why} {known}")]
    if job.WhichOneof("spec") != spec:
        given = job.WhichOneof("spec") or "none"
        return [FieldViolation(f"{field}.{spec}", f"must be set for kind {RenderKind.Name(job.kind)}; {given} is set")]
    return _CHECKS[str(spec)](job, f"{field}.{spec}")


def _analysis(job: RenderJob, field: str) -> list[FieldViolation]:
    return _asset(job.analysis.asset_sha256, field)


def _mix(job: RenderJob, field: str) -> list[FieldViolation]:
    found = [*check_mix(job.mix.recipe, f"{field}.recipe"), *_outputs(job.mix.outputs, field)]
    is_alternate = job.kind == RenderKind.RENDER_KIND_ALTERNATE
    if is_alternate != job.mix.HasField("alternate"):
        verb = "must be set for" if is_alternate else "belongs to RENDER_KIND_ALTERNATE, not to"
        found.append(FieldViolation(f"{field}.alternate", f"{verb} kind {RenderKind.Name(job.kind)}"))
    elif is_alternate and not found:
        try:
            specs.mix_recipe_of(job)
        except RecipeError as error:
            found.extend(_fields(f"{field}.alternate", error.violations))
    return found


def _master(job: RenderJob, field: str) -> list[FieldViolation]:
    return check_master(job.master.recipe, f"{field}.recipe")


def _preview(job: RenderJob, field: str) -> list[FieldViolation]:
    preview = job.preview
    found = _outputs(preview.outputs, field)
    rate_hz = 0
    match preview.WhichOneof("from"):
        case "mix":
            found += check_mix(preview.mix, f"{field}.mix")
            rate_hz = preview.mix.sample_rate_hz
        case "asset_sha256":
            found += _asset(preview.asset_sha256, field)
        case _:
            found.append(FieldViolation(field, "sets neither mix nor asset_sha256; set one of them"))
    start, end = preview.range.start_frame, preview.range.end_frame
    if not 0 <= start < end:
        text = f"[{start}, {end}) must begin at 0 or later and end after it begins"
        found.append(FieldViolation(f"{field}.range", text))
    elif rate_hz > 0 and not LENGTH_MIN_S <= (end - start) / rate_hz <= LENGTH_MAX_S:
        text = f"lasts {(end - start) / rate_hz:.3f} s, a preview lasts {LENGTH_MIN_S:g} to {LENGTH_MAX_S:g} s"
        found.append(FieldViolation(f"{field}.range", text))
    if preview.target_lufs != 0.0:
        found += _number(preview.target_lufs, PREVIEW_LUFS, "LUFS", f"{field}.target_lufs")
    return found


def _repair(job: RenderJob, field: str) -> list[FieldViolation]:
    found = _asset(job.repair.asset_sha256, field)
    for number, tool in enumerate(job.repair.tools):
        if tool not in TOOLS or tool in job.repair.tools[:number]:
            text = f"{tool[:64]!r} must be one of {', '.join(TOOLS)}, and named once"
            found.append(FieldViolation(f"{field}.tools[{number}]", text))
    return found[: len(TOOLS) + 1]


def _stems(job: RenderJob, field: str) -> list[FieldViolation]:
    stems = job.stems
    found = check_mix(stems.recipe, f"{field}.recipe")
    if stems.HasField("output"):
        found += _outputs([stems.output], field, name="output")
    return found or _fields(field, check_groups(stems.recipe, groups_of(job)))


def groups_of(job: RenderJob) -> list[StemGroup]:
    """Return the stems that a job asks for."""
    return [StemGroup(group.id, tuple(group.members)) for group in job.stems.groups]


def _comp(job: RenderJob, field: str) -> list[FieldViolation]:
    passages = job.comp.passages
    found = _fields(
        field,
        check_passages(
            [
                Passage(Path(own.asset_sha256[:64]), own.range.start_frame, own.range.end_frame, own.crossfade_frames)
                for own in passages
            ]
        ),
    )
    for number, passage in enumerate(passages):
        found += _asset(passage.asset_sha256, f"{field}.passages[{number}]")
    return found


def _album(job: RenderJob, field: str) -> list[FieldViolation]:
    album = job.album
    found = []
    if not 1 <= len(album.songs) <= SONGS_MAX:
        found.append(FieldViolation(f"{field}.songs", f"there are {len(album.songs)}, an album has 1 to {SONGS_MAX}"))
    whole = MasterRecipe(target=album.target, sample_rate_hz=album.sample_rate_hz)
    found += _but_source(whole, field)
    if album.HasField("output"):
        found += _outputs([album.output], field, name="output")
    for number, song in enumerate(album.songs[:SONGS_MAX]):
        place = f"{field}.songs[{number}]"
        found += _asset(song.asset_sha256, place)
        found += _number(specs.gap_s_of(song), (0.0, GAP_MAX_S), "s", f"{place}.gap_s")
        found += _number(song.trim_db, TRIM_DB, "dB", f"{place}.trim_db")
        if len(song.title) > TITLE_CHARS_MAX:
            text = f"has {len(song.title)} characters, the limit is {TITLE_CHARS_MAX}"
            found.append(FieldViolation(f"{place}.title", text))
        found += _but_source(MasterRecipe(target=album.target, fade=song.fade), place, only="fade")
    return found


def _but_source(recipe: MasterRecipe, field: str, *, only: str = "") -> list[FieldViolation]:
    """Check a part of an album by the rules that a master has, whatever its source."""
    recipe.source.CopyFrom(RecipeSource(asset_sha256="0" * 64))
    found = tapelog_recipe.validate_master(recipe, services=True)
    return _fields(field, [violation for violation in found if violation.path.startswith(only)])


def _asset(digest: str, field: str) -> list[FieldViolation]:
    if len(digest) == 64 and set(digest) <= set("0123456789abcdef"):
        return []
    return [FieldViolation(f"{field}.asset_sha256", f"{digest[:70]!r} must be 64 lower-case hexadecimal digits")]


def _number(value: float, bounds: tuple[float, float], unit: str, field: str) -> list[FieldViolation]:
    least, most = bounds
    if math.isfinite(value) and least <= value <= most:
        return []
    return [FieldViolation(field, f"{value:g} is outside {least:g} to {most:g} {unit}")]


def _outputs(outputs: Iterable[OutputFormat], field: str, *, name: str = "outputs") -> list[FieldViolation]:
    """Check files to make by the rules that a master's have."""
    found = tapelog_recipe.validate_master(MasterRecipe(outputs=outputs), services=True)
    wrong = [violation for violation in found if violation.path.startswith("outputs")]
    return _fields(field, [Violation(own.path.replace("outputs", name, 1), own.message) for own in wrong])


def _fields(prefix: str, violations: Iterable[Violation]) -> list[FieldViolation]:
    return [
        FieldViolation(f"{prefix}.{violation.path}" if violation.path else prefix, violation.message)
        for violation in violations
    ]


_CHECKS: Final[Mapping[str, Callable[[RenderJob, str], list[FieldViolation]]]] = {
    "analysis": _analysis,
    "mix": _mix,
    "master": _master,
    "preview": _preview,
    "repair": _repair,
    "stems": _stems,
    "comp": _comp,
    "album": _album,
}

_ASKED_FOR: Final = frozenset(specs.SPEC_OF) - {RenderKind.RENDER_KIND_VERIFY}
