"""Commands on songs: look up the roles, choose the one acted in, decide, append once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.domain import policies, songs
from tapelog_session.domain.asset import Registration, asset_id
from tapelog_session.domain.checks import REFERENCE_CHARS_MAX, SHA256
from tapelog_session.domain.errors import Denied, Unknown
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.gates import stages
from tapelog_session.domain.names import KindValue, SongName
from tapelog_session.domain.permissions import SESSION
from tapelog_session.domain.roles import Actor, RoleValue, missing_consents
from tapelog_session.domain.song import Song, StageValue
from tapelog_session.domain.tracking import recording, takes

POLICY_MATTERS: Final = frozenset(
    SESSION + rpc
    for rpc in (
        "SubmitVersion",
        "RequestChanges",
        "RejectVersion",
        "ApproveVersion",
        "WithdrawApproval",
        "AdvanceStage",
    )
)
"""Commands that the project's policy has a say in: the song adopts it before they are decided."""
UNKNOWN_TIME: Final = datetime.min.replace(tzinfo=UTC)

Decision = Callable[[Song, Actor], Sequence[Message]]
"""Events from the song as it is and the person in the role acted in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What makes a mutation safe to repeat and safe against what the caller has not seen."""

    request_id: str
    request_hash: str
    etag: str = ""


async def on_song(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: SongName,
    decide: Decision,
    *,
    kind: KindValue | None = None,
    owns: Callable[[Song, RoleValue], bool] | None = None,
    prefer: Callable[[Song], Sequence[RoleValue]] | None = None,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> Outcome[Song]:
    """Execute a command on a song.

    Parameters
    ----------
    decide : Decision
        Pure; may be called again on newer state.
    kind : VersionKind, optional
        For commands on versions.
    owns : Callable[[Song, Role], bool], optional
        Whether what is done is the person's own work.
    prefer : Callable[[Song], Sequence[Role]], optional
        Roles to act in if the person holds them, such as those whose consent is missing.
    prepare : callable, optional
        Long work of which the decision needs the result; done only for whoever may give the command, and not again
        for a request that was answered.
    """
    aggregate = aggregates.songs.aggregate(call.tenant, name.song)
    # Whose song it is never changes; what is decided is decided again if this is not the newest state. Only roles that
    # the song itself chooses or allows have to be looked up in it as it is now.
    versioned = await (aggregates.songs.recall(aggregate) if prefer is None else aggregates.songs.load(aggregate))
    song = versioned.state
    is_theirs = song.exists and song.project == name.project

    def is_own_work(role: RoleValue) -> bool:
        return owns is not None and is_theirs and owns(song, role)

    lookup = functools.partial(
        authorize,
        aggregates.projects,
        call,
        name.project,
        kind=kind,
        owns=is_own_work,
        now=call.rpc in POLICY_MATTERS,  # the song adopts the policy as it is now, never an older one
    )
    try:
        access = await lookup()
    except Denied:
        if owns is None:
            raise
        song = (await aggregates.songs.load(aggregate)).state
        access = await lookup()
    if not is_theirs:
        raise no_such_song(name)
    if prefer is not None:
        access = access.preferring(prefer(song))
    if prepare is not None and request.request_id not in versioned.requests:
        await prepare()

    def decided(state: Song) -> Sequence[Message]:
        adopted: Sequence[Message] = ()
        if call.rpc in POLICY_MATTERS:
            adopted = policies.adopt(state, access.project.policy, access.membership_sequence)
            for event in adopted:
                state = evolve(state, event, UNKNOWN_TIME)
        events = decide(state, access.actor)
        return [*adopted, *events] if events else ()

    return await aggregates.songs.execute(
        aggregate,
        decided,
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=name.song, external_ref=song.external_ref),
        expected_etag=request.etag,
    )


async def create_song(
    aggregates: Aggregates, call: Call, request: Request, project: str, song: events_pb2.SongCreated
) -> Outcome[Song]:
    """Create a song; the same request creates the same one."""
    access = await authorize(aggregates.projects, call, project)
    ids.validate_request_id(request.request_id)
    created = events_pb2.SongCreated()
    created.CopyFrom(song)
    created.project = project
    created.song = ids.derive_id("sng", call.tenant, call.principal.party, call.rpc, request.request_id)
    return await aggregates.songs.execute(
        aggregates.songs.aggregate(call.tenant, created.song),
        lambda state: songs.create_song(state, created),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=created.song, external_ref=created.external_ref[:REFERENCE_CHARS_MAX]),
    )


async def add_take(
    aggregates: Aggregates, call: Call, request: Request, name: SongName, *, track: str, asset_sha256: str
) -> Outcome[Song]:
    """Add a take of an asset that was uploaded to the song's project."""
    ids.validate_request_id(request.request_id)
    registered = await registered_asset(aggregates, call, name.project, asset_sha256)
    take = ids.derive_id("tk", call.tenant, call.principal.party, call.rpc, request.request_id)

    def decide(song: Song, actor: Actor) -> Sequence[Message]:
        events = recording.record_take(song, take, track, asset_sha256, actor.party)
        if registered is None:
            raise _no_such_asset(name, asset_sha256)
        return events

    def owns(_song: Song, _role: RoleValue) -> bool:
        return registered is not None and registered.uploaded_by == call.party

    return await on_song(aggregates, call, request, name, decide, owns=owns)


async def clean_take(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: SongName,
    *,
    parent: str,
    asset_sha256: str,
    treatments: Sequence[str],
) -> Outcome[Song]:
    """Add a cleaned take of an asset that was uploaded to the song's project."""
    ids.validate_request_id(request.request_id)
    registered = await registered_asset(aggregates, call, name.project, asset_sha256)
    take = ids.derive_id("tk", call.tenant, call.principal.party, call.rpc, request.request_id)

    def decide(song: Song, actor: Actor) -> Sequence[Message]:
        events = takes.clean_take(song, actor, take, parent, asset_sha256=asset_sha256, treatments=treatments)
        if registered is None:
            raise _no_such_asset(name, asset_sha256)
        return events

    return await on_song(aggregates, call, request, name, decide)


async def registered_asset(aggregates: Aggregates, call: Call, project: str, asset_sha256: str) -> Registration | None:
    """Return an asset as it was uploaded to a project; None if it was not."""
    if not SHA256.fullmatch(asset_sha256):
        return None
    aggregate = aggregates.assets.aggregate(call.tenant, asset_id(asset_sha256))
    registered = (await aggregates.assets.load(aggregate)).state.projects.get(project)
    return registered if registered is not None and registered.sha256 == asset_sha256 else None


def _no_such_asset(name: SongName, asset_sha256: str) -> Unknown:
    text = f"project {name.project} has no asset {asset_sha256[:12]}…; upload it first"
    return Unknown("NO_SUCH_ASSET", text, asset_sha256=asset_sha256)


async def advance_stage(
    aggregates: Aggregates, call: Call, request: Request, name: SongName, to: StageValue
) -> Outcome[Song]:
    """Go through the gate to the next stage, or record that it is closed and refuse with every failing condition."""
    outcome = await on_song(aggregates, call, request, name, lambda song, _actor: stages.advance(song, to))
    for stored in outcome.events:
        if stored.schema == events_pb2.StageGateEvaluated.DESCRIPTOR.full_name:
            evaluation = events_pb2.StageGateEvaluated.FromString(stored.data)
            if not evaluation.passed:
                raise stages.refusal_of(outcome.versioned.state, evaluation)
    return outcome


async def load_song(aggregates: Aggregates, tenant: str, name: SongName) -> Song:
    """Return a song as it is now, or refuse if the project has none of this id."""
    song = (await aggregates.songs.load(aggregates.songs.aggregate(tenant, name.song))).state
    if not song.exists or song.project != name.project:
        raise no_such_song(name)
    return song


def no_such_song(name: SongName) -> Unknown:
    """Return the refusal of a name that names no song."""
    return Unknown("NO_SUCH_SONG", f"there is no {name}", song=name.song)


def missing_for_brief(song: Song) -> Sequence[RoleValue]:
    """Return the roles whose agreement to the brief is missing."""
    return missing_consents(song.brief.agreements) if song.brief else ()


def missing_for_arrangement(song: Song) -> Sequence[RoleValue]:
    """Return the roles whose approval of the arrangement is missing."""
    return missing_consents(song.arrangement)


def missing_for_version(song: Song, kind: KindValue, number: int) -> Sequence[RoleValue]:
    """Return the roles whose approval of a version is missing."""
    version = song.versions(kind).get(number)
    return version.missing_approvals(song.brief_revision) if version else ()
