"""Process (a): takes are sent to be measured, versions and alternates to be rendered."""

from __future__ import annotations

from typing import Final

import structlog
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.ids import derive_id, follow_up_request_id

from tapelog_session.application.following.processes import PARTY, UnprocessableError
from tapelog_session.application.following.render_refusals import record_refusal
from tapelog_session.application.ports import RenderJobs, RenderRefused
from tapelog_session.domain.names import SongName, version_key
from tapelog_session.domain.permissions import RENDER
from tapelog_session.domain.song import Song
from tapelog_session.domain.tracking.comps import passages_digest
from tapelog_session.domain.versioning.versions import MASTER, MIX

STEP: Final = "render"
CREATE: Final = f"{RENDER}CreateRenderJob"
_CAUSES: Final = frozenset(
    message.DESCRIPTOR.full_name
    for message in (
        events_pb2.TakeRecorded,
        events_pb2.TakeCleaned,
        events_pb2.CompSet,
        events_pb2.MixVersionProposed,
        events_pb2.MasterVersionProposed,
        events_pb2.AlternatesRequested,
        events_pb2.StemsRequested,
    )
)

_log = structlog.get_logger(__name__)


async def request_renders(
    songs: Repository[Song], events: EventRegistry, renders: RenderJobs, stored: StoredEvent
) -> None:
    """Ask for the renders that follow from an event; nothing for most.

    Raises
    ------
    RenderUnavailable
        Try again.
    UnprocessableError
        The render service takes no job from this service.
    """
    if stored.schema not in _CAUSES:
        return
    # The song as it was then, so that a repeat asks for exactly the same.
    song = (await songs.load(stored.aggregate, as_of_sequence=stored.sequence)).state
    message = events.decode(stored)
    tenant, correlation_id = stored.aggregate.tenant, stored.metadata.correlation_id
    try:
        if isinstance(message, events_pb2.AlternatesRequested):
            await renders.create_batch(
                tenant,
                alternate_jobs(song, message),
                reference_of(song, version_key(MIX, message.mix_number)),
                request_id=follow_up_request_id(stored.event_id, STEP),
                correlation_id=correlation_id,
            )
            return
        job = job_of(song, message)
        await renders.create(
            tenant,
            job,
            request_id=request_id_of(song.name, job.reference.key),
            correlation_id=correlation_id,
        )
    except RenderRefused as refusal:
        if not refusal.is_of_job:
            raise UnprocessableError(f"the render service refuses what {stored.type} asks for: {refusal}") from refusal
        _log.error("render refused for good", cause=stored.type, song=song.id, tenant=tenant, refusal=str(refusal))
        await record_refusal(songs, stored, message, refusal)


def request_id_of(song: SongName, key: str) -> str:
    """Return the request_id with which a take or a version is sent to be rendered: the same whenever it is asked."""
    return follow_up_request_id(f"{song}/{key}", STEP)


def job_id_of(tenant: str, song: SongName, key: str) -> str:
    """Return the id of the job of a take or a version: created ids follow from who asks for what by which request."""
    return derive_id("job", tenant, PARTY, CREATE, request_id_of(song, key))


def job_of(song: Song, event: Message) -> render_pb.RenderJob:
    """Return the job that one event asks for."""
    match event:
        case events_pb2.TakeRecorded() | events_pb2.TakeCleaned():
            job = _job(song, f"takes/{event.take}", render_pb.RENDER_KIND_ANALYSIS)
            job.priority_class = render_pb.PRIORITY_CLASS_INTERACTIVE
            job.analysis.asset_sha256 = event.asset_sha256
        case events_pb2.CompSet():
            job = _job(song, f"comps/{event.track}/{passages_digest(event.comp)}", render_pb.RENDER_KIND_COMP)
            job.comp.CopyFrom(comp_spec(song, event.comp))
            job.expected_length_frames = event.comp.regions[-1].range.end_frame
        case events_pb2.MixVersionProposed():
            job = _job(song, version_key(MIX, event.number), render_pb.RENDER_KIND_MIX)
            job.mix.recipe.CopyFrom(event.recipe)
            job.expected_length_frames = mix_length_frames(song, event.recipe)
        case events_pb2.MasterVersionProposed():
            job = _job(song, version_key(MASTER, event.number), render_pb.RENDER_KIND_MASTER)
            job.master.recipe.CopyFrom(event.recipe)
            job.expected_length_frames = song.mixes[event.mix_number].audio[0].format.length_frames
        case events_pb2.StemsRequested():
            job = _stems_job(song, event)
        case _:
            raise TypeError(f"{type(event).__name__} asks for no single job")
    return job


def comp_spec(song: Song, comp: pb.Comp) -> render_pb.CompSpec:
    """Return a comp's passages with the assets of their takes, and crossfades in frames."""
    return render_pb.CompSpec(
        passages=[
            render_pb.CompPassage(
                asset_sha256=song.takes[region.take].asset_sha256,
                range=region.range,
                crossfade_frames=min(
                    round(region.crossfade_ms * song.sample_rate_hz / 1000.0),
                    region.range.end_frame - region.range.start_frame,
                ),
            )
            for region in comp.regions
        ]
    )


def _stems_job(song: Song, event: events_pb2.StemsRequested) -> render_pb.RenderJob:
    recipe = song.mixes[event.mix_number].recipe
    if not isinstance(recipe, recipe_pb2.MixRecipe):
        raise TypeError("a mix version has a mix recipe")
    job = _job(song, f"{version_key(MIX, event.mix_number)}/stems", render_pb.RENDER_KIND_STEMS)
    job.priority_class = render_pb.PRIORITY_CLASS_BULK
    job.stems.recipe.CopyFrom(recipe)
    job.stems.groups.extend(render_pb.StemGroup(id=group.id, members=group.members) for group in event.groups)
    job.stems.output.CopyFrom(recipe_pb2.OutputFormat(container=recipe_pb2.CONTAINER_WAV, bit_depth=song.bit_depth))
    job.expected_length_frames = mix_length_frames(song, recipe)
    return job


def alternate_jobs(song: Song, event: events_pb2.AlternatesRequested) -> list[render_pb.RenderJob]:
    """Return one job an alternate, all of the same recipe."""
    recipe = song.mixes[event.mix_number].recipe
    if not isinstance(recipe, recipe_pb2.MixRecipe):
        raise TypeError("a mix version has a mix recipe")
    jobs = []
    for alternate in event.alternates:
        key = f"{version_key(MIX, event.mix_number)}/alternates/{alternate.id}"
        job = _job(song, key, render_pb.RENDER_KIND_ALTERNATE)
        job.priority_class = render_pb.PRIORITY_CLASS_BULK
        job.mix.recipe.CopyFrom(recipe)
        job.mix.alternate.CopyFrom(alternate)
        job.expected_length_frames = mix_length_frames(song, recipe)
        jobs.append(job)
    return jobs


def reference_of(song: Song, key: str) -> render_pb.RenderReference:
    """Return what a render is for."""
    return render_pb.RenderReference(project=song.project, song=song.id, key=key, cycle=song.cycle)


def mix_length_frames(song: Song, recipe: recipe_pb2.MixRecipe) -> int:
    """Return how long a mix will be: to the end of its last source, plus the tail."""
    lengths = {t.asset_sha256: t.format.length_frames for t in song.takes.values() if t.format is not None}
    ends = [track.start_frame + lengths.get(track.source.asset_sha256, 0) for track in recipe.tracks]
    return max(ends, default=0) + round(recipe.tail_s * recipe.sample_rate_hz)


def _job(song: Song, key: str, kind: render_pb.RenderKind.ValueType) -> render_pb.RenderJob:
    return render_pb.RenderJob(
        kind=kind,
        priority_class=render_pb.PRIORITY_CLASS_STANDARD,
        reference=reference_of(song, key),
        usage_account=song.project,
        external_ref=song.external_ref,
    )
