"""Jobs from request to result, through a real broker, real workers and real audio."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from tapelog.common.v1.recipe_pb2 import Alternate, MixRecipe
from tapelog.render.v1.events_pb2 import UsageReleased, UsageReserved, UsageSettled
from tapelog.render.v1.render_service_pb2 import (
    BatchCreateRenderJobsRequest,
    CancelRenderJobRequest,
    GetBatchRequest,
    GetRenderJobRequest,
    ListRenderJobsRequest,
    ListUsageEntriesRequest,
    ValidateRecipeRequest,
    WatchRenderJobRequest,
)
from tapelog.render.v1.resources_pb2 import JobState, MixSpec, RenderJob, RenderKind, UsageState
from tapelog_chassis.auth import Kind
from tapelog_chassis.testing import eventually
from tapelog_client.errors import PermissionDenied, from_rpc_error
from tapelog_recipe import apply_alternate, recipe_digest

from .conftest import StudioFactory
from .material import (
    PROJECT,
    RATE_HZ,
    analysis_job,
    master_job,
    mix_job,
    mix_recipe,
    put_audio,
    reference,
    tone,
)
from .studio import Studio, running_studio, store_tones

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    """Run one studio for all tests of this file; each test has a song of its own."""
    async with running_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


async def test_a_mix_a_master_and_an_analysis_come_back_with_results(studio: Studio, song: str):
    """Each kind ends as SUCCEEDED, its audio lies in the store under its digest, and its usage is settled once."""
    assets = await store_tones(studio)
    recipe = mix_recipe(assets)
    analysis = await studio.create(analysis_job(assets[0]))
    mix = await studio.create(mix_job(recipe, frames=RATE_HZ, song=song))
    assert mix.state == JobState.JOB_STATE_QUEUED
    assert mix.recipe_digest == recipe_digest(recipe)

    mixed = await studio.ended(mix.name)
    (audio,) = mixed.result.audio
    stored = studio.objects.local_path(audio.sha256)
    assert stored is not None
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == audio.sha256
    assert audio.format.length_frames == round(1.5 * RATE_HZ)
    assert mixed.attempts == 1
    assert await studio.event_names(mix.name) == ["RenderRequested", "RenderStarted", "RenderSucceeded"]

    mastered = await studio.ended((await studio.create(master_job(audio.sha256, song=song))).name)
    assert mastered.state == JobState.JOB_STATE_SUCCEEDED
    assert abs(mastered.result.audio[0].measurements.integrated_lufs - -14.0) < 0.5

    analysed = await studio.ended(analysis.name)
    assert analysed.result.audio[0].sha256 == assets[0]
    assert analysed.result.audio[0].measurements.length_frames == RATE_HZ

    entries = await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})
    assert [(entry.kind, entry.quantity_ms) for entry in entries] == [
        (RenderKind.RENDER_KIND_MIX, 1500),
        (RenderKind.RENDER_KIND_MASTER, 1500),
    ]
    assert entries[0].reserved_ms == 1000
    assert await studio.queue_depth() == 0


async def test_a_repeated_request_is_one_job_and_a_changed_one_is_refused(studio: Studio, song: str):
    """The same request_id gives the same job and one event; with another body it is INVALID_ARGUMENT."""
    recipe = mix_recipe(await store_tones(studio))
    request_id = str(uuid.uuid4())
    first, second = await asyncio.gather(
        studio.create(mix_job(recipe, song=song), request_id=request_id),
        studio.create(mix_job(recipe, song=song), request_id=request_id),
    )
    assert first == second
    await studio.ended(first.name)
    assert await studio.create(mix_job(recipe, song=song), request_id=request_id) == first
    assert (await studio.event_names(first.name)).count("RenderRequested") == 1
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.create(mix_job(recipe, key="mixVersions/2", song=song), request_id=request_id)
    assert from_rpc_error(refusal.value).reason == "REQUEST_ID_REUSED"
    assert len(await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})) == 1


async def test_the_same_intent_under_another_request_is_rendered_but_billed_once(studio: Studio, song: str):
    """Two jobs of one song, cycle, kind and recipe give equal bytes and one settlement."""
    recipe = mix_recipe(await store_tones(studio))
    jobs = [await studio.create(mix_job(recipe, frames=RATE_HZ, song=song)) for _ in range(2)]
    assert jobs[0].name != jobs[1].name
    results = [await studio.ended(job.name) for job in jobs]
    assert results[0].result.audio[0].sha256 == results[1].result.audio[0].sha256
    await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED, UsageState.USAGE_STATE_RELEASED})
    events = await studio.usage_events(song)
    assert sum(isinstance(event, UsageSettled) for event in events) == 1
    # Whether the second job reserved before the first was settled is a race; the sums agree either way.
    reserved = sum(event.entry.reserved_ms for event in events if isinstance(event, UsageReserved))
    closed = sum(event.entry.reserved_ms for event in events if isinstance(event, UsageSettled | UsageReleased))
    assert reserved == closed


async def test_a_watch_shows_every_state_and_some_progress(studio: Studio, song: str):
    """From the first state seen none is left out, progress never falls within an attempt, and the stream ends."""
    job = await studio.create(mix_job(mix_recipe(8 * await store_tones(studio, 8, seconds=60.0))))
    seen = [
        update
        async for update in studio.stub.WatchRenderJob(WatchRenderJobRequest(name=job.name), metadata=studio.caller())
    ]
    states = list(dict.fromkeys(update.state for update in seen))
    life = [JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_SUCCEEDED]
    assert states == life[-len(states) :]
    assert JobState.JOB_STATE_RUNNING in states
    percents = [update.progress_percent for update in seen]
    assert percents == sorted(percents)
    assert any(0 < percent < 100 for percent in percents)


async def test_a_running_job_is_cancelled_within_a_second(studio: Studio, song: str):
    """The fact, the engine's end and the release of the usage follow a cancellation; the worker goes on."""
    assets = await store_tones(studio, 8, seconds=60.0)
    job = await studio.create(mix_job(mix_recipe(8 * assets), song=song))
    running = await studio.running(job.name)
    engine = studio.engine_of(running)
    cancelled = await studio.stub.CancelRenderJob(
        CancelRenderJobRequest(name=job.name, reason="wrong song", request_id=str(uuid.uuid4())),
        metadata=studio.caller(),
    )
    assert cancelled.state == JobState.JOB_STATE_CANCELLED
    await eventually(lambda: not engine.is_running(), within_s=1.0)
    assert (await studio.event_names(job.name))[-1] == "RenderCancelled"
    (entry,) = await studio.usage(song, states={UsageState.USAGE_STATE_RELEASED})
    assert entry.quantity_ms == 0
    again = await studio.ended((await studio.create(analysis_job(assets[0]))).name)
    assert again.state == JobState.JOB_STATE_SUCCEEDED
    assert await studio.queue_depth() == 0


async def test_a_queued_job_is_cancelled_and_never_starts(open_studio: StudioFactory):
    """Without a worker the job waits; cancelled, it leaves the queue, and cannot be cancelled again."""
    async with open_studio(spawn_workers=False) as studio:
        job = await studio.create(mix_job(mix_recipe(await store_tones(studio))))
        assert await studio.queue_depth() == 1
        request = CancelRenderJobRequest(name=job.name, request_id=str(uuid.uuid4()), etag=job.etag)
        cancelled = await studio.stub.CancelRenderJob(request, metadata=studio.caller())
        assert cancelled.error.message == "cancelled by svc-session"
        assert await studio.queue_depth() == 0
        assert await studio.stub.CancelRenderJob(request, metadata=studio.caller()) == cancelled
        request.request_id = str(uuid.uuid4())
        request.etag = ""
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.stub.CancelRenderJob(request, metadata=studio.caller())
        assert refusal.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert from_rpc_error(refusal.value).reason == "JOB_ENDED"


async def test_a_batch_of_alternates_renders_as_one_and_a_repeat_adds_nothing(studio: Studio, song: str):
    """Three alternates succeed under one batch; the same request gives the same batch, not six jobs."""
    recipe = mix_recipe(await store_tones(studio, 3))
    alternates = [Alternate(id="instrumental", mute=["vocal"]), Alternate(id="a-cappella", solo=["vocal"])]
    jobs = [
        RenderJob(
            kind=RenderKind.RENDER_KIND_ALTERNATE,
            mix=MixSpec(recipe=recipe, alternate=alternate),
            reference=reference(f"mixVersions/1/alternates/{alternate.id}", song=song),
        )
        for alternate in alternates
    ]
    request = BatchCreateRenderJobsRequest(jobs=jobs, reference=reference(), request_id=str(uuid.uuid4()))
    batch = await studio.stub.BatchCreateRenderJobs(request, metadata=studio.caller())
    assert [job.recipe_digest for job in batch.jobs] == [
        recipe_digest(apply_alternate(recipe, alternate)) for alternate in alternates
    ]
    ended = [await studio.ended(job.name) for job in batch.jobs]
    assert len({job.result.audio[0].sample_digest for job in ended}) == 2
    repeated = await studio.stub.BatchCreateRenderJobs(request, metadata=studio.caller())
    assert [job.name for job in repeated.jobs] == [job.name for job in batch.jobs]
    whole = await studio.stub.GetBatch(GetBatchRequest(name=batch.name), metadata=studio.caller())
    assert (whole.done, whole.failed) == (2, 0)
    listed = await studio.stub.ListRenderJobs(ListRenderJobsRequest(project=PROJECT), metadata=studio.caller())
    ours = [job.name for job in listed.jobs if job.reference.song == song]
    assert sorted(ours) == sorted(job.name for job in batch.jobs)


async def test_a_batch_with_one_wrong_job_records_nothing(studio: Studio, song: str):
    """All or nothing: the wrong field is named, no job of the batch exists."""
    recipe = mix_recipe(await store_tones(studio))
    wrong = mix_job(MixRecipe(sample_rate_hz=RATE_HZ), song=song)
    request = BatchCreateRenderJobsRequest(jobs=[mix_job(recipe, song=song), wrong], request_id=str(uuid.uuid4()))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.stub.BatchCreateRenderJobs(request, metadata=studio.caller())
    fields = [field for field, _ in from_rpc_error(refusal.value).fields]
    assert all(field.startswith("jobs[1].mix.recipe") for field in fields)
    listed = await studio.stub.ListRenderJobs(ListRenderJobsRequest(), metadata=studio.caller())
    assert [job.name for job in listed.jobs if job.reference.song == song] == []
    assert await studio.usage_events(song) == []


async def test_wrong_input_fails_at_once_and_is_not_billed(studio: Studio, song: str):
    """A source that is no audio, and one that is missing, fail in the first attempt with their reason."""
    garbage = studio.folder / "garbage.wav"
    garbage.write_bytes(b"this is not audio" * 100)
    asset = (await studio.objects.put_file(garbage)).sha256
    for wanted, reason in (
        (analysis_job(asset), "SOURCE_"),
        (mix_job(mix_recipe(["ab" * 32]), song=song), "SOURCE_MISSING"),
    ):
        job = await studio.ended((await studio.create(wanted)).name)
        assert job.state == JobState.JOB_STATE_FAILED
        assert job.attempts == 1
        failed = (await studio.event_names(job.name))[-2:]
        assert failed == ["RenderAttemptFailed", "RenderFailed"]
        assert reason in str(job.error.details[0])
    entries = await studio.usage(song, states={UsageState.USAGE_STATE_RELEASED})
    assert [entry.quantity_ms for entry in entries] == [0]


async def test_people_need_a_role_and_tenants_see_nothing_of_each_other(studio: Studio, song: str):
    """The mixing engineer may render; a stranger is denied; another tenant finds no such job; an auditor reads."""
    sources = await store_tones(studio)
    studio.uploaded.update(sources)
    wanted = mix_job(mix_recipe(sources), key="sketch", song=song)
    engineer = studio.caller("pty-mix", kind="person")
    job = await studio.create(wanted, metadata=engineer)
    (requested, *_) = await studio.events(job.name)
    assert (requested.metadata.actor, requested.metadata.role_used) == ("pty-mix", "MIXING_ENGINEER")
    assert requested.metadata.membership_sequence == 7
    read = GetRenderJobRequest(name=job.name)
    for caller, code in (
        (studio.caller("pty-stranger", kind="person"), grpc.StatusCode.PERMISSION_DENIED),
        (studio.caller("pty-mix", kind="person", tenant="other"), grpc.StatusCode.NOT_FOUND),
        (None, grpc.StatusCode.UNAUTHENTICATED),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.stub.GetRenderJob(read, metadata=caller)
        assert refusal.value.code() == code
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.create(wanted, metadata=studio.caller("pty-stranger", kind="person"))
    assert from_rpc_error(refusal.value).reason == "ROLE_MISSING"
    auditor = studio.caller("pty-audit", kind="person", roles=["AUDITOR"])
    assert (await studio.stub.GetRenderJob(read, metadata=auditor)).name == job.name
    billing = studio.caller("pty-bill", kind="person", roles=["BILLING_READER"])
    usage = await studio.stub.ListUsageEntries(ListUsageEntriesRequest(account=PROJECT), metadata=billing)
    assert [entry.job for entry in usage.entries if entry.song == song] == [job.name.removeprefix("renderJobs/")]
    nothing = await studio.stub.ListRenderJobs(
        ListRenderJobsRequest(), metadata=studio.caller("pty-stranger", kind="person")
    )
    assert list(nothing.jobs) == []


@pytest.mark.parametrize(
    ("party", "kind", "acts_for"), [("pty-mix", "person", ""), ("pty-tool", "integration", "pty-mix")]
)
async def test_nobody_passes_a_render_off_as_one_of_the_songs_own(
    studio: Studio, song: str, party: str, kind: Kind, acts_for: str
):
    """Keys of takes and versions are the session service's: alone or in a batch, nothing is recorded for others."""
    recipe = mix_recipe(await store_tones(studio))
    engineer = studio.caller(party, kind=kind, acts_for=acts_for)
    own = mix_job(recipe, key="sketch", song=song)
    for key in ("takes/tk-1", "mixVersions/1", "mixVersions/1/alternates/tv", "masterVersions/2"):
        forged = mix_job(recipe, key=key, song=song)
        batches = [
            ("jobs[1].reference.key", BatchCreateRenderJobsRequest(jobs=[own, forged])),
            ("reference.key", BatchCreateRenderJobsRequest(jobs=[own], reference=forged.reference)),
        ]
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.create(forged, metadata=engineer)
        refusals = [("job.reference.key", refusal.value)]
        for field, batch in batches:
            batch.request_id = str(uuid.uuid4())
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await studio.stub.BatchCreateRenderJobs(batch, metadata=engineer)
            refusals.append((field, refusal.value))
        for field, rpc_error in refusals:
            error = from_rpc_error(rpc_error)
            assert (type(error), error.reason) == (PermissionDenied, "RESERVED_REFERENCE_KEY")
            assert (error.metadata["field"], error.metadata["key"]) == (field, key)
    listed = await studio.stub.ListRenderJobs(ListRenderJobsRequest(project=PROJECT), metadata=studio.caller())
    assert [job.name for job in listed.jobs if job.reference.song == song] == []


async def test_lists_come_in_pages_newest_first(open_studio: StudioFactory):
    """Three jobs in pages of two; a page token belongs to its query."""
    async with open_studio(spawn_workers=False) as studio:
        asset = (await store_tones(studio, 1))[0]
        names = [(await studio.create(analysis_job(asset))).name for _ in range(3)]
        request = ListRenderJobsRequest(page_size=2)

        async def listed() -> list[str]:
            first = await studio.stub.ListRenderJobs(request, metadata=studio.caller())
            if not first.next_page_token:
                return []
            follow = ListRenderJobsRequest(page_size=2, page_token=first.next_page_token)
            second = await studio.stub.ListRenderJobs(follow, metadata=studio.caller())
            return [job.name for job in (*first.jobs, *second.jobs)]

        async def is_complete() -> bool:
            return await listed() == names[::-1]

        await eventually(is_complete)
        page = await studio.stub.ListRenderJobs(request, metadata=studio.caller())
        with pytest.raises(grpc.aio.AioRpcError):
            await studio.stub.ListRenderJobs(
                ListRenderJobsRequest(project="prj-x", page_token=page.next_page_token), metadata=studio.caller()
            )


async def test_a_full_queue_refuses_with_a_time_to_come_back(open_studio: StudioFactory):
    """Beyond the depth limit a job is RESOURCE_EXHAUSTED with RetryInfo, and nothing is recorded."""
    async with open_studio(spawn_workers=False, queue_depth_max=2) as studio:
        asset = (await store_tones(studio, 1))[0]
        request_id = str(uuid.uuid4())
        first = await studio.create(analysis_job(asset), request_id=request_id)
        await studio.create(analysis_job(asset))
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.create(analysis_job(asset))
        error = from_rpc_error(refusal.value)
        assert error.reason == "QUEUE_FULL"
        assert error.retry_after_s == 5.0
        assert await studio.create(analysis_job(asset), request_id=request_id) == first
        assert await studio.queue_depth() == 2


async def test_a_recipe_is_checked_without_rendering(open_studio: StudioFactory):
    """A valid recipe gives its digest; a wrong one lists every wrong field with its path."""
    async with open_studio(spawn_workers=False) as studio:
        recipe = mix_recipe(["ab" * 32])
        answer = await studio.stub.ValidateRecipe(ValidateRecipeRequest(mix=recipe), metadata=studio.caller())
        assert answer.recipe_digest == recipe_digest(recipe)
        recipe.tracks[0].pan = 3.0
        recipe.tracks[0].gain_db = 99.0
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.stub.ValidateRecipe(ValidateRecipeRequest(mix=recipe), metadata=studio.caller())
        fields = {field for field, _ in from_rpc_error(refusal.value).fields}
        assert fields == {"mix.tracks[track-0].pan", "mix.tracks[track-0].gain_db"}


async def test_a_source_that_decayed_on_disk_makes_no_result(studio: Studio):
    """A bit of a stored take flips: the job ends as SOURCE_CORRUPT, and no audio of it is stored or billed."""
    asset = await put_audio(studio.objects, studio.folder, tone(1.0, 311.0))
    path = studio.objects.local_path(asset)
    assert path is not None
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    before = [found async for found in studio.objects.stored()]
    ended = await studio.ended((await studio.create(mix_job(mix_recipe([asset]), song="sng-decayed"))).name)
    assert ended.state == JobState.JOB_STATE_FAILED
    assert "SOURCE_CORRUPT" in str(ended.error.details[0])
    assert len([found async for found in studio.objects.stored()]) == len(before)
    await studio.usage("sng-decayed", states={UsageState.USAGE_STATE_RELEASED})
