"""Lists and searches over many projects and songs, answered from the views, now or as it was at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.aggregates.gaps import CLOSED
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.reading.lists import ProjectRow, SongRow
from tapelog_session.application.reading.past import Past
from tapelog_session.application.reading.resources import project_resource, song_resource, timestamp
from tapelog_session.application.reading.song_index import SongIndex, Summary, summary_of
from tapelog_session.application.reading.talk import for_label, reads_client_thread_alone
from tapelog_session.application.reading.views import Views
from tapelog_session.domain.errors import Denied
from tapelog_session.domain.names import SongName, parse_project, project_name
from tapelog_session.domain.permissions import AUDITOR, LABEL
from tapelog_session.domain.roles import RoleValue

PAGE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A page ends before this: an answer may have 4 MiB."""
ADMIN: Final = "ADMIN"


async def list_projects(
    aggregates: Aggregates, views: Views, call: Call, request: rpc.ListProjectsRequest, past: Past
) -> rpc.ListProjectsResponse:
    """List the projects of which the caller is a member; an auditor and a service see all of the tenant."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    await views.caught_up()
    response = rpc.ListProjectsResponse()
    for row in _visible(views, call, request.external_ref):
        is_later = past.time is not None and row.create_time > past.time
        if row.order <= after or is_later:
            continue
        if request.member and request.member not in await _members(aggregates, call, row, past.time):
            continue
        if len(response.projects) == size or response.ByteSize() > PAGE_BYTES_MAX:
            response.next_page_token = encode_page_token(str(after), request)
            break
        aggregate = aggregates.projects.aggregate(call.tenant, row.id)
        try:
            project = await aggregates.projects.load(aggregate, as_of_time=_past_of(row, past.time))
        except CLOSED:
            response.unreachable.append(project_name(row.id))
            continue
        response.projects.append(project_resource(project))
        after = row.order
    return response


async def list_songs(
    aggregates: Aggregates,
    views: Views,
    index: SongIndex,
    call: Call,
    request: rpc.ListSongsRequest,
    *,
    past: Past,
) -> rpc.ListSongsResponse:
    """List the songs of a project, oldest first; a page may be shorter than asked for when songs are large."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    project = parse_project(request.parent, "parent")
    client_alone = reads_client_thread_alone(await authorize(aggregates.projects, call, project))
    await views.caught_up()
    response = rpc.ListSongsResponse()
    total_bytes = 0
    wanted = rpc.SearchSongsRequest(
        stage=request.stage, waiting_for=request.waiting_for, open_notes=request.open_notes, person=request.person
    )
    rows = (row for row in views.songs_of(call.tenant, project, request.external_ref) if row.order > after)
    tell = response.unreachable.append
    async for row, _ in _matching(
        aggregates, index, call, rows, wanted, unreachable=tell, client_alone=client_alone, time=past.time
    ):
        aggregate = aggregates.songs.aggregate(call.tenant, row.id)
        try:
            song = song_resource(await aggregates.songs.load(aggregate, as_of_time=_past_of(row, past.time)))
        except CLOSED:
            response.unreachable.append(str(SongName(row.project, row.id)))
            continue
        song = for_label(song) if client_alone else song
        total_bytes += song.ByteSize()
        if len(response.songs) == size or (response.songs and total_bytes > PAGE_BYTES_MAX):
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.songs.append(song)
        after = row.order
    return response


async def search_songs(
    aggregates: Aggregates,
    views: Views,
    index: SongIndex,
    call: Call,
    request: rpc.SearchSongsRequest,
    *,
    past: Past,
) -> rpc.SearchSongsResponse:
    """Find songs in all projects that the caller may read now, oldest first, as they are or as they were at a time."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    only = parse_project(request.project, "project") if request.project else ""
    await views.caught_up()
    projects = {row.id: row for row in _visible(views, call, "") if only in ("", row.id)}
    rows = [song for row in projects.values() for song in row.songs if song.place > after]
    rows = [row for row in rows if request.external_ref in ("", row.external_ref)]
    response = rpc.SearchSongsResponse()
    tell = response.unreachable.append
    for row in sorted(rows, key=lambda row: row.place):
        project = projects[row.project]
        client_alone = set(project.members.get(call.party, ())) == {LABEL}
        async for _, summary in _matching(
            aggregates, index, call, [row], request, unreachable=tell, client_alone=client_alone, time=past.time
        ):
            if request.waiting_for_person:
                members = await _members(aggregates, call, project, past.time)
                if not set(members.get(request.waiting_for_person, ())) & set(summary.waiting_for):
                    continue
            if len(response.songs) == size:
                response.next_page_token = encode_page_token(str(after), request)
                return response
            response.songs.append(_summary_resource(row, summary, client_alone=client_alone))
            after = row.place
    return response


async def rebuild_views(views: Views, index: SongIndex, call: Call) -> rpc.RebuildViewsResponse:
    """Make the views anew, as the tenant's administrator."""
    if ADMIN not in call.principal.tenant_roles and call.principal.kind != "service":
        raise Denied("ADMIN_ONLY", f"RebuildViews is for the tenant's {ADMIN}", party=call.party)
    is_equal = await views.rebuild()
    index.drop()
    return rpc.RebuildViewsResponse(position=views.position, equal=is_equal)


def _visible(views: Views, call: Call, external_ref: str) -> list[ProjectRow]:
    sees_all = call.principal.kind == "service" or AUDITOR in call.principal.tenant_roles
    return views.projects_of(call.tenant, None if sees_all else call.party, external_ref)


async def _matching(
    aggregates: Aggregates,
    index: SongIndex,
    call: Call,
    rows: Iterable[SongRow],
    wanted: rpc.SearchSongsRequest,
    *,
    unreachable: Callable[[str], None],
    client_alone: bool,
    time: datetime | None,
) -> AsyncIterator[tuple[SongRow, Summary]]:
    """Yield the rows that match, with their summaries: at a time from their histories, now from the index.

    The names of songs that cannot be read are handed to `unreachable`, and hold up no others.
    """
    for row in rows:
        if time is not None and row.create_time > time:
            continue
        if not _took_part(row, wanted.person, time) or wanted.title.lower() not in row.title.lower():
            continue
        moment = _past_of(row, time)
        try:
            if moment is None:
                summary = await index.summary(call.tenant, row)
            else:
                then = await aggregates.songs.load(aggregates.songs.aggregate(call.tenant, row.id), as_of_time=moment)
                summary = summary_of(then)
        except CLOSED:
            unreachable(str(SongName(row.project, row.id)))
            continue
        if _is_wanted(summary, wanted, client_alone=client_alone):
            yield row, summary


def _past_of(row: SongRow | ProjectRow, time: datetime | None) -> datetime | None:
    """Return the time, or None where nothing has changed since: then it is as it is now, which costs less."""
    return None if time is None or row.update_time is None or row.update_time <= time else time


def _took_part(row: SongRow, party: str, time: datetime | None) -> bool:
    first = row.people.get(party)
    return not party or (first is not None and (time is None or first <= time))


async def _members(
    aggregates: Aggregates, call: Call, row: ProjectRow, time: datetime | None
) -> Mapping[str, Sequence[RoleValue]]:
    """Return the roles of a project's members, now or as they were at a time."""
    if _past_of(row, time) is None:
        return row.members
    aggregate = aggregates.projects.aggregate(call.tenant, row.id)
    then = (await aggregates.projects.load(aggregate, as_of_time=time)).state
    return {party: member.roles for party, member in then.members.items()}


def _is_wanted(song: Summary, wanted: rpc.SearchSongsRequest, *, client_alone: bool) -> bool:
    if wanted.stage and song.stage != wanted.stage:
        return False
    if wanted.waiting_for and wanted.waiting_for not in song.waiting_for:
        return False
    return not wanted.open_notes or _open_notes(song, client_alone=client_alone) > 0


def _open_notes(song: Summary, *, client_alone: bool) -> int:
    return song.open_client_notes if client_alone else song.open_notes


def _summary_resource(row: SongRow, song: Summary, *, client_alone: bool) -> rpc.SongSummary:
    return rpc.SongSummary(
        name=str(SongName(row.project, row.id)),
        title=song.title,
        stage=song.stage,
        cycle=song.cycle,
        external_ref=row.external_ref,
        waiting_for=song.waiting_for,
        open_notes=_open_notes(song, client_alone=client_alone),
        sequence=song.sequence,
        update_time=timestamp(song.update_time),
    )
