"""RPCs on songs: their beginning and their brief."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, past_of, request_of, rpc
from tapelog_session.application import references, song_commands
from tapelog_session.application.access import Call
from tapelog_session.application.reading import finding, histories, queries
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.song_commands import Decision
from tapelog_session.domain import songs
from tapelog_session.domain.names import parse_project, parse_song
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning import stems
from tapelog_session.domain.vision import brief

SongRequest = (
    wire.RegisterWorkRequest
    | wire.SetWritersRequest
    | wire.SetLyricsRequest
    | wire.SetCatalogueIdsRequest
    | wire.ProposeBriefRequest
    | wire.AttachReferenceTrackRequest
    | wire.AgreeBriefRequest
    | wire.ApproveArrangementRequest
)


class SongPart(Part):
    """Songs, works, briefs."""

    async def _decided(
        self,
        request: SongRequest,
        call: Call,
        decide: Decision,
        prefer: Callable[[Song], Sequence[RoleValue]] | None = None,
    ) -> pb.Song:
        """Execute a command on the song that the request names, and return the song."""
        name = parse_song(request.song, "song")
        outcome = await song_commands.on_song(self._aggregates, call, request_of(request), name, decide, prefer=prefer)
        return song_resource(outcome.versioned)

    async def _with_references(
        self,
        request: SongRequest,
        call: Call,
        named: Iterable[brief_pb2.ReferenceTrack],
        decide: Decision,
    ) -> pb.Song:
        """Execute a command that names reference tracks."""
        name = parse_song(request.song, "song")
        return await self._decided(
            request, call, await references.of_project(self._aggregates, call, name, named, decide)
        )

    @rpc
    async def CreateSong(self, request: wire.CreateSongRequest, call: Call) -> pb.Song:
        """See the proto."""
        song = events_pb2.SongCreated(
            title=request.title,
            sample_rate_hz=request.sample_rate_hz,
            bit_depth=request.bit_depth,
            external_ref=request.external_ref,
        )
        project = parse_project(request.parent, "parent")
        outcome = await song_commands.create_song(self._aggregates, call, request_of(request), project, song)
        return song_resource(outcome.versioned)

    @rpc
    async def GetSong(self, request: wire.GetSongRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await queries.get_song(self._aggregates, call, parse_song(request.name, "name"), past_of(request))

    @rpc
    async def ListSongs(self, request: wire.ListSongsRequest, call: Call) -> wire.ListSongsResponse:
        """See the proto."""
        desk = self._desk
        return await finding.list_songs(self._aggregates, desk.views, desk.index, call, request, past=past_of(request))

    @rpc
    async def SearchSongs(self, request: wire.SearchSongsRequest, call: Call) -> wire.SearchSongsResponse:
        """See the proto."""
        desk = self._desk
        return await finding.search_songs(
            self._aggregates, desk.views, desk.index, call, request, past=past_of(request)
        )

    @rpc
    async def ListSongEvents(self, request: wire.ListSongEventsRequest, call: Call) -> wire.ListSongEventsResponse:
        """See the proto."""
        name = parse_song(request.parent, "parent")
        return await queries.list_song_events(
            self._aggregates, self._desk.log, call, name, request, past=past_of(request)
        )

    @rpc
    async def GetSongHistory(self, request: wire.GetSongHistoryRequest, call: Call) -> wire.GetSongHistoryResponse:
        """See the proto."""
        name = parse_song(request.name, "name")
        return await histories.song_history(
            self._aggregates, self._desk.log, call, name, request, past=past_of(request)
        )

    @rpc
    async def RegisterWork(self, request: wire.RegisterWorkRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(request, call, lambda song, _: songs.register_work(song, request.work))

    @rpc
    async def SetWriters(self, request: wire.SetWritersRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(
            request, call, lambda song, _: songs.set_writers(song, request.work, request.writers)
        )

    @rpc
    async def SetLyrics(self, request: wire.SetLyricsRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(request, call, lambda song, _: stems.set_lyrics(song, request.lyrics))

    @rpc
    async def SetCatalogueIds(self, request: wire.SetCatalogueIdsRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(request, call, lambda song, _: songs.set_catalogue_ids(song, request.isrc))

    @rpc
    async def ProposeBrief(self, request: wire.ProposeBriefRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._with_references(
            request,
            call,
            request.brief.references,
            lambda song, _: brief.propose_brief(song, request.brief, request.reason),
        )

    @rpc
    async def AttachReferenceTrack(self, request: wire.AttachReferenceTrackRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._with_references(
            request,
            call,
            [request.reference],
            lambda song, actor: brief.attach_reference(song, actor, request.reference),
        )

    @rpc
    async def AgreeBrief(self, request: wire.AgreeBriefRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(
            request,
            call,
            lambda song, actor: brief.agree_brief(song, actor, request.revision),
            prefer=song_commands.missing_for_brief,
        )

    @rpc
    async def CheckRecipe(self, request: wire.CheckRecipeRequest, call: Call) -> wire.CheckRecipeResponse:
        """See the proto."""
        return await queries.check_recipe(self._aggregates, call, parse_song(request.song, "song"), request.recipe)

    @rpc
    async def ApproveArrangement(self, request: wire.ApproveArrangementRequest, call: Call) -> pb.Song:
        """See the proto."""
        return await self._decided(
            request, call, brief.approve_arrangement, prefer=song_commands.missing_for_arrangement
        )
