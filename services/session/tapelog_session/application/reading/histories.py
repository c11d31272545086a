"""What people ask afterwards: the story of a song, and what differs between two of its versions."""

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.event_log import EventLog, StoredEvent
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.reading.past import Past
from tapelog_session.application.reading.queries import EVENTS_PAGE, EVENTS_PAGE_MAX, song_at
from tapelog_session.application.reading.resources import timestamp
from tapelog_session.application.reading.talk import is_internal, reads_client_thread_alone
from tapelog_session.application.song_commands import load_song
from tapelog_session.domain import story
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import SongName, VersionName
from tapelog_session.domain.roles import role_word
from tapelog_session.domain.versioning import version_diff
from tapelog_session.domain.versioning.versions import require_version


async def song_history(
    aggregates: Aggregates,
    log: EventLog,
    call: Call,
    name: SongName,
    request: rpc.GetSongHistoryRequest,
    *,
    past: Past,
) -> rpc.GetSongHistoryResponse:
    """Tell a song: who did what, in which role, and why."""
    size = coerce_page_size(request.page_size, default=EVENTS_PAGE, largest=EVENTS_PAGE_MAX)
    if request.after_sequence < 0:
        text = f"{request.after_sequence} is negative; 0 begins with the first fact"
        raise InvalidCommand("INVALID_AFTER_SEQUENCE", [("after_sequence", text)])
    after = int(decode_page_token(request.page_token, request) or request.after_sequence)
    access = await authorize(aggregates.projects, call, name.project)
    then = await song_at(aggregates, call, name, past)
    response = rpc.GetSongHistoryResponse()
    for event in await log.load(aggregates.songs.aggregate(call.tenant, name.song), after_sequence=after):
        if event.sequence > then.sequence and not past.is_now:
            break
        if reads_client_thread_alone(access) and is_internal(then.state, event):
            continue
        if len(response.lines) == size:
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.lines.append(line_of(event))
        after = event.sequence
    return response


def line_of(event: StoredEvent) -> rpc.HistoryLine:
    """Return one fact as a line of the story."""
    what, why = story.tell(EVENTS.decode(event))
    known = event.metadata
    role = pb.Role.Value(known.role_used) if known.role_used in pb.Role.keys() else pb.ROLE_UNSPECIFIED  # noqa: SIM118
    who = known.on_behalf_of or known.actor
    hat = f" ({role_word(role)})" if role else ""
    through = f" through {known.actor}" if known.on_behalf_of else ""
    because = f": {why}" if why else ""
    return rpc.HistoryLine(
        sequence=event.sequence,
        time=timestamp(event.time),
        actor=known.actor,
        on_behalf_of=known.on_behalf_of,
        role=role,
        what=what,
        why=why,
        text=f"{event.time:%Y-%m-%d %H:%M} {who}{hat}{through} {what}{because}",
        type=event.type,
    )


async def diff_versions(
    aggregates: Aggregates, call: Call, before: VersionName, after: VersionName
) -> rpc.DiffVersionsResponse:
    """Compare two versions of one kind and song."""
    if (before.song, before.kind) != (after.song, after.kind):
        text = f"{after} is not a version of the same kind and song as {before}"
        raise InvalidCommand("NOT_COMPARABLE", [("after", text)])
    await authorize(aggregates.projects, call, before.song.project)
    song = await load_song(aggregates, call.tenant, before.song)
    old, new = (require_version(song, name.kind, name.number) for name in (before, after))
    response = rpc.DiffVersionsResponse(
        recipe=[
            rpc.RecipeChange(path=change.path, before=change.before, after=change.after)
            for change in version_diff.recipe_changes(old, new)
        ],
        sound=[
            rpc.SoundChange(quantity=quantity, unit=unit, before=was, after=now)
            for quantity, unit, was, now in version_diff.diff_sound(old, new)
        ],
        same_samples=bool(old.sample_digest) and old.sample_digest == new.sample_digest,
    )
    gains = version_diff.match_gains_db(old, new)
    if gains is not None:
        response.before_match_gain_db, response.after_match_gain_db = gains
    return response
