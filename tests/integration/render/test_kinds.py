"""Previews, repairs, stems, comps, albums and verifications, through a real broker, real workers and real audio."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from tapelog.common.v1.audio_pb2 import FrameRange
from tapelog.common.v1.recipe_pb2 import MasterTarget, OutputFormat
from tapelog.render.v1.events_pb2 import RenderMismatchFound
from tapelog.render.v1.render_service_pb2 import (
    BatchCreateRenderJobsRequest,
    CreateRenderJobRequest,
    VerifyRenderRequest,
    WatchRenderJobRequest,
)
from tapelog.render.v1.resources_pb2 import (
    AlbumSong,
    AlbumSpec,
    CompPassage,
    CompSpec,
    JobState,
    PreviewSpec,
    RenderJob,
    RenderKind,
    RenderResult,
    RepairSpec,
    StemGroup,
    StemsSpec,
    UsageState,
)
from tapelog_chassis.event_log import Metadata
from tapelog_client.errors import from_rpc_error
from tapelog_render import collect
from tapelog_render.application.events import REGISTRY, job_aggregate, job_repository
from tapelog_render.application.garbage import GRACE, PREVIEWS_KEPT
from tapelog_render.domain import job as jobs

from .conftest import StudioFactory
from .material import RATE_HZ, analysis_job, mix_job, mix_recipe, put_audio, reference, tone
from .studio import TENANT, Studio, running_studio, store_tones

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    """Run one studio for all tests of this file; each test has a song of its own."""
    async with running_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


async def done(studio: Studio, job: RenderJob) -> RenderJob:
    """Render a job and return it as it succeeded."""
    ended = await studio.ended((await studio.create(job)).name)
    assert ended.state == JobState.JOB_STATE_SUCCEEDED, ended.error
    return ended


def samples(studio: Studio, sha256: str) -> np.ndarray:
    """Return an object's samples, `[frames, channels]`."""
    path = studio.objects.local_path(sha256)
    assert path is not None
    return soundfile.read(path, always_2d=True)[0]


async def test_previews_of_two_mixes_are_equally_loud_and_counted_apart(studio: Studio, song: str):
    """Two mixes 8 dB apart give previews within 0.1 LU; each is settled as a preview of its own length."""
    sources = await store_tones(studio, seconds=2.0)
    made = []
    for gain_db in (-6.0, -14.0):
        spec = PreviewSpec(mix=mix_recipe(sources, gain_db=gain_db), target_lufs=-24.0)
        spec.range.CopyFrom(FrameRange(start_frame=24_000, end_frame=72_000))
        job = RenderJob(kind=RenderKind.RENDER_KIND_PREVIEW, preview=spec, reference=reference("a-b", song=song))
        made.append((await done(studio, job)).result)
    loudness = [result.audio[0].measurements.integrated_lufs for result in made]
    assert abs(loudness[0] - loudness[1]) < 0.1
    assert abs(loudness[0] + 24.0) < 0.1
    assert made[1].gain_db - made[0].gain_db > 2.0
    assert made[0].audio[0].format.length_frames == 48_000
    entries = await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})
    assert [(entry.kind, entry.quantity_ms, entry.reserved_ms) for entry in entries] == [
        (RenderKind.RENDER_KIND_PREVIEW, 1000, 1000)
    ] * 2


async def test_stems_of_a_job_sum_to_its_mix(studio: Studio, song: str):
    """The stems' files add up to the mix's; each is named; the report lies beside them."""
    recipe = mix_recipe(await store_tones(studio, 3))
    groups = [StemGroup(id="vocal", members=["vocal"]), StemGroup(id="band", members=["band"])]
    stems = RenderJob(
        kind=RenderKind.RENDER_KIND_STEMS,
        stems=StemsSpec(recipe=recipe, groups=groups),
        reference=reference("stems", song=song),
        expected_length_frames=RATE_HZ,
    )
    mix = mix_job(recipe, song=song)
    del mix.mix.outputs[:]
    split, whole = await asyncio.gather(done(studio, stems), done(studio, mix))
    assert list(split.result.labels) == ["vocal", "band", "shared"]
    total = sum(samples(studio, audio.sha256) for audio in split.result.audio)
    assert np.abs(total - samples(studio, whole.result.audio[0].sha256)).max() < 2.0**-22
    report = studio.objects.local_path(split.result.files[0].sha256)
    assert report is not None
    assert json.loads(report.read_text())["schema"] == "tapelog.stems/1"


async def test_a_comp_is_the_takes_own_frames(studio: Studio, song: str):
    """Two takes cut at a frame give exactly their samples, and nothing is billed."""
    one, two = await store_tones(studio)
    passages = [
        CompPassage(asset_sha256=one, range=FrameRange(start_frame=0, end_frame=20_001)),
        CompPassage(asset_sha256=two, range=FrameRange(start_frame=20_001, end_frame=48_000)),
    ]
    job = RenderJob(
        kind=RenderKind.RENDER_KIND_COMP, comp=CompSpec(passages=passages), reference=reference("comp", song=song)
    )
    made = samples(studio, (await done(studio, job)).result.audio[0].sha256)
    assert np.array_equal(made[:20_001], samples(studio, one)[:20_001])
    assert np.array_equal(made[20_001:], samples(studio, two)[20_001:])
    assert await studio.usage_events(song) == []


async def test_a_repair_of_a_sound_take_is_the_take(studio: Studio, song: str):
    """Nothing is wrong with it: the result is the asset itself, with a report."""
    (asset,) = await store_tones(studio, 1)
    job = RenderJob(
        kind=RenderKind.RENDER_KIND_REPAIR,
        repair=RepairSpec(asset_sha256=asset, tools=["dc", "dropout"]),
        reference=reference("repair", song=song),
    )
    result = (await done(studio, job)).result
    assert (result.repaired, result.audio[0].sha256) == (False, asset)
    assert [file.role for file in result.files] == ["repair"]


async def test_a_repair_gives_a_new_asset(studio: Studio, song: str):
    """A take with an offset loses it; the result is another file in the store."""
    asset = await put_audio(studio.objects, studio.folder, tone(2.0, 220.0) + np.float32(0.05))
    job = RenderJob(
        kind=RenderKind.RENDER_KIND_REPAIR,
        repair=RepairSpec(asset_sha256=asset, tools=["dc"]),
        reference=reference("repair", song=song),
    )
    result = (await done(studio, job)).result
    assert result.repaired
    assert abs(samples(studio, result.audio[0].sha256).mean()) < 0.005


async def test_an_album_keeps_the_songs_relative_loudness(studio: Studio, song: str):
    """Two songs 6 dB apart stay 6 dB apart; the whole has both and the gap; usage is the songs' length together."""
    loud = tone(3.0, 330.0, channels=2, seed=5)
    sources = [await put_audio(studio.objects, studio.folder, gain * loud) for gain in (1.0, 0.5)]
    album = AlbumSpec(
        songs=[AlbumSong(asset_sha256=sha256, title=f"Song {n}", gap_s=1.0) for n, sha256 in enumerate(sources, 1)],
        target=MasterTarget(integrated_lufs=-18.0, ceiling_dbtp=-1.0),
        whole=True,
    )
    job = RenderJob(kind=RenderKind.RENDER_KIND_ALBUM, album=album, reference=reference("album", song=song))
    result = (await done(studio, job)).result
    assert list(result.labels) == ["Song 1", "Song 2", "album"]
    first, second, whole = (audio.measurements.integrated_lufs for audio in result.audio)
    assert abs((first - second) - 6.02) < 0.1
    assert abs(whole + 18.0) < 0.5
    assert result.audio[2].format.length_frames == 7 * RATE_HZ
    assert [file.role for file in result.files] == ["album", "cue"]
    (entry,) = await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})
    assert (entry.kind, entry.quantity_ms) == (RenderKind.RENDER_KIND_ALBUM, 6000)


async def test_a_verified_render_is_the_same(studio: Studio, song: str):
    """A mix rendered again has the same samples, costs nothing, and leaves no mismatch."""
    mixed = await done(studio, mix_job(mix_recipe(await store_tones(studio)), song=song))
    request = VerifyRenderRequest(name=mixed.name, request_id=str(uuid.uuid4()))
    queued = await studio.stub.VerifyRender(request, metadata=studio.caller())
    verified = await studio.ended(queued.name)
    assert verified.result.verification.equal
    assert verified.result.verification.job == mixed.name
    assert verified.result.audio[0].sha256 == mixed.result.audio[0].sha256
    assert "RenderMismatchFound" not in await studio.event_names(verified.name)
    assert len(await studio.usage(song, states={UsageState.USAGE_STATE_SETTLED})) == 1
    assert (await studio.stub.VerifyRender(request, metadata=studio.caller())).name == queued.name
    again = VerifyRenderRequest(name=verified.name, request_id=str(uuid.uuid4()))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.stub.VerifyRender(again, metadata=studio.caller())
    assert from_rpc_error(refusal.value).reason == "IS_VERIFICATION"


async def test_a_render_that_is_not_what_it_was_raises_an_event(studio: Studio, song: str):
    """A result with other samples in the log is found out: the event names both digests, and the new file is kept."""
    (asset,) = await store_tones(studio, 1)
    job = mix_job(mix_recipe([asset]), song=song)
    mixed = await done(studio, job)
    # The same job again, by hand, with a result that claims other samples: what a faulty engine would have recorded.
    repository, forged = job_repository(studio.log()), f"job-{uuid.uuid4().hex[:16]}"
    asked = RenderJob()
    asked.CopyFrom(mixed)
    for field in ("result", "state", "etag", "attempts", "worker", "create_time", "end_time", "estimate"):
        asked.ClearField(field)
    asked.name = f"renderJobs/{forged}"
    result = RenderResult()
    result.CopyFrom(mixed.result)
    result.audio[0].sample_digest = "00" * 32
    metadata = Metadata(actor="svc-render", project=asked.reference.project, song=song, correlation_id="cor-forged")
    aggregate = job_aggregate(TENANT, forged)
    for decide in (
        lambda _: jobs.request(jobs.Job(), asked),
        lambda state: jobs.start(state, worker="wrk-1", engine_version=result.engine_version),
        lambda state: jobs.succeed(state, fence=state.fence, result=result),
    ):
        await repository.execute(
            aggregate, decide, request_id=str(uuid.uuid4()), request_hash="forged", metadata=metadata
        )
    request = VerifyRenderRequest(name=asked.name, request_id=str(uuid.uuid4()))
    verified = await studio.ended((await studio.stub.VerifyRender(request, metadata=studio.caller())).name)
    assert not verified.result.verification.equal
    events = [REGISTRY.decode(event) for event in await studio.events(verified.name)]
    (mismatch,) = [event for event in events if isinstance(event, RenderMismatchFound)]
    assert list(mismatch.verification.expected_sample_digests) == ["00" * 32]
    assert list(mismatch.verification.sample_digests) == [mixed.result.audio[0].sample_digest]
    assert mismatch.verification.job == asked.name
    assert (await studio.event_names(verified.name))[-1] == "RenderSucceeded"


async def test_validate_only_checks_and_estimates_and_spends_nothing(studio: Studio, song: str):
    """Digest, milliseconds, seconds and limits come back; no job, no reservation, no queue; faults are named."""
    job = mix_job(mix_recipe(await store_tones(studio)), frames=60 * RATE_HZ, song=song)
    answer = await studio.stub.CreateRenderJob(
        CreateRenderJobRequest(job=job, validate_only=True), metadata=studio.caller()
    )
    assert (answer.name, answer.estimate.quantity_ms) == ("", 60_000)
    assert 0.1 < answer.estimate.render_seconds < 10.0
    assert answer.estimate.memory_limit_bytes > 2**28
    assert answer.estimate.time_limit_seconds >= 60.0
    batch = await studio.stub.BatchCreateRenderJobs(
        BatchCreateRenderJobsRequest(jobs=[job, job], validate_only=True), metadata=studio.caller()
    )
    assert (batch.name, [own.recipe_digest for own in batch.jobs]) == ("", [answer.recipe_digest] * 2)
    assert await studio.usage_events(song) == []
    job.mix.recipe.tracks[0].pan = 7.0
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.stub.CreateRenderJob(CreateRenderJobRequest(job=job, validate_only=True), metadata=studio.caller())
    assert from_rpc_error(refusal.value).fields[0][0] == "job.mix.recipe.tracks[track-0].pan"


async def test_a_job_that_waits_beyond_its_deadline_fails_and_is_released(open_studio: StudioFactory):
    """Without a worker the job ends as FAILED with its reason, leaves the queue, and its usage is released."""
    async with open_studio(spawn_workers=False) as studio:
        job = mix_job(mix_recipe(await store_tones(studio)), frames=RATE_HZ)
        job.deadline_time.FromMilliseconds(round((time.time() + 1.5) * 1000))
        ended = await studio.ended((await studio.create(job)).name, within_s=20.0)
        assert ended.state == JobState.JOB_STATE_FAILED
        assert "DEADLINE_EXCEEDED" in str(ended.error.details[0])
        assert ended.attempts == 0
        await studio.usage(job.reference.song, states={UsageState.USAGE_STATE_RELEASED})
        assert await studio.queue_depth() == 0
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.create(job)
        assert from_rpc_error(refusal.value).fields[0][0] == "job.deadline_time"


async def test_a_person_names_only_what_is_their_projects(studio: Studio, song: str):
    """Foreign songs and sources are refused with each named; uploads and own renders are taken."""
    mine, other = await store_tones(studio)
    person = studio.caller("pty-mix", kind="person")
    studio.uploaded.add(mine)
    job = mix_job(mix_recipe([mine, other]), key="sketch", song="sng-foreign")
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await studio.create(job, metadata=person)
    refused = from_rpc_error(refusal.value)
    assert refused.reason == "NOT_OF_THIS_PROJECT"
    assert [field for field, _ in refused.fields] == ["job.reference.song", "job"]
    assert other in refused.fields[1][1]
    assert mine not in str(refused.fields)
    analysis = analysis_job(other)
    analysis.reference.key = "mine"
    with pytest.raises(grpc.aio.AioRpcError):
        await studio.create(analysis, metadata=person)
    made = await studio.ended(
        (await studio.create(mix_job(mix_recipe([mine]), key="a", song=song), metadata=person)).name
    )
    preview = PreviewSpec(asset_sha256=made.result.audio[0].sha256, outputs=[OutputFormat(bit_depth=16)])
    preview.range.CopyFrom(FrameRange(start_frame=0, end_frame=RATE_HZ))
    again = RenderJob(kind=RenderKind.RENDER_KIND_PREVIEW, preview=preview, reference=reference("b", song=song))
    assert (await studio.create(again, metadata=person)).state == JobState.JOB_STATE_QUEUED


async def test_a_full_quota_refuses_what_would_be_kept(open_studio: StudioFactory):
    """With no room for results a mix is refused and nothing recorded; previews are taken."""
    async with open_studio(spawn_workers=False, tenant_quota_gib=0) as studio:
        sources = await store_tones(studio, 1)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await studio.create(mix_job(mix_recipe(sources)))
        assert from_rpc_error(refusal.value).reason == "STORAGE_QUOTA"
        preview = PreviewSpec(asset_sha256=sources[0], range=FrameRange(end_frame=RATE_HZ))
        job = RenderJob(kind=RenderKind.RENDER_KIND_PREVIEW, preview=preview, reference=reference("p"))
        assert (await studio.create(job)).state == JobState.JOB_STATE_QUEUED


async def test_a_revision_uses_what_its_host_has_rendered_and_proves_the_same(studio: Studio, song: str):
    """A mix leaves sums on the host; a revision that used them verifies equal without them."""
    recipe = mix_recipe(await store_tones(studio, 6, seconds=1.25))
    for track in recipe.tracks:
        track.ClearField("sends")
        track.output_bus = "band"
    recipe.buses.add(id="band")
    folder = studio.folder / "nodes"
    before = _sums(folder)
    await done(studio, mix_job(recipe, song=song))
    (kept,) = _sums(folder) - before
    used_ns = kept.stat().st_mtime_ns
    recipe.mix_gain_db = -3.0
    revised = await done(studio, mix_job(recipe, key="mixVersions/2", song=song))
    assert kept.stat().st_mtime_ns > used_ns
    request = VerifyRenderRequest(name=revised.name, request_id=str(uuid.uuid4()))
    verified = await studio.ended((await studio.stub.VerifyRender(request, metadata=studio.caller())).name)
    assert verified.result.verification.equal


def _sums(folder: Path) -> set[Path]:
    """Return the kept sums; beside them lies what they are made of, with a dot in its name."""
    return {path for path in folder.iterdir() if "." not in path.name} if folder.exists() else set()


async def test_the_collector_reads_the_logs_of_a_real_broker(studio: Studio, song: str):
    """With the administrator's credentials every log can be read, and what is named is not garbage."""
    await done(studio, mix_job(mix_recipe(await store_tones(studio, 1)), song=song))
    creds = studio.folder / "admin.creds"
    creds.write_text(studio.broker.creds("admin"))
    settings = studio.settings.model_copy(update={"nats_creds": creds})
    report = await collect.run(settings, grace=GRACE, previews_kept=PREVIEWS_KEPT, delete=False)
    assert report.objects > 2
    assert (report.garbage, report.removed) == ([], 0)
    assert "a dry run" in collect.report_text(report, delete=False)


async def test_a_watch_tells_the_stage_and_what_each_has_taken(studio: Studio, song: str):
    """While it renders, the stage and the seconds of the stages before are told; the result has all three."""
    job = await studio.create(mix_job(mix_recipe(8 * await store_tones(studio, 6, seconds=20.0)), song=song))
    seen = [
        update
        async for update in studio.stub.WatchRenderJob(WatchRenderJobRequest(name=job.name), metadata=studio.caller())
    ]
    rendering = [update for update in seen if update.stage == "render" and update.progress_percent > 0]
    assert rendering
    assert list(rendering[0].stage_seconds) == ["fetch"]
    assert {"worker.fetch", "worker.render", "worker.store"} <= set(seen[-1].result.timings_s)
