"""Commands and queries on studio sessions, and the credits that come of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime

from google.protobuf.message import Message
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.ports import Parties
from tapelog_session.application.reading.past import Past
from tapelog_session.application.reading.resources import party_resource
from tapelog_session.application.song_commands import Request, load_song, no_such_song
from tapelog_session.domain import studio_session as domain
from tapelog_session.domain.errors import Unknown
from tapelog_session.domain.handover import credits as domain_credits
from tapelog_session.domain.handover.credits import Credits
from tapelog_session.domain.names import SongName, studio_session_name
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.project import Project
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song
from tapelog_session.domain.studio_session import StudioSession

Decision = Callable[[StudioSession, Song, str], Sequence[Message]]
"""Events from the session, its song as it is now, and the person who acts."""


async def open_session(
    aggregates: Aggregates, call: Call, request: Request, name: SongName, wanted: pb.StudioSession
) -> Outcome[StudioSession]:
    """Open a studio session for a song; the same request opens the same one."""
    ids.validate_request_id(request.request_id)
    access = await authorize(aggregates.projects, call, name.project)
    song = await load_song(aggregates, call.tenant, name)
    require_stage(song, "OpenStudioSession")
    session = ids.derive_id("ses", call.tenant, call.principal.party, call.rpc, request.request_id)
    opened = pb.StudioSession()
    opened.CopyFrom(wanted)
    opened.name, opened.song, opened.opened_by = studio_session_name(name.project, session), str(name), call.party
    return await aggregates.sessions.execute(
        aggregates.sessions.aggregate(call.tenant, session),
        lambda state: domain.open_session(state, opened),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=name.song, external_ref=song.external_ref),
    )


async def on_session(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: tuple[str, str],
    decide: Decision,
    *,
    owns: Callable[[StudioSession], bool] | None = None,
) -> Outcome[StudioSession]:
    """Execute a command on a studio session.

    Parameters
    ----------
    name : tuple of str
        Ids of project and session.
    owns : callable, optional
        Whether what is done is the person's own.
    """
    project, id_ = name
    aggregate = aggregates.sessions.aggregate(call.tenant, id_)
    state = (await aggregates.sessions.load(aggregate)).state
    is_here = state.exists and state.project == project

    def is_own(_role: RoleValue) -> bool:
        return owns is not None and is_here and owns(state)

    access = await authorize(aggregates.projects, call, project, owns=is_own)
    if not is_here:
        raise _no_such_session(project, id_)
    song = await load_song(aggregates, call.tenant, SongName(project, state.song))
    require_stage(song, call.rpc.rpartition("/")[2])
    return await aggregates.sessions.execute(
        aggregate,
        lambda current: decide(current, song, call.party),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=state.song, external_ref=song.external_ref),
        expected_etag=request.etag,
    )


async def get_session(aggregates: Aggregates, call: Call, name: tuple[str, str], past: Past) -> pb.StudioSession:
    """Return a studio session, now or as it was."""
    project, id_ = name
    await authorize(aggregates.projects, call, project)
    versioned = await aggregates.sessions.load(
        aggregates.sessions.aggregate(call.tenant, id_), as_of_sequence=past.sequence, as_of_time=past.time
    )
    if not versioned.state.exists or versioned.state.project != project:
        raise _no_such_session(project, id_)
    return session_resource(versioned)


async def list_sessions(
    aggregates: Aggregates, call: Call, name: SongName, request: rpc.ListStudioSessionsRequest, past: Past
) -> rpc.ListStudioSessionsResponse:
    """List the studio sessions of a song, oldest first."""
    size = coerce_page_size(request.page_size)
    first = int(decode_page_token(request.page_token, request) or 0)
    await authorize(aggregates.projects, call, name.project)
    await load_song(aggregates, call.tenant, name)
    aggregate = aggregates.songs.aggregate(call.tenant, name.song)
    then = await aggregates.songs.load(aggregate, as_of_sequence=past.sequence, as_of_time=past.time)
    # A session moves on without the song, so a time is its own; of a sequence of the song the time is the song's.
    found = await _sessions(aggregates, call.tenant, then.state, past.time if past.sequence is None else then.time)
    response = rpc.ListStudioSessionsResponse(sessions=[session_resource(v) for v in found[first : first + size]])
    if first + size < len(found):
        response.next_page_token = encode_page_token(str(first + size), request)
    return response


async def credits_of(
    aggregates: Aggregates,
    parties: Parties,
    tenant: str,
    project: Project,
    song: Versioned[Song],
    *,
    time: datetime | None = None,
) -> Credits:
    """Gather the credits of a song, its sessions now or as they were at a time, with the names of today."""
    sessions = [found.state for found in await _sessions(aggregates, tenant, song.state, time)]
    nameless = Credits(project, song.state, sessions, {}, song.sequence)
    names = {}
    for party in nameless.parties():
        entry = await parties.get(tenant, party)
        names[party] = party_resource(entry.record).display_name if entry is not None else ""
    return dataclasses.replace(nameless, names=names)


async def export_credits(
    aggregates: Aggregates, parties: Parties, call: Call, name: SongName, *, live: bool
) -> rpc.ExportCreditsResponse:
    """Write the credits of a song, with what they lack."""
    access = await authorize(aggregates.projects, call, name.project)
    versioned = await aggregates.songs.load(aggregates.songs.aggregate(call.tenant, name.song))
    song = versioned.state
    if not song.exists or song.project != name.project:
        raise no_such_song(name)
    credits_ = await credits_of(aggregates, parties, call.tenant, access.project, versioned)
    return rpc.ExportCreditsResponse(
        xml=domain_credits.rin_xml(credits_, live=live),
        missing=[
            pb.GateCondition(code=gap.code, description=gap.description, subject=gap.subject)
            for gap in domain_credits.missing(credits_)
        ],
    )


def session_resource(versioned: Versioned[StudioSession]) -> pb.StudioSession:
    """Return a studio session as it is read."""
    resource = pb.StudioSession()
    resource.CopyFrom(versioned.state.content)
    resource.etag = versioned.etag
    return resource


async def _sessions(
    aggregates: Aggregates, tenant: str, song: Song, time: datetime | None = None
) -> list[Versioned[StudioSession]]:
    """Return the sessions that the song knows of, now or as they were at a time, oldest first."""
    found = [
        await aggregates.sessions.load(aggregates.sessions.aggregate(tenant, id_), as_of_time=time)
        for id_ in song.contributions
    ]
    return sorted(found, key=lambda v: (v.state.content.start_time.ToNanoseconds(), v.state.id))


def _no_such_session(project: str, id_: str) -> Unknown:
    return Unknown("NO_SUCH_SESSION", f"there is no {studio_session_name(project, id_)}", session=id_)
