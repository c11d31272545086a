"""Notes on a version, a take or the song: answered, addressed or declined, verified, reopened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.names import VersionName, parse_version
from tapelog_session.domain.permissions import LABEL, MUSICIAN, SONGWRITER, require_stage
from tapelog_session.domain.roles import Actor, RoleValue
from tapelog_session.domain.song import Note, Song, Version
from tapelog_session.domain.versioning.versions import require_version

NOTES_MAX: Final = 4000
NOTE_TRACKS_MAX: Final = 64
REPLIES_MAX: Final = 64
"""Answers to one note; a longer talk is a disagreement."""
_CATEGORIES: Final = frozenset(pb.NoteCategory.values())
_SEVERITIES: Final = frozenset(pb.NoteSeverity.values()) - {pb.NOTE_SEVERITY_UNSPECIFIED}
_THREADS: Final = frozenset(pb.NoteThread.values())
SETTLED: Final = frozenset({pb.NOTE_STATE_VERIFIED})
"""States in which nobody is waited for."""


def add_note(song: Song, actor: Actor, note: str, content: pb.Note) -> Sequence[Message]:
    """Add a note to a version, to a take, or to the song.

    Parameters
    ----------
    note : str
        Its new id.
    content : Note
        Version or take or neither, range, tracks, category, severity and text; the rest is set here.
    """
    require_stage(song, "AddNote")
    if content.take and content.take not in song.takes:
        raise Unknown("NO_SUCH_TAKE", f"the song has no take {content.take!r}", take=content.take)
    is_label = actor.role == LABEL
    if is_label and content.thread == pb.NOTE_THREAD_INTERNAL:
        raise InvalidCommand("NOT_FOR_THE_LABEL", [("thread", "the label writes in the client thread")])
    version = None
    if content.version:
        name = parse_version(content.version, "version")
        version = require_version(song, name.kind, name.number)
    _check_content(song, version, content)
    if len(song.notes) >= NOTES_MAX:
        raise NotNow("TOO_MANY_NOTES", f"the song has {NOTES_MAX} notes, which is the limit", limit=NOTES_MAX)
    added = pb.Note(
        id=note,
        version=content.version,
        take=content.take,
        range=content.range if content.HasField("range") else None,
        tracks=content.tracks,
        category=content.category,
        severity=content.severity,
        text=content.text,
        author=actor.party,
        author_role=actor.role,
        thread=pb.NOTE_THREAD_CLIENT if is_label else content.thread or pb.NOTE_THREAD_INTERNAL,
        state=pb.NOTE_STATE_OPEN,
    )
    return [events_pb2.NoteAdded(note=added)]


def address_note(song: Song, note: str, answer: str, done_in: VersionName | None) -> Sequence[Message]:
    """Say that a note is done, and in which version if it is about one."""
    require_stage(song, "AddressNote")
    fields = Fields()
    fields.text("answer", answer, TEXT_CHARS_MAX)
    fields.refuse()
    known = require_note(song, note)
    if done_in is not None:
        require_version(song, done_in.kind, done_in.number)
    elif known.number:
        raise InvalidCommand("VERSION_MISSING", [("version", "name the version in which the note is done")])
    if known.state != pb.NOTE_STATE_OPEN:
        raise _wrong_state(known, "only an open note can be addressed")
    return [events_pb2.NoteAddressed(note=note, answer=answer, version=str(done_in or ""), thread=known.thread)]


def verify_note(song: Song, note: str) -> Sequence[Message]:
    """Confirm that a note is done, or that it may stay declined."""
    require_stage(song, "VerifyNote")
    known = require_note(song, note)
    if known.state not in {pb.NOTE_STATE_ADDRESSED, pb.NOTE_STATE_DECLINED}:
        raise _wrong_state(known, "only a note that was addressed or declined can be verified")
    return [events_pb2.NoteVerified(note=note, thread=known.thread)]


def reply(song: Song, actor: Actor, note: str, text: str) -> Sequence[Message]:
    """Answer a note."""
    require_stage(song, "ReplyToNote")
    _check_text("text", text)
    known = _readable(song, actor, note)
    if len(known.replies) >= REPLIES_MAX:
        raise NotNow("TOO_MANY_REPLIES", f"note {note} has {REPLIES_MAX} replies, which is the limit: make a new note")
    answer = pb.NoteReply(author=actor.party, author_role=actor.role, text=text)
    return [events_pb2.NoteReplied(note=note, reply=answer, thread=known.thread)]


def decline(song: Song, note: str, reason: str) -> Sequence[Message]:
    """Say that a note should not or cannot be done; artist or producer verify that, or reopen the note."""
    require_stage(song, "DeclineNote")
    _check_text("reason", reason)
    known = require_note(song, note)
    if known.state not in {pb.NOTE_STATE_OPEN, pb.NOTE_STATE_ADDRESSED}:
        raise _wrong_state(known, "only a note that is worked on can be declined")
    return [events_pb2.NoteDeclined(note=note, reason=reason, thread=known.thread)]


def reopen(song: Song, actor: Actor, note: str, reason: str) -> Sequence[Message]:
    """Let a note wait for an engineer again."""
    require_stage(song, "ReopenNote")
    _check_text("reason", reason)
    known = _readable(song, actor, note)
    if known.state == pb.NOTE_STATE_OPEN:
        raise _wrong_state(known, "it waits for an engineer already")
    return [events_pb2.NoteReopened(note=note, reason=reason, thread=known.thread)]


def _readable(song: Song, actor: Actor, note: str) -> Note:
    """Return a note that the actor may read; to the label an internal one does not exist."""
    known = require_note(song, note)
    if actor.role == LABEL and not known.is_client:
        raise Unknown("NO_SUCH_NOTE", f"the song has no note {note!r}", note=note)
    return known


def _check_text(field: str, text: str) -> None:
    fields = Fields()
    fields.text(field, text, TEXT_CHARS_MAX)
    fields.refuse()


def is_authors(song: Song, party: str, note: str) -> bool:
    """Say whether a person made a note."""
    known = song.notes.get(note)
    return known is not None and known.content.author == party


def is_about_own_work(song: Song, party: str, role: RoleValue, tracks: Sequence[str]) -> bool:
    """Say whether a note on these tracks is about what the person contributed in a role."""
    if role == SONGWRITER:
        return any(party in work.writers for work in song.works)
    if role == MUSICIAN:
        played = {take.track for take in song.takes.values() if take.recorded_by == party}
        return bool(tracks) and set(tracks) <= played
    return False


def require_note(song: Song, note: str) -> Note:
    """Return a note of the song, or refuse."""
    known = song.notes.get(note)
    if known is None:
        raise Unknown("NO_SUCH_NOTE", f"the song has no note {note!r}", note=note)
    return known


def _check_content(song: Song, version: Version | None, content: pb.Note) -> None:
    fields = Fields()
    fields.that(version is None or not content.take, "take", "a note is about a version or about a take, not both")
    fields.text("text", content.text, TEXT_CHARS_MAX)
    fields.that(content.category in _CATEGORIES, "category", f"{content.category} is not a category")
    fields.that(
        content.severity in _SEVERITIES,
        "severity",
        "say how heavy it is: BLOCKER, SHOULD or NICE",
    )
    fields.that(content.thread in _THREADS, "thread", f"{content.thread} is not a thread")
    fields.that(len(content.tracks) <= NOTE_TRACKS_MAX, "tracks", f"at most {NOTE_TRACKS_MAX}")
    for track in content.tracks:
        fields.that(track in song.tracks, "tracks", f"the song has no track {track[:64]!r}")
    if content.HasField("range"):
        start, end = content.range.start_frame, content.range.end_frame
        fields.that(0 <= start < end, "range", f"[{start}, {end}) must begin at 0 or later and end after it begins")
        audio = version.audio[0] if version is not None and version.audio else None
        if audio is not None and audio.format.sample_rate_hz == song.sample_rate_hz:
            length = audio.format.length_frames
            fields.that(end <= length, "range.end_frame", f"{end} is behind the version's {length} frames")
    fields.refuse()


def _wrong_state(note: Note, rule: str) -> NotNow:
    state = pb.NoteState.Name(note.state).removeprefix("NOTE_STATE_")
    return NotNow("WRONG_NOTE_STATE", f"note {note.id} is {state}: {rule}", state=state, note=note.id)
