"""The process managers: asking for renders over real gRPC, recording how they end from the real public stream."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1 import render_service_pb2 as render_wire
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.render.v1.render_service_pb2_grpc import add_RenderServiceServicer_to_server
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.auth import TokenVerifier, services
from tapelog_chassis.errors import InvalidArgument, PermissionDenied, Unavailable
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.rpc.grpc_options import ServerConfig
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_chassis.rpc.request_context import current_principal
from tapelog_chassis.testing import eventually
from tapelog_client.channel import open_channel
from tapelog_session.domain.tracking.comps import passages_digest

RENDER = "/tapelog.render.v1.RenderService/"


class RenderDesk:
    """Takes orders as the render service does, and remembers them; the first `failures` calls are refused."""

    def __init__(self) -> None:
        self.orders: dict[str, Any] = {}
        self.calls = 0
        self.failures: list[Exception] = []

    async def CreateRenderJob(self, request: Any, _context: Any) -> render_pb.RenderJob:  # noqa: N802 - the RPC's name
        """Remember a job by its request_id."""
        self._take(request)
        return request.job

    async def BatchCreateRenderJobs(self, request: Any, _context: Any) -> render_pb.Batch:  # noqa: N802
        """Remember a batch by its request_id."""
        self._take(request)
        return render_pb.Batch(jobs=request.jobs)

    def _take(self, request: Any) -> None:
        self.calls += 1
        principal = current_principal()
        assert (principal.party, principal.kind, principal.tenant) == ("svc-session", "service", "acme")
        if self.failures:
            raise self.failures.pop(0)
        known = self.orders.setdefault(request.request_id, request)
        assert known == request

    def order(self, key: str) -> render_pb.RenderJob | None:
        """Return the job with a reference, if it was ordered."""
        jobs = [
            job
            for order in self.orders.values()
            for job in (order.jobs if isinstance(order, render_wire.BatchCreateRenderJobsRequest) else [order.job])
        ]
        return next((job for job in jobs if job.reference.key == key), None)


@pytest.fixture
async def desk(issuer: Any) -> AsyncIterator[tuple[RenderDesk, str]]:
    """Serve a render desk on a real socket."""
    taken = RenderDesk()
    policies = {RENDER + rpc: services() for rpc in ("CreateRenderJob", "BatchCreateRenderJobs")}
    server = build_server(
        ServerConfig(drain_s=0.5),
        [(_add, taken, "tapelog.render.v1.RenderService")],
        verifier=TokenVerifier.from_jwks(issuer.jwks(), audience="render"),
        policies=policies,
    )
    async with server:
        yield taken, server.address


def _add(servicer: RenderDesk, server: Any) -> None:
    names = [m.name for m in render_wire.DESCRIPTOR.services_by_name["RenderService"].methods]
    for name in names:
        if not hasattr(servicer, name):
            setattr(servicer, name, None)
    add_RenderServiceServicer_to_server(servicer, server)


@pytest.fixture
async def studio(settings: Any, issuer: Any, serving: Any, desk: Any, studio_class: Any) -> AsyncIterator[Any]:
    """Call a service whose renders are ordered at the desk."""
    connected = settings.model_copy(update={"render_address": desk[1]})
    async with serving(connected) as address, open_channel(address) as channel:
        yield studio_class(channel, issuer, ObjectStore(settings.objects_url))


async def test_takes_mixes_masters_and_alternates_are_ordered_once(booked: Any, renders: Any, desk: Any) -> None:
    """Every cause makes one order with its own reference, class, account and expected length."""
    orders = desk[0]
    orders.failures = [Unavailable("BUSY", "come back"), Unavailable("BUSY", "come back")]
    await booked.agree()
    take = await renders.record(booked.wav(440))
    await eventually(lambda: orders.order(f"takes/{take.id}") is not None)
    analysis = orders.order(f"takes/{take.id}")
    assert analysis.kind == render_pb.RENDER_KIND_ANALYSIS
    assert analysis.priority_class == render_pb.PRIORITY_CLASS_INTERACTIVE
    assert analysis.analysis.asset_sha256 == take.asset_sha256

    recipe = booked.recipe(take.asset_sha256)
    recipe.tail_s = 0.5
    mix = await booked.call("mia", "ProposeMixVersion", wire.ProposeMixVersionRequest(song=booked.song, recipe=recipe))
    await eventually(lambda: orders.order("mixVersions/1") is not None)
    ordered = orders.order("mixVersions/1")
    assert (ordered.mix.recipe, ordered.expected_length_frames) == (recipe, 4800 + 24000)
    assert ordered.usage_account == booked.project.split("/")[1]

    alternates = [
        recipe_pb2.Alternate(id="instrumental", mute=["vocal"]),
        recipe_pb2.Alternate(id="vocal-up", gain_offsets=[recipe_pb2.GainOffset(target="vocal", gain_db=1)]),
    ]
    request = wire.RequestAlternatesRequest(version=mix.name, alternates=alternates)
    await booked.call("mia", "RequestAlternates", request)
    await eventually(lambda: orders.order("mixVersions/1/alternates/vocal-up") is not None)
    instrumental = orders.order("mixVersions/1/alternates/instrumental")
    assert (instrumental.mix.recipe, instrumental.mix.alternate) == (recipe, alternates[0])
    assert (instrumental.kind, instrumental.priority_class) == (
        render_pb.RENDER_KIND_ALTERNATE,
        render_pb.PRIORITY_CLASS_BULK,
    )
    assert len(orders.orders) == 3
    assert orders.calls == 5


async def test_a_comp_is_ordered_as_one_recording(booked: Any, renders: Any, desk: Any) -> None:
    """Passages name their takes' assets, crossfades become frames, and the order comes with the fact."""
    orders = desk[0]
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    take = await booked.add_take(booked.wav(440))
    await renders.measure(take)
    regions = [
        pb.CompRegion(take=take.id, range=audio_pb2.FrameRange(start_frame=0, end_frame=2400)),
        pb.CompRegion(take=take.id, range=audio_pb2.FrameRange(start_frame=2400, end_frame=4800), crossfade_ms=10),
    ]
    song = await booked.call("rex", "SetComp", wire.SetCompRequest(song=booked.song, track="lead-vox", regions=regions))
    key = f"comps/lead-vox/{passages_digest(song.tracks[0].comp)}"
    await eventually(lambda: orders.order(key) is not None)
    passages = orders.order(key).comp.passages
    assert orders.order(key).kind == render_pb.RENDER_KIND_COMP
    assert [(p.asset_sha256, p.range.start_frame, p.crossfade_frames) for p in passages] == [
        (take.asset_sha256, 0, 0),
        (take.asset_sha256, 2400, 480),
    ]


async def test_a_refused_job_fails_on_its_song_and_nobody_waits_for_it(booked: Any, renders: Any, desk: Any) -> None:
    """What the render service will never take is told on the take, version or alternate; the next orders are made."""
    orders = desk[0]
    await booked.agree()
    orders.failures = [InvalidArgument("BAD_JOB", "too odd")]
    await booked.advance(pb.STAGE_RECORDING)
    odd = await booked.add_take(booked.wav(330))

    async def told() -> bool:
        return bool((await booked.get_song()).takes[0].findings)

    await eventually(told)
    refused = (await booked.get_song()).takes[0]
    assert (refused.id, refused.check_state) == (odd.id, pb.TAKE_CHECK_STATE_FAILED)
    assert list(refused.findings) == ["BAD_JOB: too odd"]

    take = await booked.add_take(booked.wav(440))
    await booked.select(take)
    await renders.measure(take)

    async def passed() -> bool:
        return (await booked.get_song()).takes[1].check_state == pb.TAKE_CHECK_STATE_PASSED

    await eventually(passed)
    await booked.advance(pb.STAGE_MIXING)
    orders.failures = [InvalidArgument("BAD_JOB", "too odd")]
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    await booked.call("mia", "ProposeMixVersion", propose)
    failed = await booked.reaches(1, pb.VERSION_STATE_RENDER_FAILED)
    assert (failed.render_error, failed.render_job) == ("BAD_JOB: too odd", "")

    mix = await booked.call("mia", "ProposeMixVersion", propose)
    await eventually(lambda: orders.order("mixVersions/2") is not None)
    orders.failures = [InvalidArgument("BAD_JOB", "too odd")]
    both = [recipe_pb2.Alternate(id=name, mute=["vocal"]) for name in ("tv", "instrumental")]
    await booked.call("mia", "RequestAlternates", wire.RequestAlternatesRequest(version=mix.name, alternates=both))

    async def both_told() -> bool:
        return [a.render_error for a in (await booked.get_song()).alternates] == ["BAD_JOB: too odd"] * 2

    await eventually(both_told)


async def test_a_service_that_may_not_order_stops_and_skips_nothing(booked: Any, renders: Any, desk: Any) -> None:
    """A refusal that every order would meet is nobody's song's fault: the rest waits for a person; commands go on."""
    orders = desk[0]
    orders.failures = [PermissionDenied("RPC_DENIED", "never")]
    await booked.agree()
    await renders.record(booked.wav(440))
    await eventually(lambda: orders.calls == 1)
    second = await booked.get_song()
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(second.takes[0].asset_sha256))
    assert (await booked.call("mia", "ProposeMixVersion", propose)).number == 1
    await asyncio.wait_for(_settled(booked), 5)
    assert (orders.calls, orders.orders) == (1, {})


async def _settled(studio: Any) -> None:
    """Do a few round trips, in which a process that skips would have made its next order."""
    for _ in range(20):
        await studio.get_song()


async def test_ends_of_renders_are_recorded_once_whatever_is_delivered(booked: Any, renders: Any) -> None:
    """A redelivered success adds nothing; a failure and a cancellation say why; renders of others are passed over."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    for _ in range(3):
        await booked.call("mia", "ProposeMixVersion", propose)
    await renders.succeed("my-preview", booked.audio(b"preview"))
    await renders.succeed("mixVersions/1", booked.audio(b"forged"), job="job-of-mallory")
    await renders.succeed("mixVersions/99", booked.audio(b"forged"), job="job-of-mallory")
    await renders.succeed("mixVersions/1/alternates/tv", booked.audio(b"forged"), job="job-of-mallory")
    event_id = await renders.succeed("mixVersions/1", booked.audio(b"mix 1"))
    await renders.succeed("mixVersions/1", booked.audio(b"mix 1"), event_id=event_id)
    await renders.succeed("mixVersions/1", booked.audio(b"another"))
    await renders.fail("mixVersions/2")
    reference = renders.reference("mixVersions/3")
    await renders.publish(render_events.RenderCancelled(reason="changed my mind", reference=reference))
    failed = await booked.reaches(3, pb.VERSION_STATE_RENDER_FAILED)
    assert failed.render_error == "CANCELLED: changed my mind"
    song = await booked.get_song()
    assert [v.state for v in song.versions[:2]] == [pb.VERSION_STATE_RENDERED, pb.VERSION_STATE_RENDER_FAILED]
    assert song.versions[0].audio[0] == booked.audio(b"mix 1")
    events = (await booked.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=booked.song))).events
    rendered = [event for event in events if event.type == "tapelog.song.version_rendered.v1"]
    assert [(event.actor, event.causation_id) for event in rendered] == [("svc-session", event_id)]


async def test_a_damaged_take_fails_its_check_and_cannot_be_selected(booked: Any, renders: Any) -> None:
    """Clipping, NaN and an unreadable file are findings that nobody can waive."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    clipped, broken = await booked.add_take(booked.wav(440)), await booked.add_take(booked.wav(441))
    await renders.measure(clipped, clipped_samples=12, non_finite_samples=2)
    await renders.fail(f"takes/{broken.id}")

    async def both_failed() -> bool:
        takes = (await booked.get_song()).takes
        return all(take.check_state == pb.TAKE_CHECK_STATE_FAILED for take in takes)

    await eventually(both_failed)
    takes = (await booked.get_song()).takes
    assert [finding.split(":")[0] for finding in takes[0].findings] == ["NON_FINITE", "CLIPPING"]
    assert takes[1].findings[0] == "SOURCE_TRUNCATED: the file ends early"
    with pytest.raises(Exception, match="nobody can waive"):
        await booked.select(takes[0])


async def test_a_signal_that_breaks_the_brief_is_flagged_after_its_render(booked: Any, renders: Any) -> None:
    """The rendered loudness is checked against the brief, with value and limit as evidence."""
    bounds = brief_pb2.LoudnessBounds(max_integrated_lufs=-16, applies_to=brief_pb2.APPLIES_TO_MIX)
    await booked.agree(brief_pb2.Constraint(id="quiet", statement="Keep it calm.", loudness_bounds=bounds))
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    assert not (await booked.call("mia", "ProposeMixVersion", propose)).verdicts
    await renders.succeed("mixVersions/1", booked.audio(b"mix 1"))
    version = await booked.reaches(1, pb.VERSION_STATE_RENDERED)
    (verdict,) = version.verdicts
    assert (verdict.verdict, verdict.evidence) == (
        brief_pb2.VERDICT_VIOLATION,
        "integrated_lufs -14.05 is above -16 LUFS",
    )
