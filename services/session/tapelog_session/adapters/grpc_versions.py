"""RPCs on versions, alternates and notes."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis import ids
from tapelog_chassis.commands import Outcome

from tapelog_session.adapters.grpc_common import Part, request_of, rpc
from tapelog_session.application import queries, song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.resources import note_resource, song_resource, song_version
from tapelog_session.domain import notes, reviews, songs, versions
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import KindValue, SongName, parse_song, parse_version
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song
from tapelog_session.domain.versions import MASTER, MIX


class VersionPart(Part):
    """Versions, alternates, notes."""

    @rpc
    async def ProposeMixVersion(self, request: wire.ProposeMixVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: versions.propose_mix(song, actor, request.recipe, request.comment),
        )
        return _proposed(outcome, MIX)

    @rpc
    async def ProposeMasterVersion(self, request: wire.ProposeMasterVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            parse_song(request.song, "song"),
            lambda song, actor: versions.propose_master(
                song, actor, request.recipe, request.comment, targets=self._desk.targets
            ),
        )
        return _proposed(outcome, MASTER)

    @rpc
    async def GetVersion(self, request: wire.GetVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        return await queries.get_version(self._aggregates, call, parse_version(request.name, "name"))

    @rpc
    async def SubmitVersion(self, request: wire.SubmitVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: versions.submit(song, name.kind, name.number),
            kind=name.kind,
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def RequestChanges(self, request: wire.RequestChangesRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: reviews.request_changes(song, name.kind, name.number, request.summary, request.notes),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def ApproveVersion(self, request: wire.ApproveVersionRequest, call: Call) -> pb.Version:
        """See the proto."""
        name = parse_version(request.name, "name")
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, actor: reviews.approve(
                song,
                actor,
                name.kind,
                name.number,
                sample_digest=request.sample_digest,
                brief_revision=request.brief_revision,
            ),
            prefer=lambda song: song_commands.missing_for_version(song, name.kind, name.number),
        )
        return song_version(outcome.versioned, name.kind, name.number)

    @rpc
    async def RequestAlternates(self, request: wire.RequestAlternatesRequest, call: Call) -> pb.Song:
        """See the proto."""
        name = parse_version(request.version, "version")
        if name.kind != MIX:
            raise InvalidCommand("NOT_A_MIX", [("version", f"{name} is no mix; alternates are made of mixes")])
        outcome = await song_commands.on_song(
            self._aggregates,
            call,
            request_of(request),
            name.song,
            lambda song, _: songs.request_alternates(song, name.number, request.alternates),
        )
        return song_resource(outcome.versioned)

    @rpc
    async def AddNote(self, request: wire.AddNoteRequest, call: Call) -> pb.Note:
        """See the proto."""
        name = _subject(request)
        ids.validate_request_id(request.request_id)
        note = ids.derive_id("nt", call.tenant, call.principal.party, call.rpc, request.request_id)
        content = pb.Note(
            version=request.version,
            take=request.take,
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
        return note_resource(outcome.versioned.state.notes[note])

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
        return note_resource(outcome.versioned.state.notes[request.note])

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
        return note_resource(outcome.versioned.state.notes[request.note])


def _proposed(outcome: Outcome[Song], kind: KindValue) -> pb.Version:
    """Return the version that a proposal made; its event comes first."""
    event = events_pb2.MixVersionProposed if kind == MIX else events_pb2.MasterVersionProposed
    return song_version(outcome.versioned, kind, event.FromString(outcome.events[0].data).number)


def _subject(request: wire.AddNoteRequest) -> SongName:
    """Return the song that a new note is about, by its version or by itself."""
    if not request.version:
        return parse_song(request.song, "song")
    song = parse_version(request.version, "version").song
    if request.song not in ("", str(song)):
        raise InvalidCommand("OTHER_SONG", [("version", f"{request.version} is not of {request.song}")])
    return song
