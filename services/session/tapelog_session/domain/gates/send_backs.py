"""The seven ways back: what each supersedes, opens again and costs. Nothing is ever deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import immutables
from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow
from tapelog_session.domain.names import KindValue
from tapelog_session.domain.permissions import LABEL, require_stage, stage_word
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Note, Song, StageValue, Take, Version, changed
from tapelog_session.domain.talk.notes import SETTLED, require_note
from tapelog_session.domain.versioning.versions import MASTER, MIX

NOTES_MAX: Final = 256
"""Notes named by one send-back."""
ADVICE_MAX: Final = 64
"""Requests kept while the song stays in a stage; a producer who has read that many knows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """One way back.

    Attributes
    ----------
    name : str
    supersedes : tuple of VersionKind
        Kinds of which every living version ends.
    reopens : VersionKind
        Kind of which the approved version loses its approvals; 0 is none.
    scope : UsageScope
        Scope of the rework; 0 keeps the cycle's.
    prior_arrangement : bool
        Takes belong to an arrangement that changes: they are kept, marked, and selected no longer.
    reopens_brief : bool
        The brief has to be agreed again.
    needs_artist : bool
        The artist must have asked for it too.
    """

    name: str
    supersedes: tuple[KindValue, ...] = ()
    reopens: KindValue = pb.VERSION_KIND_UNSPECIFIED
    scope: pb.UsageScope.ValueType = pb.USAGE_SCOPE_UNSPECIFIED
    prior_arrangement: bool = False
    reopens_brief: bool = False
    needs_artist: bool = False


_PRE, _REC, _MIX = pb.STAGE_PRE_PRODUCTION, pb.STAGE_RECORDING, pb.STAGE_MIXING
_MAST, _DELIV = pb.STAGE_MASTERING, pb.STAGE_DELIVERED
_NEW_SOURCE, _REMASTER = pb.USAGE_SCOPE_NEW_SOURCE, pb.USAGE_SCOPE_REMASTER

EDGES: Final[dict[tuple[StageValue, StageValue], Edge]] = {
    (_REC, _PRE): Edge("B1", prior_arrangement=True),
    (_MIX, _REC): Edge("B2", supersedes=(MIX,), scope=_NEW_SOURCE),
    (_MIX, _PRE): Edge("B3", supersedes=(MIX,), scope=_NEW_SOURCE, prior_arrangement=True, reopens_brief=True),
    (_MAST, _MIX): Edge("B4", supersedes=(MASTER,), reopens=MIX, scope=_REMASTER),
    (_MAST, _REC): Edge("B5", supersedes=(MIX, MASTER), scope=_NEW_SOURCE),
    (_DELIV, _MAST): Edge("B6", reopens=MASTER),
    (_DELIV, _MIX): Edge("B7", supersedes=(MASTER,), reopens=MIX, scope=_REMASTER, needs_artist=True),
}
"""Every way back; source: the stage machine of the domain reference (2.6)."""

_REOPENED: Final = {MIX: pb.VERSION_STATE_CHANGES_REQUESTED, MASTER: pb.VERSION_STATE_IN_REVIEW}
"""A mix that mastering gives back has to change; a master that the label returns may be right, and is heard again."""


def send_back(song: Song, actor: Actor, wanted: pb.SendBack) -> Sequence[Message]:
    """Send the song back to an earlier stage.

    Parameters
    ----------
    wanted : SendBack
        Stage to enter, reason, comment and notes; the rest is set here.

    Raises
    ------
    NotNow
        There is no such edge, a note is settled, or the artist's consent is missing.
    """
    require_stage(song, "SendBackSong")
    edge = _require_edge(song, wanted.to)
    _check(song, wanted.reason, wanted.comment, wanted.notes, notes_min=1)
    if edge.needs_artist and not any(a.role == pb.ROLE_ARTIST and a.to == wanted.to for a in song.advice):
        text = "the artist has to ask for it too: RequestSendBack in the role of the artist is their consent"
        raise NotNow(
            "ARTIST_CONSENT_MISSING", text, conditions=[Condition("ARTIST_CONSENT_MISSING", str(song.name), text)]
        )
    ending = [version for kind in edge.supersedes for version in _living(song, kind)]
    reopened = song.approved(edge.reopens) if edge.reopens else None
    decided = pb.SendBack(
        to=wanted.to,
        edge=edge.name,
        reason=wanted.reason,
        comment=wanted.comment,
        notes=wanted.notes,
        party=actor.party,
        cycle=song.cycle + 1,
        scope=edge.scope or song.usage_scope,
        superseded=[song.name.version(v.kind, v.number) for v in ending],
        reopened=song.name.version(reopened.kind, reopened.number) if reopened else "",
        prior_arrangement_takes=_in_order(song) if edge.prior_arrangement else [],
        reopens_arrangement=edge.prior_arrangement,
        reopens_brief=edge.reopens_brief,
        returned_delivery=song.delivery if song.stage == pb.STAGE_DELIVERED else "",
    )
    setattr(decided, "from", song.stage)
    return [events_pb2.StageSentBack(send_back=decided), *_consequences(song, ending, decided)]


def advise(song: Song, actor: Actor, wanted: pb.SendBackAdvice) -> Sequence[Message]:
    """Ask for a send-back; only the producer's command moves the stage. The label asks after delivery alone."""
    require_stage(song, "RequestSendBack")
    if actor.role == LABEL and song.stage != pb.STAGE_DELIVERED:
        raise NotNow("WRONG_STAGE", f"the label returns what was delivered; the song is in {stage_word(song.stage)}")
    check_advice(song, wanted)
    if len(song.advice) >= ADVICE_MAX:
        raise NotNow("TOO_MANY_REQUESTS", f"{ADVICE_MAX} requests wait for the producer, which is the limit")
    advice = pb.SendBackAdvice(
        party=actor.party,
        role=actor.role,
        to=wanted.to,
        reason=wanted.reason,
        comment=wanted.comment,
        notes=wanted.notes,
    )
    return [events_pb2.SendBackRequested(advice=advice)]


def check_advice(song: Song, wanted: pb.SendBackAdvice) -> None:
    """Refuse to ask for a way back that does not exist, or without saying why."""
    _require_edge(song, wanted.to)
    _check(song, wanted.reason, wanted.comment, wanted.notes, notes_min=0)


def record_return(song: Song, advice: pb.SendBackAdvice) -> Sequence[Message]:
    """Record that the label returned the song's package; nothing if it is not the newest, or the song has moved on."""
    if song.stage != pb.STAGE_DELIVERED or song.delivery != advice.delivery or song.is_returned(advice.delivery):
        return []
    return [events_pb2.SendBackRequested(advice=advice)]


def _require_edge(song: Song, to: StageValue) -> Edge:
    edge = EDGES.get((song.stage, to))
    if edge is None:
        at = stage_word(song.stage)
        wanted = stage_word(to) if to in pb.Stage.values() else str(to)
        ways = " or ".join(stage_word(b) for a, b in EDGES if a == song.stage) or "none"
        text = f"a song in {at} cannot be sent back to {wanted}: the ways back lead to {ways}"
        raise NotNow(
            "ILLEGAL_STAGE_EDGE",
            text,
            conditions=[Condition("ILLEGAL_STAGE_EDGE", str(song.name), text)],
            stage=at,
            to=wanted,
        )
    return edge


def _check(song: Song, reason: int, comment: str, notes: Sequence[str], *, notes_min: int) -> None:
    fields = Fields()
    known = reason in pb.SendBackReason.values() and reason != pb.SEND_BACK_REASON_UNSPECIFIED
    fields.that(known, "reason", "say why: one of SendBackReason")
    fields.text("comment", comment, TEXT_CHARS_MAX, chars_min=1 if reason == pb.SEND_BACK_REASON_OTHER else 0)
    fields.that(
        notes_min <= len(notes) <= NOTES_MAX,
        "notes",
        f"name {notes_min} to {NOTES_MAX} notes that say what has to be done, there are {len(notes)}",
    )
    fields.unique("notes", list(notes))
    fields.refuse("INVALID_SEND_BACK")
    settled = [note for note in notes if require_note(song, note).state in SETTLED]
    if settled:
        raise NotNow(
            "NOTE_SETTLED",
            f"{', '.join(settled)}: settled; name notes that are to be worked on, or reopen these",
            conditions=[Condition("NOTE_SETTLED", note, "is settled") for note in settled],
        )


def _consequences(song: Song, ending: Sequence[Version], decided: pb.SendBack) -> Iterator[Message]:
    for version in ending:
        yield events_pb2.VersionSuperseded(kind=version.kind, number=version.number)
    yield events_pb2.StageEntered(**{"from": song.stage}, stage=decided.to, cycle=decided.cycle)


def _living(song: Song, kind: KindValue) -> list[Version]:
    return sorted((v for v in song.versions(kind).values() if not v.is_over), key=lambda v: v.number)


def _in_order(song: Song) -> list[str]:
    takes = sorted(song.takes.values(), key=lambda take: take.order)
    return [take.id for take in takes if not take.prior_arrangement]


def on_sent_back(song: Song, event: events_pb2.StageSentBack, time: datetime) -> Song:
    """Enter the earlier stage in a new cycle, and open again what the way back opens."""
    decided = pb.SendBack()
    decided.CopyFrom(event.send_back)
    decided.time.FromDatetime(time)
    brief = song.brief
    if decided.reopens_brief and brief is not None:
        brief = dataclasses.replace(brief, agreements=())
    marked = frozenset(decided.prior_arrangement_takes)
    mixes, masters = (_reopened(song, kind, decided.reopened) for kind in (MIX, MASTER))
    return dataclasses.replace(
        song,
        stage=decided.to,
        cycle=decided.cycle,
        usage_scope=decided.scope,
        send_backs=(*song.send_backs, decided),
        advice=(),
        brief=brief,
        arrangement=() if decided.reopens_arrangement else song.arrangement,
        takes=_marked(song.takes, marked),
        tracks=immutables.Map(
            {
                track.id: dataclasses.replace(track, selected_take="", comp=None)
                if marked & set(track.chosen_takes)
                else track
                for track in song.tracks.values()
            }
        )
        if marked
        else song.tracks,
        mixes=mixes,
        masters=masters,
        precheck=None,
        accepted_delivery="",
        verified_stores=0,
    )


def _marked(takes: immutables.Map[str, Take], marked: frozenset[str]) -> immutables.Map[str, Take]:
    for take in marked:
        takes = takes.set(take, dataclasses.replace(takes[take], prior_arrangement=True))
    return takes


def _reopened(song: Song, kind: KindValue, reopened: str) -> immutables.Map[int, Version]:
    versions = song.versions(kind)
    for number, version in versions.items():
        if reopened and reopened == song.name.version(kind, number):
            ended = tuple(dataclasses.replace(approval, superseded=True) for approval in version.approvals)
            changed = dataclasses.replace(version, state=_REOPENED[kind], approvals=ended)
            versions = versions.set(number, changed)
    return versions


def on_advised(song: Song, event: events_pb2.SendBackRequested, time: datetime) -> Song:
    """Keep the request until the stage is left."""
    advice = pb.SendBackAdvice()
    advice.CopyFrom(event.advice)
    advice.time.FromDatetime(time)
    accepted = "" if advice.delivery == song.accepted_delivery else song.accepted_delivery
    return changed(song, advice=(*song.advice, advice), accepted_delivery=accepted)


def targets(song: Song) -> Iterator[Note]:
    """Yield the notes that the last send-back named and that are not settled yet, in order."""
    named = song.send_backs[-1].notes if song.send_backs else ()
    return (song.notes[note] for note in named if song.notes[note].state not in SETTLED)
