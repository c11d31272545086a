"""Notes and their threads."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.group import PAGE_SIZE, Group, pages, timestamp


class Notes(Group):
    """Notes on versions, takes and songs: `api.notes`."""

    async def add(
        self,
        version: str,
        text: str,
        *,
        frames: tuple[int, int] | None = None,
        tracks: Iterable[str] = (),
        category: "res.NoteCategory.ValueType" = res.NOTE_CATEGORY_UNSPECIFIED,
        severity: "res.NoteSeverity.ValueType" = res.NOTE_SEVERITY_SHOULD,
        thread: "res.NoteThread.ValueType" = res.NOTE_THREAD_UNSPECIFIED,
        etag: str = "",
        request_id: str = "",
    ) -> res.Note:
        """Add a note to a version.

        Parameters
        ----------
        frames : tuple of int, optional
            First frame, and first frame after the passage, at the song's rate; absent is the whole song.
        tracks : iterable of str
            Track ids; none is the whole mix.
        """
        passage = None if frames is None else audio_pb2.FrameRange(start_frame=frames[0], end_frame=frames[1])
        request = rpc.AddNoteRequest(
            version=version,
            range=passage,
            tracks=tracks,
            category=category,
            severity=severity,
            text=text,
            thread=thread,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.AddNote, request)

    async def add_to_song(
        self,
        song: str,
        text: str,
        *,
        take: str = "",
        category: "res.NoteCategory.ValueType" = res.NOTE_CATEGORY_UNSPECIFIED,
        severity: "res.NoteSeverity.ValueType" = res.NOTE_SEVERITY_SHOULD,
        thread: "res.NoteThread.ValueType" = res.NOTE_THREAD_UNSPECIFIED,
        etag: str = "",
        request_id: str = "",
    ) -> res.Note:
        """Add a note to a take (its id), or to the song as a whole."""
        request = rpc.AddNoteRequest(
            song=song,
            take=take,
            category=category,
            severity=severity,
            text=text,
            thread=thread,
            request_id=request_id,
            etag=etag,
        )
        return await self._link.unary(self._link.session.AddNote, request)

    async def address(
        self, song: str, note: str, answer: str, version: str = "", *, etag: str = "", request_id: str = ""
    ) -> res.Note:
        """Say that a note is done, and in which version."""
        request = rpc.AddressNoteRequest(
            song=song, note=note, answer=answer, version=version, request_id=request_id, etag=etag
        )
        return await self._link.unary(self._link.session.AddressNote, request)

    async def verify(self, song: str, note: str, *, etag: str = "", request_id: str = "") -> res.Note:
        """Confirm that a note is done."""
        request = rpc.VerifyNoteRequest(song=song, note=note, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.VerifyNote, request)

    async def reply(self, song: str, note: str, text: str, *, etag: str = "", request_id: str = "") -> res.Note:
        """Answer a note."""
        request = rpc.ReplyToNoteRequest(song=song, note=note, text=text, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ReplyToNote, request)

    async def decline(self, song: str, note: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Note:
        """Say that a note should not or cannot be done."""
        request = rpc.DeclineNoteRequest(song=song, note=note, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.DeclineNote, request)

    async def reopen(self, song: str, note: str, reason: str, *, etag: str = "", request_id: str = "") -> res.Note:
        """Let a note wait for an engineer again."""
        request = rpc.ReopenNoteRequest(song=song, note=note, reason=reason, request_id=request_id, etag=etag)
        return await self._link.unary(self._link.session.ReopenNote, request)

    def list(
        self,
        song: str,
        *,
        thread: "res.NoteThread.ValueType" = res.NOTE_THREAD_UNSPECIFIED,
        version: str = "",
        states: Iterable["res.NoteState.ValueType"] = (),
        as_of_sequence: int = 0,
        as_of_time: datetime | None = None,
    ) -> AsyncIterator[res.Note]:
        """Yield the notes of a song, oldest first: of a thread, on or carried to a version, in some states."""
        wanted = tuple(states)

        async def fetch(token: str) -> rpc.ListNotesResponse:
            request = rpc.ListNotesRequest(
                parent=song,
                page_size=PAGE_SIZE,
                page_token=token,
                thread=thread,
                version=version,
                states=wanted,
                as_of_sequence=as_of_sequence,
                as_of_time=timestamp(as_of_time),
            )
            return await self._link.unary(self._link.session.ListNotes, request)

        return pages(fetch, lambda page: page.notes, lambda page: page.next_page_token)
