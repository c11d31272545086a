"""Who reads which notes: the label reads the client thread, wherever notes or facts about them are shown."""

from __future__ import annotations

from typing import Any, Final

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.event_log import StoredEvent
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token

from tapelog_session.application.access import Access, Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.reading.past import Past
from tapelog_session.application.reading.resources import note_resource
from tapelog_session.application.song_commands import load_song
from tapelog_session.domain.names import SongName, parse_version
from tapelog_session.domain.permissions import LABEL
from tapelog_session.domain.song import Note, Song

ABOUT_NOTES: Final[dict[str, type[Any]]] = {
    message.DESCRIPTOR.full_name: message
    for message in (
        events_pb2.NoteAdded,
        events_pb2.NoteAddressed,
        events_pb2.NoteVerified,
        events_pb2.NoteReplied,
        events_pb2.NoteDeclined,
        events_pb2.NoteReopened,
    )
}


def reads_client_thread_alone(access: Access) -> bool:
    """Say whether the caller is on the project as the label and nothing else."""
    return access.roles == (LABEL,)


def for_label(song: pb.Song) -> pb.Song:
    """Take what is internal out of a song that the label reads."""
    client = [note for note in song.notes if note.thread == pb.NOTE_THREAD_CLIENT]
    del song.notes[:]
    song.notes.extend(client)
    return song


def is_internal(song: Song, event: StoredEvent) -> bool:
    """Say whether a fact is about an internal note of the song."""
    message = ABOUT_NOTES.get(event.schema)
    if message is None:
        return False
    fact = message.FromString(event.data)
    known = song.notes.get(fact.note.id if isinstance(fact, events_pb2.NoteAdded) else fact.note)
    return known is None or not known.is_client


async def list_notes(
    aggregates: Aggregates, call: Call, name: SongName, request: rpc.ListNotesRequest, past: Past
) -> rpc.ListNotesResponse:
    """List the notes of a song that the caller may read, oldest first."""
    size = coerce_page_size(request.page_size)
    after = int(decode_page_token(request.page_token, request) or 0)
    access = await authorize(aggregates.projects, call, name.project)
    await load_song(aggregates, call.tenant, name)
    aggregate = aggregates.songs.aggregate(call.tenant, name.song)
    song = (await aggregates.songs.load(aggregate, as_of_sequence=past.sequence, as_of_time=past.time)).state
    response = rpc.ListNotesResponse()
    for note in sorted(song.notes.values(), key=lambda note: note.order):
        if note.order <= after or not _is_wanted(note, request):
            continue
        if reads_client_thread_alone(access) and not note.is_client:
            continue
        if len(response.notes) == size:
            response.next_page_token = encode_page_token(str(after), request)
            break
        response.notes.append(note_resource(song, note))
        after = note.order
    return response


def _is_wanted(note: Note, request: rpc.ListNotesRequest) -> bool:
    if request.thread and note.is_client != (request.thread == pb.NOTE_THREAD_CLIENT):
        return False
    if request.states and note.state not in request.states:
        return False
    if request.version:
        name = parse_version(request.version, "version")
        return name.kind == note.kind and name.number in {note.number, note.carried_number}
    return True
