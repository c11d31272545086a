"""How events change the disagreements of a song."""

from __future__ import annotations

from datetime import datetime

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.song import Song, changed
from tapelog_session.domain.talk.disagreements import CLOSED, CONSENTED, DECIDED, OPEN, OPTIONS, POSITIONS_MIN, STATED


def _copy(song: Song, id_: str) -> pb.Disagreement:
    known = pb.Disagreement()
    known.CopyFrom(song.disagreements[id_])
    return known


def _with(song: Song, known: pb.Disagreement) -> Song:
    return changed(song, disagreements=song.disagreements.set(known.id, known))


def on_opened(song: Song, event: events_pb2.DisagreementOpened, time: datetime) -> Song:
    """Add a disagreement."""
    added = pb.Disagreement()
    added.CopyFrom(event.disagreement)
    added.create_time.FromDatetime(time)
    return _with(song, added)


def on_position_stated(song: Song, event: events_pb2.PositionStated, time: datetime) -> Song:
    """Keep the person's newest position."""
    known = _copy(song, event.disagreement)
    others = [position for position in known.positions if position.party != event.position.party]
    del known.positions[:]
    known.positions.extend(others)
    known.positions.add().CopyFrom(event.position)
    known.positions[-1].time.FromDatetime(time)
    if known.state == OPEN and len(known.positions) >= POSITIONS_MIN:
        known.state = STATED
    return _with(song, known)


def on_option_proposed(song: Song, event: events_pb2.OptionProposed, time: datetime) -> Song:
    """Add an option."""
    known = _copy(song, event.disagreement)
    known.options.add().CopyFrom(event.option)
    known.options[-1].time.FromDatetime(time)
    known.state = OPTIONS
    return _with(song, known)


def on_decided(song: Song, event: events_pb2.DecisionRecorded, time: datetime) -> Song:
    """Keep the decision."""
    known = _copy(song, event.disagreement)
    known.decision.CopyFrom(event.decision)
    known.decision.time.FromDatetime(time)
    known.state = DECIDED
    return _with(song, known)


def on_consented(song: Song, event: events_pb2.DecisionConsented, time: datetime) -> Song:
    """Add a consent."""
    known = _copy(song, event.disagreement)
    given = known.consents.add(party=event.party, role=event.role)
    given.time.FromDatetime(time)
    if event.complete:
        known.state = CONSENTED
    return _with(song, known)


def on_closed(song: Song, event: events_pb2.DisagreementClosed, _time: datetime) -> Song:
    """End it; what was said stays."""
    known = _copy(song, event.disagreement)
    known.state, known.close_comment = CLOSED, event.comment
    return _with(song, known)
