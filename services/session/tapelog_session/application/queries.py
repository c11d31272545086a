"""Reading: resources now or as they were, lists, the facts of a song, the gate as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.event_log import EventLog
from tapelog_chassis.pages import coerce_page_size, decode_page_token, encode_page_token
from tapelog_chassis.versioned import Versioned
from tapelog_recipe import recipe_digest

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.resources import (
    asset_resource,
    delivery_resource,
    event_resource,
    project_resource,
    song_resource,
    song_version,
)
from tapelog_session.application.song_commands import load_song
from tapelog_session.application.talk import for_label, is_internal, reads_client_thread_alone
from tapelog_session.application.views import Views
from tapelog_session.domain import brief_check
from tapelog_session.domain.asset import asset_id
from tapelog_session.domain.errors import NotNow, Unknown
from tapelog_session.domain.names import SongName, VersionName, asset_name
from tapelog_session.domain.permissions import AUDITOR, stage_word
from tapelog_session.domain.song import Song
from tapelog_session.domain.stages import evaluate_gate
from tapelog_session.domain.versions import check_mix_recipe, require_version
from tapelog_session.domain.waiting import open_notes, waiting_for

EVENTS_PAGE: Final = 100
EVENTS_PAGE_MAX: Final = 1000
PAGE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A page ends before this: an answer may have 4 MiB."""


async def get_project(aggregates: Aggregates, call: Call, project: str, as_of_sequence: int) -> pb.Project:
    """Return a project, now or as it was after `as_of_sequence` events (0: now)."""
    await authorize(aggregates.projects, call, project)
    versioned = await aggregates.projects.load(
        aggregates.projects.aggregate(call.tenant, project), as_of_sequence=as_of_sequence or None
    )
    return project_resource(versioned)


async def get_song(
    aggregates: Aggregates, call: Call, name: SongName, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
) -> pb.Song:
    """Return a song, now or as it was."""
    access = await authorize(aggregates.projects, call, name.project)
    song = song_resource(await _song_at(aggregates, call, name, as_of_sequence, as_of_time))
    return for_label(song) if reads_client_thread_alone(access) else song


async def _song_at(
    aggregates: Aggregates, call: Call, name: SongName, as_of_sequence: int, as_of_time: datetime | None
) -> Versioned[Song]:
    await load_song(aggregates, call.tenant, name)
    versioned = await aggregates.songs.load(
        aggregates.songs.aggregate(call.tenant, name.song),
        as_of_sequence=as_of_sequence or None,
        as_of_time=as_of_time,
    )
    if not versioned.state.exists:
        raise Unknown("NO_SUCH_SONG_YET", f"{name} did not exist at that time", song=name.song)
    return versioned


async def list_projects(
    aggregates: Aggregates, views: Views, call: Call, request: rpc.ListProjectsRequest
) -> rpc.ListProjectsResponse:
    """List the projects of which the caller is a member; an auditor and a service see all of the tenant."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    await views.caught_up()
    sees_all = call.principal.kind == "service" or AUDITOR in call.principal.tenant_roles
    rows = views.projects_of(call.tenant, None if sees_all else call.party, request.external_ref)
    response = rpc.ListProjectsResponse()
    for row in (row for row in rows if row.order > after):
        if len(response.projects) == size or response.ByteSize() > PAGE_BYTES_MAX:
            response.next_page_token = encode_page_token(str(after), request)
            break
        versioned = await aggregates.projects.load(aggregates.projects.aggregate(call.tenant, row.id))
        response.projects.append(project_resource(versioned))
        after = row.order
    return response


async def list_songs(
    aggregates: Aggregates, views: Views, call: Call, project: str, request: rpc.ListSongsRequest
) -> rpc.ListSongsResponse:
    """List the songs of a project, oldest first; a page may be shorter than asked for when songs are large."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    access = await authorize(aggregates.projects, call, project)
    await views.caught_up()
    response = rpc.ListSongsResponse()
    total_bytes = 0
    for row in (row for row in views.songs_of(call.tenant, project, request.external_ref) if row.order > after):
        versioned = await aggregates.songs.load(aggregates.songs.aggregate(call.tenant, row.id))
        if not _is_wanted(versioned.state, request, client_alone=reads_client_thread_alone(access)):
            continue
        song = song_resource(versioned)
        if reads_client_thread_alone(access):
            song = for_label(song)
        total_bytes += song.ByteSize()
        if len(response.songs) == size or (response.songs and total_bytes > PAGE_BYTES_MAX):
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.songs.append(song)
        after = row.order
    return response


def _is_wanted(song: Song, request: rpc.ListSongsRequest, *, client_alone: bool) -> bool:
    """Say whether a song is in the stage, waits for the role, and has open notes, as far as these are asked for."""
    if request.stage and song.stage != request.stage:
        return False
    if request.waiting_for and request.waiting_for not in waiting_for(song):
        return False
    return not request.open_notes or open_notes(song, client_alone=client_alone)


async def list_song_events(
    aggregates: Aggregates, log: EventLog, call: Call, name: SongName, request: rpc.ListSongEventsRequest
) -> rpc.ListSongEventsResponse:
    """List the facts of a song in order; the label does not see those about internal notes."""
    size = coerce_page_size(request.page_size, default=EVENTS_PAGE, largest=EVENTS_PAGE_MAX)
    after = int(decode_page_token(request.page_token, request) or 0)
    access = await authorize(aggregates.projects, call, name.project)
    song = await load_song(aggregates, call.tenant, name)
    stored = await log.load(aggregates.songs.aggregate(call.tenant, name.song), after_sequence=after)
    response = rpc.ListSongEventsResponse()
    total_bytes = 0
    for event in stored:
        if reads_client_thread_alone(access) and is_internal(song, event):
            continue
        resource = event_resource(event)
        total_bytes += resource.ByteSize()
        if len(response.events) == size or (response.events and total_bytes > PAGE_BYTES_MAX):
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.events.append(resource)
        after = event.sequence
    return response


async def get_version(aggregates: Aggregates, call: Call, name: VersionName) -> pb.Version:
    """Return a version of a song."""
    await authorize(aggregates.projects, call, name.song.project)
    versioned = await _song_at(aggregates, call, name.song, 0, None)
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


async def gate(aggregates: Aggregates, call: Call, name: SongName) -> events_pb2.StageGateEvaluated:
    """Return the evaluation of the gate to the next stage; stores nothing."""
    await authorize(aggregates.projects, call, name.project)
    song = await load_song(aggregates, call.tenant, name)
    evaluation = evaluate_gate(song)
    if evaluation is None:
        raise NotNow("NO_GATE", f"no gate leads out of {stage_word(song.stage)}", stage=stage_word(song.stage))
    return evaluation


async def get_asset(aggregates: Aggregates, call: Call, project: str, sha256: str) -> pb.Asset:
    """Return an asset of a project."""
    await authorize(aggregates.projects, call, project)
    asset = (await aggregates.assets.load(aggregates.assets.aggregate(call.tenant, asset_id(sha256)))).state
    registration = asset.projects.get(project)
    if registration is None or registration.sha256 != sha256:
        raise Unknown("NO_SUCH_ASSET", f"there is no {asset_name(project, sha256)}", sha256=sha256)
    return asset_resource(project, registration)


async def get_delivery(aggregates: Aggregates, call: Call, name: SongName, delivery: str) -> pb.DeliveryPackage:
    """Return a delivery package of a song."""
    await authorize(aggregates.projects, call, name.project)
    versioned = await aggregates.deliveries.load(aggregates.deliveries.aggregate(call.tenant, delivery))
    package = versioned.state
    if not package.exists or SongName(package.project, package.song) != name:
        raise Unknown("NO_SUCH_DELIVERY", f"there is no {name.delivery(delivery)}", delivery=delivery)
    return delivery_resource(versioned)
