"""Batches in part, and renders that need not be made again."""

import uuid

import grpc
import pytest
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import JobState, UsageState

from .conftest import StudioFactory
from .material import mix_job, mix_recipe, put_audio, tone


async def test_a_part_of_a_batch_renders_where_that_is_allowed(open_studio: StudioFactory):
    """Wrong jobs are listed with their place and reason, the others render; a repetition is the same batch."""
    async with open_studio() as studio:
        asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
        jobs = [mix_job(mix_recipe([asset]), key=f"mixVersions/{n}") for n in range(3)]
        jobs[1].mix.recipe.tracks[0].gain_db = 99.0
        wanted = BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4()), allow_partial=True)
        batch = await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller())
        assert [refusal.index for refusal in batch.refused] == [1]
        assert "99" in str(batch.refused[0].error)
        assert len(batch.jobs) == 2
        for job in batch.jobs:
            assert (await studio.ended(job.name)).state == JobState.JOB_STATE_SUCCEEDED
        again = await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller())
        assert [job.name for job in again.jobs] == [job.name for job in batch.jobs]
        jobs[0].mix.recipe.tracks[0].gain_db = jobs[2].mix.recipe.tracks[0].gain_db = 99.0
        wanted = BatchCreateRenderJobsRequest(jobs=jobs, request_id=str(uuid.uuid4()), allow_partial=True)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller())
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_what_has_a_result_is_not_rendered_again(open_studio: StudioFactory):
    """The same recipe for another version is served by the first result, billed as its own; a lost file is remade."""
    async with open_studio(reuse_results=True) as studio:
        asset = await put_audio(studio.objects, studio.folder, tone(0.5, 440.0))
        first = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-a"))).name)
        assert first.result.reused_from == ""
        second = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-b"))).name)
        assert second.result.reused_from == first.name
        assert "worker.render" not in second.result.timings_s
        assert [a.sha256 for a in second.result.audio] == [a.sha256 for a in first.result.audio]
        assert len(await studio.usage("sng-b", states={UsageState.USAGE_STATE_SETTLED})) == 1
        stored = studio.objects.local_path(first.result.audio[0].sha256)
        assert stored is not None
        stored.unlink()
        third = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-c"))).name)
        assert third.result.reused_from == ""
        assert third.result.audio[0].sha256 == first.result.audio[0].sha256
        other = await studio.ended((await studio.create(mix_job(mix_recipe([asset], gain_db=-7), song="sng-d"))).name)
        assert other.result.reused_from == ""
