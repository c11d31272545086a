"""Open notes go on to the next version: what was not done there has to be done here."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.song import Song


def carry_over(song: Song, kind: KindValue, number: int, length_frames: int) -> Iterator[Message]:
    """Yield the carrying of open notes to a version that was rendered just now.

    Parameters
    ----------
    length_frames : int
        Its length; a passage of a version of another length has to be found again.
    """
    carried: dict[pb.NoteThread.ValueType, list[pb.CarriedNote]] = {}
    for known in sorted(song.notes.values(), key=lambda note: note.order):
        is_older = known.kind == kind and max(known.number, known.carried_number) < number
        if known.state == pb.NOTE_STATE_OPEN and is_older:
            made_on = song.versions(kind)[known.number].audio
            same = not known.content.HasField("range") or (
                bool(made_on) and made_on[0].format.length_frames == length_frames
            )
            anchor = pb.NOTE_ANCHOR_EXACT if same else pb.NOTE_ANCHOR_REBASED
            carried.setdefault(known.thread, []).append(pb.CarriedNote(note=known.id, anchor=anchor))
    # An event a thread: whoever follows the client thread alone learns nothing of the other one.
    for thread, notes in sorted(carried.items()):
        yield events_pb2.NotesCarriedOver(kind=kind, number=number, notes=notes, thread=thread)
