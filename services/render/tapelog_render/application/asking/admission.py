"""Requests become jobs: everything is checked and digested here, once, and trusted afterwards."""

from collections.abc import Iterable
from typing import Final

from tapelog.render.v1.resources_pb2 import PriorityClass, RenderJob, UsageEntry
from tapelog_chassis.errors import FieldViolation, InvalidArgument
from tapelog_chassis.ids import ID_PATTERN

from tapelog_render.application.asking import specs
from tapelog_render.application.asking.spec_checks import check_spec
from tapelog_render.domain.usage import usage_key

KEY_CHARS_MAX: Final = 200
EXTERNAL_REF_CHARS_MAX: Final = 200
EXPECTED_FRAMES_MAX: Final = 4 * 3600 * 192_000
"""Four hours at the highest sample rate."""


def admit(wanted: RenderJob, *, engine_version: str, field: str = "job") -> RenderJob:
    """Return a job as it will be recorded, without a name: only what the caller decides, and its digests.

    Raises
    ------
    InvalidArgument
        With a violation for every wrong field.
    """
    violations = [*_reference(wanted, field), *check_spec(wanted, field)]
    if violations:
        raise InvalidArgument(
            "INVALID_RENDER_JOB",
            f"{len(violations)} field(s) of the render job are wrong, first {violations[0].field}: "
            f"{violations[0].description}",
            fields=violations,
        )
    digest = specs.digest_of(wanted)
    admitted = RenderJob(
        kind=wanted.kind,
        priority_class=wanted.priority_class or PriorityClass.PRIORITY_CLASS_STANDARD,
        reference=wanted.reference,
        recipe_digest=digest,
        render_digest=specs.render_digest_of(wanted, digest, engine_version),
        usage_account=wanted.reference.project,
        external_ref=wanted.external_ref,
        expected_length_frames=wanted.expected_length_frames,
    )
    if wanted.HasField("deadline_time"):
        admitted.deadline_time.CopyFrom(wanted.deadline_time)
    spec = specs.SPEC_OF[wanted.kind]
    getattr(admitted, spec).CopyFrom(getattr(wanted, spec))
    return admitted


def usage_entry_of(job_id: str, job: RenderJob) -> UsageEntry | None:
    """Return what a job reserves, or None for a kind that is not billed."""
    if job.kind not in specs.BILLED:
        return None
    reference = job.reference
    reserved_ms = specs.expected_ms(job)
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
