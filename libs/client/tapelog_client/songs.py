"""Songs, their briefs and their stages."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from tapelog.common.v1 import event_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import PAGE_SIZE, Group, pages, timestamp


class Songs(Group):
    """Songs: `api.songs`."""

    async def create(
        self,
        project: str,
        title: str,
        *,
        sample_rate_hz: int,
        bit_depth: int,
        external_ref: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Create a song in PRE_PRODUCTION."""
        request = rpc.CreateSongRequest(
            parent=project,
            title=title,
            sample_rate_hz=sample_rate_hz,
            bit_depth=bit_depth,
            external_ref=external_ref,
            request_id=request_id,
        )
        return await self._link.unary(self._link.session.CreateSong, request)

    async def get(self, name: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None) -> res.Song:
        """Read a song, now, or as it was after so many events or at a time."""
        request = rpc.GetSongRequest(name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.GetSong, request)

    def list(
        self,
        project: str,
        *,
        external_ref: str = "",
        stage: "res.Stage.ValueType" = res.STAGE_UNSPECIFIED,
        waiting_for: "res.Role.ValueType" = res.ROLE_UNSPECIFIED,
        open_notes: bool = False,
        person: str = "",
        as_of_time: datetime | None = None,
    ) -> AsyncIterator[res.Song]:
        """Yield the songs of a project, oldest first, now or as they were: all, or those that match."""

        async def fetch(token: str) -> rpc.ListSongsResponse:
            request = rpc.ListSongsRequest(
                parent=project,
                page_size=PAGE_SIZE,
                page_token=token,
                external_ref=external_ref,
                stage=stage,
                waiting_for=waiting_for,
                open_notes=open_notes,
                person=person,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.ListSongs, request)

        return pages(fetch, lambda page: page.songs, lambda page: page.next_page_token)

    def search(
        self,
        *,
        project: str = "",
        stage: "res.Stage.ValueType" = res.STAGE_UNSPECIFIED,
        person: str = "",
        external_ref: str = "",
        open_notes: bool = False,
        waiting_for: "res.Role.ValueType" = res.ROLE_UNSPECIFIED,
        waiting_for_person: str = "",
        title: str = "",
        as_of_time: datetime | None = None,
    ) -> AsyncIterator[rpc.SongSummary]:
        """Yield the songs of all the caller's projects that match, oldest first, now or as they were at a time."""

        async def fetch(token: str) -> rpc.SearchSongsResponse:
            request = rpc.SearchSongsRequest(
                project=project,
                stage=stage,
                person=person,
                external_ref=external_ref,
                open_notes=open_notes,
                waiting_for=waiting_for,
                waiting_for_person=waiting_for_person,
                title=title,
                page_size=PAGE_SIZE,
                page_token=token,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.SearchSongs, request)

        return pages(fetch, lambda page: page.songs, lambda page: page.next_page_token)

    def events(
        self, song: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> AsyncIterator[event_pb2.Event]:
        """Yield the facts of a song in order, straight from its log: all, or those until then."""

        async def fetch(token: str) -> rpc.ListSongEventsResponse:
            request = rpc.ListSongEventsRequest(
                parent=song,
                page_size=PAGE_SIZE,
                page_token=token,
                as_of_sequence=as_of_sequence,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.ListSongEvents, request)

        return pages(fetch, lambda page: page.events, lambda page: page.next_page_token)

    def history(
        self, song: str, *, after_sequence: int = 0, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> AsyncIterator[rpc.HistoryLine]:
        """Yield the story of a song, behind a sequence and until then: who did what, in which role, and why."""

        async def fetch(token: str) -> rpc.GetSongHistoryResponse:
            request = rpc.GetSongHistoryRequest(
                name=song,
                page_size=PAGE_SIZE,
                page_token=token,
                after_sequence=after_sequence,
                as_of_sequence=as_of_sequence,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.GetSongHistory, request)

        return pages(fetch, lambda page: page.lines, lambda page: page.next_page_token)

    async def register_work(
        self,
        song: str,
        title: str,
        writers: Iterable[str],
        *,
        iswc: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Link a musical work and its writers (party ids)."""
        work = res.Work(title=title, writers=writers, iswc=iswc)
        request = rpc.RegisterWorkRequest(song=song, work=work, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.RegisterWork, request)

    async def set_writers(
        self, song: str, work: int, writers: Iterable[str], *, etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Say anew who wrote a work, counted from 1 (party ids)."""
        request = rpc.SetWritersRequest(song=song, work=work, writers=writers, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SetWriters, request)

    async def attach_reference(
        self, song: str, reference: brief_pb2.ReferenceTrack, *, etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Attach a reference track, beside those that the brief agreed on."""
        request = rpc.AttachReferenceTrackRequest(song=song, reference=reference, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.AttachReferenceTrack, request)

    async def set_lyrics(
        self, song: str, text: str, *, language: str = "", etag: str = "", request_id: str = ""
    ) -> res.Song:
        """Set the words of the song; without text they are taken away."""
        lyrics = res.Lyrics(text=text, language=language)
        request = rpc.SetLyricsRequest(song=song, lyrics=lyrics, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SetLyrics, request)

    async def set_isrc(self, song: str, isrc: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Set the International Standard Recording Code."""
        request = rpc.SetCatalogueIdsRequest(song=song, isrc=isrc, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.SetCatalogueIds, request)

    async def approve_arrangement(self, song: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Approve the arrangement in the caller's role."""
        request = rpc.ApproveArrangementRequest(song=song, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ApproveArrangement, request)


class Briefs(Group):
    """The vision brief of a song: `api.briefs`."""

    async def propose(
        self,
        song: str,
        brief: brief_pb2.Brief,
        *,
        reason: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Propose the brief; from revision 2 on this amends it and needs a reason."""
        request = rpc.ProposeBriefRequest(song=song, brief=brief, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ProposeBrief, request)

    async def agree(self, song: str, revision: int, *, etag: str = "", request_id: str = "") -> res.Song:
        """Agree to a revision in the caller's role."""
        request = rpc.AgreeBriefRequest(song=song, revision=revision, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.AgreeBrief, request)

    async def check_recipe(self, song: str, recipe: recipe_pb2.MixRecipe) -> rpc.CheckRecipeResponse:
        """Check a recipe against the brief in force; nothing is stored, rendered or billed."""
        request = rpc.CheckRecipeRequest(song=song, recipe=recipe)
        return await self._link.unary(self._link.session.CheckRecipe, request)


class Stages(Group):
    """The stage gates of a song: `api.stages`."""

    async def evaluate(
        self, song: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> rpc.EvaluateGateResponse:
        """Evaluate every condition of the next gate, now or as it was; nothing is stored."""
        request = rpc.EvaluateGateRequest(song=song, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.EvaluateGate, request)

    async def advance(self, song: str, to: "res.Stage.ValueType", *, etag: str = "", request_id: str = "") -> res.Song:
        """Move the song to the next stage.

        Raises
        ------
        FailedPrecondition
            A condition of the gate is not met; `violations` lists all of them.
        """
        request = rpc.AdvanceStageRequest(song=song, to=to, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.AdvanceStage, request)

    async def send_back(
        self,
        song: str,
        to: "res.Stage.ValueType",
        reason: "res.SendBackReason.ValueType",
        notes: Iterable[str],
        *,
        comment: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Send the song back to an earlier stage, with the ids of the notes that say what has to be done."""
        request = rpc.SendBackSongRequest(
            song=song, to=to, reason=reason, comment=comment, notes=notes, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.SendBackSong, request)

    async def request_send_back(
        self,
        song: str,
        to: "res.Stage.ValueType",
        reason: "res.SendBackReason.ValueType",
        *,
        notes: Iterable[str] = (),
        comment: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> res.Song:
        """Ask for the song to be sent back; the artist's request is their consent."""
        request = rpc.RequestSendBackRequest(
            song=song, to=to, reason=reason, comment=comment, notes=notes, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.RequestSendBack, request)

    async def hold(self, song: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Suspend work."""
        request = rpc.PutSongOnHoldRequest(song=song, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.PutSongOnHold, request)

    async def resume(self, song: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Go on where the song was put on hold."""
        request = rpc.ResumeSongRequest(song=song, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ResumeSong, request)

    async def cancel(self, song: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Song:
        """Give the song up, for good."""
        request = rpc.CancelSongRequest(song=song, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.CancelSong, request)
