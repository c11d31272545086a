"""Requests become jobs: everything is checked and digested here, once, and trusted afterwards."""

from collections.abc import Iterable, Mapping
from typing import Final

import tapelog_recipe
from tapelog.common.v1.recipe_pb2 import Container, MasterRecipe, MixRecipe, OutputFormat
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderJob, RenderKind, UsageEntry
from tapelog_chassis.errors import FieldViolation, InvalidArgument
from tapelog_chassis.ids import ID_PATTERN
from tapelog_recipe import RecipeError, Violation

from tapelog_render.domain.usage import milliseconds, usage_key

KEY_CHARS_MAX: Final = 200
EXTERNAL_REF_CHARS_MAX: Final = 200
EXPECTED_FRAMES_MAX: Final = 4 * 3600 * 192_000
"""Four hours at the highest sample rate."""

_SPEC_OF: Final[Mapping[RenderKind.ValueType, str]] = {
    RenderKind.RENDER_KIND_ANALYSIS: "analysis",
    RenderKind.RENDER_KIND_MIX: "mix",
    RenderKind.RENDER_KIND_ALTERNATE: "mix",
    RenderKind.RENDER_KIND_MASTER: "master",
}
BILLED: Final = frozenset({RenderKind.RENDER_KIND_MIX, RenderKind.RENDER_KIND_MASTER, RenderKind.RENDER_KIND_ALTERNATE})
"""Analyses are arrival checks of our own and cost nothing."""


def admit(wanted: RenderJob, *, engine_version: str, field: str = "job") -> RenderJob:
    """Return a job as it will be recorded, without a name: only what the caller decides, and its digests.

    Raises
    ------
    InvalidArgument
        With a violation for every wrong field.
    """
    violations = [*_reference(wanted, field), *_spec(wanted, field)]
    if violations:
        raise InvalidArgument(
            "INVALID_RENDER_JOB",
            f"{len(violations)} field(s) of the render job are wrong, first {violations[0].field}: "
            f"{violations[0].description}",
            fields=violations,
        )
    digest = digest_of(wanted)
    admitted = RenderJob(
        kind=wanted.kind,
        priority_class=wanted.priority_class or PriorityClass.PRIORITY_CLASS_STANDARD,
        reference=wanted.reference,
        recipe_digest=digest,
        render_digest=render_digest_of(wanted, digest, engine_version),
        usage_account=wanted.reference.project,
        external_ref=wanted.external_ref,
        expected_length_frames=wanted.expected_length_frames,
    )
    spec = _SPEC_OF[wanted.kind]
    getattr(admitted, spec).CopyFrom(getattr(wanted, spec))
    return admitted


def digest_of(job: RenderJob) -> str:
    """Return the creative digest of a valid job; the asset's own digest for an analysis."""
    match job.WhichOneof("spec"):
        case "mix":
            return tapelog_recipe.recipe_digest(mix_recipe_of(job))
        case "master":
            return tapelog_recipe.recipe_digest(job.master.recipe)
    return job.analysis.asset_sha256


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
    return []


def assets_of(job: RenderJob) -> list[str]:
    """Return the SHA-256 of every asset a job reads, each once, in order."""
    match job.WhichOneof("spec"):
        case "mix":
            sources = [track.source.asset_sha256 for track in job.mix.recipe.tracks]
        case "master":
            sources = [job.master.recipe.source.asset_sha256]
        case _:
            sources = [job.analysis.asset_sha256]
    return list(dict.fromkeys(sources))


def usage_entry_of(job_id: str, job: RenderJob) -> UsageEntry | None:
    """Return what a job reserves, or None for a kind that is not billed."""
    if job.kind not in BILLED:
        return None
    reference = job.reference
    rate_hz = job.master.recipe.sample_rate_hz or 0 if job.HasField("master") else job.mix.recipe.sample_rate_hz
    reserved_ms = milliseconds(job.expected_length_frames, rate_hz)
    key = usage_key(
        account=job.usage_account,
        song=reference.song,
        recipe_digest=job.recipe_digest,
        kind=job.kind,
        cycle=reference.cycle,
    )
    return UsageEntry(
        usage_key=key,
        account=job.usage_account,
        song=reference.song,
        kind=job.kind,
        quantity_ms=reserved_ms,
        reserved_ms=reserved_ms,
        recipe_digest=job.recipe_digest,
        job=job_id,
        external_ref=job.external_ref,
        cycle=reference.cycle,
        priority_class=job.priority_class or PriorityClass.PRIORITY_CLASS_STANDARD,
    )


def check_mix(recipe: MixRecipe, field: str) -> list[FieldViolation]:
    """Return everything wrong with a mix recipe."""
    return _fields(field, tapelog_recipe.validate_mix(recipe, services=True))


def check_master(recipe: MasterRecipe, field: str) -> list[FieldViolation]:
    """Return everything wrong with a master recipe."""
    return _fields(field, tapelog_recipe.validate_master(recipe, services=True))


def _reference(job: RenderJob, field: str) -> Iterable[FieldViolation]:
    reference = job.reference
    for name in ("project", "song"):
        value = getattr(reference, name)
        if (value or name == "project") and ID_PATTERN.fullmatch(value) is None:
            yield FieldViolation(
                f"{field}.reference.{name}",
                f"{value[:64]!r} must begin with a letter and have at most 32 of a-z, 0-9 and hyphen",
            )
    if len(reference.key) > KEY_CHARS_MAX:
        yield FieldViolation(
            f"{field}.reference.key", f"has {len(reference.key)} characters, the limit is {KEY_CHARS_MAX}"
        )
    if reference.cycle < 0:
        yield FieldViolation(f"{field}.reference.cycle", f"{reference.cycle} is negative; cycles count from 1")
    if job.usage_account not in ("", reference.project):
        yield FieldViolation(
            f"{field}.usage_account",
            f"{job.usage_account[:64]!r} must be the project id {reference.project!r}, or empty",
        )
    if len(job.external_ref) > EXTERNAL_REF_CHARS_MAX:
        yield FieldViolation(
            f"{field}.external_ref", f"has {len(job.external_ref)} characters, the limit is {EXTERNAL_REF_CHARS_MAX}"
        )
    if not 0 <= job.expected_length_frames <= EXPECTED_FRAMES_MAX:
        yield FieldViolation(
            f"{field}.expected_length_frames",
            f"{job.expected_length_frames} is outside 0 (unknown) to {EXPECTED_FRAMES_MAX}",
        )
    if job.priority_class not in PriorityClass.values():
        yield FieldViolation(f"{field}.priority_class", f"{job.priority_class} is not a class this server knows")


def _spec(job: RenderJob, field: str) -> Iterable[FieldViolation]:
    spec = _SPEC_OF.get(job.kind)
    if spec is None:
        known = ", ".join(RenderKind.Name(kind) for kind in _SPEC_OF)
        return [FieldViolation(f"{field}.kind", f"{job.kind} is not one of {known}")]
    if job.WhichOneof("spec") != spec:
        given = job.WhichOneof("spec") or "none"
        return [FieldViolation(f"{field}.{spec}", f"must be set for kind {RenderKind.Name(job.kind)}; {given} is set")]
    match spec:
        case "analysis":
            return _analysis(job, f"{field}.analysis")
        case "mix":
            return _mix(job, f"{field}.mix")
    return check_master(job.master.recipe, f"{field}.master.recipe")


def _analysis(job: RenderJob, field: str) -> list[FieldViolation]:
    digest = job.analysis.asset_sha256
    if len(digest) == 64 and set(digest) <= set("0123456789abcdef"):
        return []
    return [FieldViolation(f"{field}.asset_sha256", f"{digest[:70]!r} must be 64 lower-case hexadecimal digits")]


def _mix(job: RenderJob, field: str) -> list[FieldViolation]:
    found = [*check_mix(job.mix.recipe, f"{field}.recipe"), *_outputs(job.mix.outputs, field)]
    is_alternate = job.kind == RenderKind.RENDER_KIND_ALTERNATE
    if is_alternate != job.mix.HasField("alternate"):
        verb = "must be set for" if is_alternate else "belongs to RENDER_KIND_ALTERNATE, not to"
        found.append(FieldViolation(f"{field}.alternate", f"{verb} kind {RenderKind.Name(job.kind)}"))
    elif is_alternate and not found:
        try:
            mix_recipe_of(job)
        except RecipeError as error:
            found.extend(_fields(f"{field}.alternate", error.violations))
    return found


def _outputs(outputs: Iterable[OutputFormat], field: str) -> list[FieldViolation]:
    """Check files to make by the rules that a master's have."""
    found = tapelog_recipe.validate_master(MasterRecipe(outputs=outputs), services=True)
    return _fields(field, [violation for violation in found if violation.path.startswith("outputs")])


def _fields(prefix: str, violations: Iterable[Violation]) -> list[FieldViolation]:
    return [
        FieldViolation(f"{prefix}.{violation.path}" if violation.path else prefix, violation.message)
        for violation in violations
    ]
