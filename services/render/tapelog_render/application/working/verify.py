"""Rendering a job again, to see whether it still gives the same samples."""

from typing import Final

from tapelog.render.v1.render_service_pb2 import VerifyRenderRequest
from tapelog.render.v1.resources_pb2 import JobState, PriorityClass, RenderJob, RenderKind, VerifySpec
from tapelog_chassis import ids
from tapelog_chassis.errors import FailedPrecondition

from tapelog_render.application.access import Caller
from tapelog_render.application.asking import specs
from tapelog_render.application.asking.room import Submission
from tapelog_render.application.asking.submit import submit
from tapelog_render.application.queries import Reader, load_job
from tapelog_render.domain.errors import word_of

KEY: Final = "verifications/"
"""How the reference key of a verification begins; the job's id follows."""


async def verify_render(
    submission: Submission, reader: Reader, caller: Caller, request: VerifyRenderRequest
) -> RenderJob:
    """Queue a repetition of a job, which costs nothing and is compared with its result.

    Raises
    ------
    FailedPrecondition
        It has no result, is a verification itself, or another engine version rendered it: never a silent fallback.
    NotFound, PermissionDenied, InvalidArgument, ResourceExhausted
    """
    ids.validate_request_id(request.request_id)
    key, versioned, grant = await load_job(reader, caller, request.name, tenant_roles=frozenset())
    job = versioned.state
    if job.state != JobState.JOB_STATE_SUCCEEDED or job.result is None:
        raise _refused("NO_RESULT", request.name, f"the job is {word_of(job.state)}; only a result can be verified")
    if job.asked.kind == RenderKind.RENDER_KIND_VERIFY:
        raise _refused("IS_VERIFICATION", request.name, "it is a verification; verify the job that it is about")
    if job.result.engine_version != submission.engine_version:
        raise _refused(
            "ENGINE_VERSION_GONE",
            request.name,
            f"it was rendered by {job.result.engine_version}, this server runs {submission.engine_version}; verify it "
            "where that version runs",
        )
    reference = type(job.asked.reference)()
    reference.CopyFrom(job.asked.reference)
    reference.key = f"{KEY}{key.job}"
    wanted = RenderJob(
        kind=RenderKind.RENDER_KIND_VERIFY,
        verify=VerifySpec(job=job.asked, sample_digests=[audio.sample_digest for audio in job.result.audio]),
        priority_class=PriorityClass.PRIORITY_CLASS_BULK,
        reference=reference,
        recipe_digest=job.asked.recipe_digest,
        render_digest=specs.render_digest_of(job.asked, job.asked.recipe_digest, submission.engine_version),
        usage_account=job.asked.usage_account,
        external_ref=job.asked.external_ref,
        expected_length_frames=job.asked.expected_length_frames,
    )
    job_id = ids.derive_id("job", caller.tenant, caller.party, caller.rpc, request.request_id)
    return await submit(
        submission, caller, grant, wanted, job_id=job_id, request_id=request.request_id,
        request_hash=ids.request_hash(request),
    )  # fmt: skip


def _refused(reason: str, name: str, text: str) -> FailedPrecondition:
    return FailedPrecondition(reason, f"{name} cannot be verified: {text}", violations=[(reason, name, text)])
