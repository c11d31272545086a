"""The StudioSession aggregate: who was there, with what, and who contributed what."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, TITLE_CHARS_MAX, Fields
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.names import parse_song
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song, changed

ATTENDEES_MAX: Final = 200
EQUIPMENT_MAX: Final = 512
EQUIPMENT_PER_REQUEST_MAX: Final = 64
CONTRIBUTIONS_MAX: Final = 1000
TAKES_PER_CONTRIBUTION_MAX: Final = 256


@dataclasses.dataclass(frozen=True, slots=True)
class StudioSession:
    """A dated event at a venue; `content` is what is read of it, without name and etag."""

    id: str = ""
    project: str = ""
    song: str = ""
    content: pb.StudioSession = dataclasses.field(default_factory=pb.StudioSession)

    @property
    def exists(self) -> bool:
        """Whether it was opened."""
        return bool(self.id)


def open_session(state: StudioSession, opened: pb.StudioSession) -> Sequence[Message]:
    """Open a session; `opened` carries the names and the opener that the caller derived."""
    if state.exists:
        raise NotNow("SESSION_EXISTS", f"studio session {state.id} exists already")
    fields = Fields()
    known = opened.type in pb.StudioSessionType.values() and opened.type != pb.STUDIO_SESSION_TYPE_UNSPECIFIED
    fields.that(known, "type", "say what it is held for: one of StudioSessionType")
    fields.text("venue", opened.venue, TITLE_CHARS_MAX)
    fields.text("room", opened.room, TITLE_CHARS_MAX, chars_min=0)
    fields.that(len(opened.attendees) <= ATTENDEES_MAX, "attendees", f"at most {ATTENDEES_MAX}")
    for index, attendee in enumerate(opened.attendees[:ATTENDEES_MAX]):
        _check_person(fields, f"attendees[{index}]", attendee.party, attendee.role)
    fields.refuse()
    return [events_pb2.StudioSessionOpened(session=opened)]


def log_attendee(state: StudioSession, attendee: pb.Attendee) -> Sequence[Message]:
    """Note that somebody is there; nothing if that was noted."""
    fields = Fields()
    _check_person(fields, "attendee", attendee.party, attendee.role)
    fields.refuse()
    if attendee in state.content.attendees:
        return []
    if len(state.content.attendees) >= ATTENDEES_MAX:
        raise NotNow("TOO_MANY_ATTENDEES", f"the session has {ATTENDEES_MAX} attendees, which is the limit")
    return [events_pb2.AttendeeLogged(attendee=attendee)]


def log_equipment(state: StudioSession, equipment: Sequence[str]) -> Sequence[Message]:
    """Note what equipment is used."""
    fields = Fields()
    count = len(equipment)
    fields.that(
        1 <= count <= EQUIPMENT_PER_REQUEST_MAX,
        "equipment",
        f"name 1 to {EQUIPMENT_PER_REQUEST_MAX} pieces, there are {count}",
    )
    for line in equipment[:EQUIPMENT_PER_REQUEST_MAX]:
        fields.text("equipment", line, TITLE_CHARS_MAX)
    fields.refuse()
    if len(state.content.equipment) + count > EQUIPMENT_MAX:
        raise NotNow("TOO_MUCH_EQUIPMENT", f"the session would have more than {EQUIPMENT_MAX} pieces, the limit")
    return [events_pb2.EquipmentLogged(equipment=equipment)]


def log_contribution(
    state: StudioSession, song: Song, id_: str, wanted: pb.Contribution, logged_by: str
) -> Sequence[Message]:
    """Note who contributed what; who notes their own contribution has confirmed it.

    Parameters
    ----------
    id_ : str
        Its new id.
    """
    fields = Fields()
    _check_person(fields, "contribution", wanted.party, wanted.role)
    fields.text("contribution.detail", wanted.detail, TITLE_CHARS_MAX, chars_min=0)
    count = len(wanted.takes)
    fields.that(
        count <= TAKES_PER_CONTRIBUTION_MAX, "contribution.takes", f"{count} are more than {TAKES_PER_CONTRIBUTION_MAX}"
    )
    for take in wanted.takes[:TAKES_PER_CONTRIBUTION_MAX]:
        fields.that(take in song.takes, "contribution.takes", f"the song has no take {take[:64]!r}")
    fields.refuse()
    if len(state.content.contributions) >= CONTRIBUTIONS_MAX:
        raise NotNow("TOO_MANY_CONTRIBUTIONS", f"the session has {CONTRIBUTIONS_MAX} contributions, which is the limit")
    is_own = wanted.party == logged_by
    logged = pb.Contribution(
        id=id_,
        party=wanted.party,
        role=wanted.role,
        detail=wanted.detail,
        takes=wanted.takes,
        state=pb.CONTRIBUTION_STATE_CONFIRMED if is_own else pb.CONTRIBUTION_STATE_LOGGED,
        logged_by=logged_by,
    )
    return [events_pb2.ContributionLogged(contribution=logged)]


def confirm(state: StudioSession, id_: str) -> Sequence[Message]:
    """Say that one's contribution is right; nothing if that was said."""
    known = require_contribution(state, id_)
    if known.state == pb.CONTRIBUTION_STATE_CONFIRMED:
        return []
    return [events_pb2.ContributionConfirmed(contribution=id_)]


def dispute(state: StudioSession, id_: str, reason: str) -> Sequence[Message]:
    """Say that one's contribution is not right, and why."""
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.refuse()
    require_contribution(state, id_)
    return [events_pb2.ContributionDisputed(contribution=id_, reason=reason)]


def close(state: StudioSession, end_time: Timestamp) -> Sequence[Message]:
    """End a session."""
    if state.content.HasField("end_time"):
        raise NotNow("SESSION_CLOSED", f"studio session {state.id} has ended already")
    if end_time.ToNanoseconds() < state.content.start_time.ToNanoseconds():
        raise InvalidCommand("INVALID_TIME", [("end_time", "is before the session began")])
    return [events_pb2.StudioSessionClosed(end_time=end_time)]


def count_of(state: StudioSession, sequence: int) -> pb.ContributionCount:
    """Count the contributions of a session."""
    states = [contribution.state for contribution in state.content.contributions]
    return pb.ContributionCount(
        studio_session=state.id,
        waiting=states.count(pb.CONTRIBUTION_STATE_LOGGED),
        confirmed=states.count(pb.CONTRIBUTION_STATE_CONFIRMED),
        disputed=states.count(pb.CONTRIBUTION_STATE_DISPUTED),
        session_sequence=sequence,
    )


def settle(song: Song, count: pb.ContributionCount) -> Sequence[Message]:
    """Record a count on the song; nothing if a newer one is there, or it says nothing new."""
    known = song.contributions.get(count.studio_session)
    if known is not None:
        same = (known.waiting, known.confirmed, known.disputed) == (count.waiting, count.confirmed, count.disputed)
        if same or known.session_sequence >= count.session_sequence:
            return []
    return [events_pb2.ContributionsSettled(count=count)]


def on_settled(song: Song, event: events_pb2.ContributionsSettled, _time: datetime) -> Song:
    """Keep the newest count of a session."""
    contributions = song.contributions.set(event.count.studio_session, event.count)
    return changed(song, contributions=contributions)


def require_contribution(state: StudioSession, id_: str) -> pb.Contribution:
    """Return a contribution of the session, or refuse."""
    known = next((c for c in state.content.contributions if c.id == id_), None)
    if known is None:
        raise Unknown("NO_SUCH_CONTRIBUTION", f"the session has no contribution {id_[:64]!r}", contribution=id_[:64])
    return known


def is_of(state: StudioSession, party: str, id_: str) -> bool:
    """Say whether a contribution is a person's own."""
    return any((c.id, c.party) == (id_, party) for c in state.content.contributions)


def _check_person(fields: Fields, path: str, party: str, role: RoleValue) -> None:
    fields.id(f"{path}.party", party)
    known = role in pb.Role.values() and role != pb.ROLE_UNSPECIFIED
    fields.that(known, f"{path}.role", f"{role} is not a role")


def evolve(state: StudioSession, event: Message, time: datetime) -> StudioSession:
    """Return the session after an event."""
    content = pb.StudioSession()
    content.CopyFrom(state.content)
    match event:
        case events_pb2.StudioSessionOpened():
            content.CopyFrom(event.session)
            if not content.HasField("start_time"):
                content.start_time.FromDatetime(time)
            name = parse_song(content.song, "song")
            return StudioSession(content.name.rpartition("/")[2], name.project, name.song, content)
        case events_pb2.AttendeeLogged():
            content.attendees.add().CopyFrom(event.attendee)
        case events_pb2.EquipmentLogged():
            content.equipment.extend(event.equipment)
        case events_pb2.ContributionLogged():
            content.contributions.add().CopyFrom(event.contribution)
        case events_pb2.ContributionConfirmed():
            known = next(c for c in content.contributions if c.id == event.contribution)
            known.state, known.dispute_reason = pb.CONTRIBUTION_STATE_CONFIRMED, ""
        case events_pb2.ContributionDisputed():
            known = next(c for c in content.contributions if c.id == event.contribution)
            known.state, known.dispute_reason = pb.CONTRIBUTION_STATE_DISPUTED, event.reason
        case events_pb2.StudioSessionClosed():
            content.end_time.CopyFrom(event.end_time)
        case _:
            raise TypeError(f"{type(event).__name__} is not an event of a studio session")
    return dataclasses.replace(state, content=content)
