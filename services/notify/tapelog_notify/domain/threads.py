"""Threads that notes are kept apart in, and which of them an event is of: the label reads the client thread alone."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from google.protobuf.message import DecodeError
from tapelog.notify.v1 import resources_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as session

from .errors import InvalidValue


class Thread(Enum):
    """Who reads a note; the value ends the subject of events that the internal thread does not have."""

    INTERNAL = "internal"
    CLIENT = "client"


_THREADS: Final[Mapping[str, Callable[[bytes], int]]] = {
    "tapelog.song.note_added.v1": lambda data: events_pb2.NoteAdded.FromString(data).note.thread,
    "tapelog.song.note_addressed.v1": lambda data: events_pb2.NoteAddressed.FromString(data).thread,
    "tapelog.song.note_verified.v1": lambda data: events_pb2.NoteVerified.FromString(data).thread,
    "tapelog.song.note_replied.v1": lambda data: events_pb2.NoteReplied.FromString(data).thread,
    "tapelog.song.note_declined.v1": lambda data: events_pb2.NoteDeclined.FromString(data).thread,
    "tapelog.song.note_reopened.v1": lambda data: events_pb2.NoteReopened.FromString(data).thread,
    "tapelog.song.notes_carried_over.v1": lambda data: events_pb2.NotesCarriedOver.FromString(data).thread,
}
NOTE_TYPES: Final = frozenset(_THREADS)
"""Every event type that belongs to a thread."""

_OF_PROTO: Final[Mapping[int, Thread | None]] = {
    resources_pb2.EVENT_THREAD_UNSPECIFIED: None,
    resources_pb2.EVENT_THREAD_INTERNAL: Thread.INTERNAL,
    resources_pb2.EVENT_THREAD_CLIENT: Thread.CLIENT,
}


def thread_of(type_: str, data: bytes) -> Thread | None:
    """
    Return the thread that an event is of; None where it is about no note.

    An event that does not say it, as those of early versions, or cannot be read, is internal: nothing is shown to the
    label by mistake.
    """
    read = _THREADS.get(type_)
    if read is None:
        return None
    try:
        return Thread.CLIENT if read(data) == session.NOTE_THREAD_CLIENT else Thread.INTERNAL
    except DecodeError:
        return Thread.INTERNAL


def audience_of(type_: str, data: bytes) -> str:
    """Return what ends the event's public subject: `client`, or nothing."""
    return Thread.CLIENT.value if thread_of(type_, data) is Thread.CLIENT else ""


def wanted_thread(value: int) -> Thread | None:
    """Read the thread of a filter; `InvalidValue` for a number that is none."""
    try:
        return _OF_PROTO[value]
    except KeyError:
        raise InvalidValue("filter.thread", "NO_SUCH_THREAD", f"{value} is not a thread") from None


def thread_message(thread: Thread | None) -> resources_pb2.EventThread.ValueType:
    """Write the thread of a filter."""
    if thread is None:
        return resources_pb2.EVENT_THREAD_UNSPECIFIED
    return resources_pb2.EVENT_THREAD_CLIENT if thread is Thread.CLIENT else resources_pb2.EVENT_THREAD_INTERNAL
