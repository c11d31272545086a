"""A subscriber's own view of a song: public events folded, and read as the service would tell them."""

from datetime import UTC, datetime

from tapelog.common.v1 import event_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.song import Song


def after(state: Song, event: event_pb2.Event) -> Song:
    """Return the song after one more public event."""
    fact = EVENTS.types[event.type]()
    assert event.data.Unpack(fact)
    return evolve(state, fact, _time(event))


def as_read(state: Song, event: event_pb2.Event) -> res.Song:
    """Return the song as GetSong tells it right after an event."""
    return song_resource(Versioned(state, event.sequence, time=_time(event)))


def _time(event: event_pb2.Event) -> datetime:
    return event.time.ToDatetime(tzinfo=UTC)
