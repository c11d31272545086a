"""Work suspended, taken up again, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Song, changed


def put_on_hold(song: Song, reason: str) -> Sequence[Message]:
    """Suspend work in an open stage."""
    require_stage(song, "PutSongOnHold")
    _check_reason(reason)
    return [events_pb2.SongPutOnHold(**{"from": song.stage}, reason=reason)]


def resume(song: Song) -> Sequence[Message]:
    """Go on in the stage in which the song was put on hold."""
    require_stage(song, "ResumeSong")
    entered = events_pb2.StageEntered(**{"from": song.stage}, stage=song.held_stage, cycle=song.cycle)
    return [events_pb2.SongResumed(stage=song.held_stage), entered]


def cancel(song: Song, reason: str) -> Sequence[Message]:
    """Give the song up; what was made of it stays readable."""
    require_stage(song, "CancelSong")
    _check_reason(reason)
    return [events_pb2.SongCancelled(**{"from": song.stage}, reason=reason)]


def _check_reason(reason: str) -> None:
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.refuse()


def on_put_on_hold(song: Song, event: events_pb2.SongPutOnHold, _time: datetime) -> Song:
    """Rest, and remember where."""
    return changed(song, stage=pb.STAGE_ON_HOLD, held_stage=getattr(event, "from"))


def on_resumed(song: Song, event: events_pb2.SongResumed, _time: datetime) -> Song:
    """Go on."""
    return changed(song, stage=event.stage, held_stage=pb.STAGE_UNSPECIFIED)


def on_cancelled(song: Song, _event: events_pb2.SongCancelled, _time: datetime) -> Song:
    """End."""
    return changed(song, stage=pb.STAGE_CANCELLED)
