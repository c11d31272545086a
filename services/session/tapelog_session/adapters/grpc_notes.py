"""RPCs on notes."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application import song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading import talk
from tapelog_session.application.reading.resources import note_resource
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import SongName, parse_song, parse_version
from tapelog_session.domain.permissions import LABEL
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import notes


class NotePart(Part):
    """Notes and their threads."""

    @rpc
    async def AddNote(self, request: wire.AddNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        name = _subject(request)
        ids.validate_request_id(request.request_id)
        note = ids.derive_id("nt", call.tenant, call.principal.party, call.rpc, request.request_id)
        content = pb.Note(
            version=request.version,
            take=request.take,
            thread=request.thread,
            range=request.range if request.HasField("range") else None,
            tracks=request.tracks,
            category=request.category,
            severity=request.severity,
            text=request.text,
        )

        def owns(song: Song, role: RoleValue) -> bool:
            return notes.is_about_own_work(song, call.party, role, request.tracks)

        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name,
            lambda song, actor: notes.add_note(song, actor, note, content),
            owns=owns,
        )
        return _note(outcome, note)

    @rpc
    async def AddressNote(self, request: wire.AddressNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        name = parse_song(request.song, "song")
        done_in = parse_version(request.version, "version") if request.version else None
        if done_in is not None and done_in.song != name:
            raise InvalidCommand("OTHER_SONG", [("version", f"{done_in} is not of {name}")])
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name,
            lambda song, _: notes.address_note(song, request.note, request.answer, done_in),
        )
        return _note(outcome, request.note)

    @rpc
    async def VerifyNote(self, request: wire.VerifyNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, _: notes.verify_note(song, request.note),
        )
        return _note(outcome, request.note)

    @rpc
    async def ReplyToNote(self, request: wire.ReplyToNoteRequest, call: Call) -> pb.Note:
        """See the proto."""

        def owns(song: Song, role: RoleValue) -> bool:
            known = song.notes.get(request.note)
            tracks = known.content.tracks if known is not None else ()
            is_own = notes.is_authors(song, call.party, request.note)
            return is_own or notes.is_about_own_work(song, call.party, role, tracks)

        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: notes.reply(song, actor, request.note, request.text),
            owns=owns,
        )
        return _note(outcome, request.note)

    @rpc
    async def DeclineNote(self, request: wire.DeclineNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, _: notes.decline(song, request.note, request.reason),
        )
        return _note(outcome, request.note)

    @rpc
    async def ReopenNote(self, request: wire.ReopenNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: notes.reopen(song, actor, request.note, request.reason),
            owns=lambda song, role: role == LABEL and notes.is_authors(song, call.party, request.note),
        )
        return _note(outcome, request.note)

    @rpc
    async def ListNotes(self, request: wire.ListNotesRequest, call: Call) -> wire.ListNotesResponse:
        """See the proto."""
        name = parse_song(request.parent, "parent")
        return await talk.list_notes(self._aggregates, call, name, request, past_of(request))


def _note(outcome: Outcome[Song], note: str) -> pb.Note:
    song = outcome.versioned.state
    return note_resource(song, song.notes[note])


def _subject(request: wire.AddNoteRequest) -> SongName:
    """Return the song that a new note is about, by its version or by itself."""
    if not request.version:
        return parse_song(request.song, "song")
    song = parse_version(request.version, "version").song
    if request.song not in ("", str(song)):
        raise InvalidCommand("OTHER_SONG", [("version", f"{request.version} is not of {request.song}")])
    return song
