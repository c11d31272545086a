"""Reading: resources now or as they were, lists, the facts of a song, the gate as it stands."""

from __future__ import annotations

from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.event_log import EventLog
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token
from tapelog_recipe import recipe_digest

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.reading.past import NOW, Past
from tapelog_session.application.reading.resources import (
    asset_resource,
    delivery_resource,
    event_resource,
    project_resource,
    song_resource,
    song_version,
)
from tapelog_session.application.reading.talk import for_label, is_internal, reads_client_thread_alone
from tapelog_session.application.song_commands import load_song
from tapelog_session.domain.asset import asset_id
from tapelog_session.domain.errors import NotNow, Unknown
from tapelog_session.domain.gates.stages import evaluate_gate
from tapelog_session.domain.names import SongName, VersionName, asset_name
from tapelog_session.domain.permissions import stage_word
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning.versions import check_mix_recipe, require_version
from tapelog_session.domain.vision import brief_check

EVENTS_PAGE: Final = 100
EVENTS_PAGE_MAX: Final = 1000
PAGE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A page ends before this: an answer may have 4 MiB."""


async def get_project(aggregates: Aggregates, call: Call, project: str, past: Past = NOW) -> pb.Project:
    """Return a project, now or as it was."""
    await authorize(aggregates.projects, call, project)
    versioned = await aggregates.projects.load(
        aggregates.projects.aggregate(call.tenant, project), as_of_sequence=past.sequence, as_of_time=past.time
    )
    if not versioned.state.exists:
        raise Unknown("NO_SUCH_PROJECT_YET", f"project {project} did not exist at that time", project=project)
    return project_resource(versioned)


async def get_song(aggregates: Aggregates, call: Call, name: SongName, past: Past = NOW) -> pb.Song:
    """Return a song, now or as it was."""
    access = await authorize(aggregates.projects, call, name.project)
    song = song_resource(await song_at(aggregates, call, name, past))
    return for_label(song) if reads_client_thread_alone(access) else song


async def song_at(aggregates: Aggregates, call: Call, name: SongName, past: Past) -> Versioned[Song]:
    """Return a song's state now or as it was, or refuse if there is none."""
    await load_song(aggregates, call.tenant, name)
    versioned = await aggregates.songs.load(
        aggregates.songs.aggregate(call.tenant, name.song), as_of_sequence=past.sequence, as_of_time=past.time
    )
    if not versioned.state.exists:
        raise Unknown("NO_SUCH_SONG_YET", f"{name} did not exist at that time", song=name.song)
    return versioned


async def list_song_events(
    aggregates: Aggregates,
    log: EventLog,
    call: Call,
    name: SongName,
    request: rpc.ListSongEventsRequest,
    *,
    past: Past,
) -> rpc.ListSongEventsResponse:
    """List the facts of a song in order; the label does not see those about internal notes."""
    size = coerce_page_size(request.page_size, default=EVENTS_PAGE, largest=EVENTS_PAGE_MAX)
    after = int(decode_page_token(request.page_token, request) or 0)
    access = await authorize(aggregates.projects, call, name.project)
    then = await song_at(aggregates, call, name, past)
    stored = await log.load(aggregates.songs.aggregate(call.tenant, name.song), after_sequence=after)
    response = rpc.ListSongEventsResponse()
    total_bytes = 0
    for event in stored:
        if event.sequence > then.sequence and not past.is_now:
            break
        if reads_client_thread_alone(access) and is_internal(then.state, event):
            continue
        resource = event_resource(event)
        total_bytes += resource.ByteSize()
        if len(response.events) == size or (response.events and total_bytes > PAGE_BYTES_MAX):
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.events.append(resource)
        after = event.sequence
    return response


async def get_version(aggregates: Aggregates, call: Call, name: VersionName, past: Past = NOW) -> pb.Version:
    """Return a version of a song, now or as it was."""
    await authorize(aggregates.projects, call, name.song.project)
    versioned = await song_at(aggregates, call, name.song, past)
    require_version(versioned.state, name.kind, name.number)
    return song_version(versioned, name.kind, name.number)


async def check_recipe(
    aggregates: Aggregates, call: Call, name: SongName, recipe: recipe_pb2.MixRecipe
) -> rpc.CheckRecipeResponse:
    """Check a recipe against the brief in force; stores nothing."""
    await authorize(aggregates.projects, call, name.project)
    song = await load_song(aggregates, call.tenant, name)
    check_mix_recipe(song, recipe)
    verdicts = brief_check.check_recipe(song.brief, recipe, brief_check.tracks_of(song)) if song.brief else ()
    return rpc.CheckRecipeResponse(verdicts=verdicts, recipe_digest=recipe_digest(recipe))


async def gate(aggregates: Aggregates, call: Call, name: SongName, past: Past = NOW) -> events_pb2.StageGateEvaluated:
    """Return the evaluation of the gate to the next stage, now or as it was; stores nothing."""
    await authorize(aggregates.projects, call, name.project)
    song = (await song_at(aggregates, call, name, past)).state
    evaluation = evaluate_gate(song)
    if evaluation is None:
        raise NotNow("NO_GATE", f"no gate leads out of {stage_word(song.stage)}", stage=stage_word(song.stage))
    return evaluation


async def get_asset(aggregates: Aggregates, call: Call, project: str, sha256: str, past: Past = NOW) -> pb.Asset:
    """Return an asset of a project, now or as it was."""
    await authorize(aggregates.projects, call, project)
    versioned = await aggregates.assets.load(
        aggregates.assets.aggregate(call.tenant, asset_id(sha256)), as_of_sequence=past.sequence, as_of_time=past.time
    )
    registration = versioned.state.projects.get(project)
    if registration is None or registration.sha256 != sha256:
        raise Unknown("NO_SUCH_ASSET", f"there is no {asset_name(project, sha256)}", sha256=sha256)
    return asset_resource(project, registration)


async def get_delivery(
    aggregates: Aggregates, call: Call, name: SongName, delivery: str, past: Past = NOW
) -> pb.DeliveryPackage:
    """Return a delivery package of a song, now or as it was."""
    await authorize(aggregates.projects, call, name.project)
    versioned = await aggregates.deliveries.load(
        aggregates.deliveries.aggregate(call.tenant, delivery), as_of_sequence=past.sequence, as_of_time=past.time
    )
    package = versioned.state
    if not package.exists or SongName(package.project, package.song) != name:
        raise Unknown("NO_SUCH_DELIVERY", f"there is no {name.delivery(delivery)}", delivery=delivery)
    return delivery_resource(versioned)
