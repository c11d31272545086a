"""How events change the notes of a song."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import parse_version
from tapelog_session.domain.song import Note, Song, changed


def on_note_added(song: Song, event: events_pb2.NoteAdded, time: datetime) -> Song:
    """Add a note."""
    name = parse_version(event.note.version, "version") if event.note.version else None
    note = Note(
        id=event.note.id,
        order=len(song.notes) + 1,
        kind=name.kind if name else pb.VERSION_KIND_UNSPECIFIED,
        number=name.number if name else 0,
        content=event.note,
        state=pb.NOTE_STATE_OPEN,
        create_time=time,
    )
    return changed(song, notes=song.notes.set(note.id, note))


def on_note_addressed(song: Song, event: events_pb2.NoteAddressed, _time: datetime) -> Song:
    """Keep the answer."""
    note = dataclasses.replace(
        song.notes[event.note], state=pb.NOTE_STATE_ADDRESSED, answer=event.answer, answered_in=event.version
    )
    return changed(song, notes=song.notes.set(note.id, note))


def on_note_verified(song: Song, event: events_pb2.NoteVerified, _time: datetime) -> Song:
    """Close the note."""
    note = dataclasses.replace(song.notes[event.note], state=pb.NOTE_STATE_VERIFIED)
    return changed(song, notes=song.notes.set(note.id, note))


def on_note_replied(song: Song, event: events_pb2.NoteReplied, time: datetime) -> Song:
    """Add an answer."""
    answer = pb.NoteReply()
    answer.CopyFrom(event.reply)
    answer.time.FromDatetime(time)
    return _changed(song, event.note, replies=(*song.notes[event.note].replies, answer))


def on_note_declined(song: Song, event: events_pb2.NoteDeclined, _time: datetime) -> Song:
    """Keep why it is declined."""
    return _changed(song, event.note, state=pb.NOTE_STATE_DECLINED, answer=event.reason)


def on_note_reopened(song: Song, event: events_pb2.NoteReopened, _time: datetime) -> Song:
    """Let it wait again; who reopened it and why stands in the log."""
    return _changed(song, event.note, state=pb.NOTE_STATE_OPEN)


def on_notes_carried_over(song: Song, event: events_pb2.NotesCarriedOver, _time: datetime) -> Song:
    """Let the notes hold for the version."""
    for carried in event.notes:
        song = _changed(song, carried.note, carried_number=event.number, anchor=carried.anchor)
    return song


def _changed(song: Song, note: str, **changes: Any) -> Song:
    known = dataclasses.replace(song.notes[note], **changes)
    return changed(song, notes=song.notes.set(note, known))
