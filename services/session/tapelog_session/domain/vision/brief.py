"""The vision brief: proposed, amended, agreed; and the arrangement's approval, which works the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

import immutables
from google.protobuf.message import Message
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import Fields
from tapelog_session.domain.errors import Condition, NotNow
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor, Consent, missing_consents, role_word
from tapelog_session.domain.song import Brief, Song, Version, changed
from tapelog_session.domain.vision.brief_check import recheck
from tapelog_session.domain.vision.brief_form import REFERENCES_MAX, check_brief, check_reference
from tapelog_session.domain.vision.waivers import still_standing


def propose_brief(song: Song, proposed: brief_pb2.Brief, reason: str) -> Sequence[Message]:
    """Propose the first brief, or amend the one in force: a new revision that must be agreed again.

    Living versions are checked against the new revision at once; their approvals no longer apply.
    """
    require_stage(song, "ProposeBrief")
    check_brief(proposed, reason, amends=song.brief is not None)
    brief = brief_pb2.Brief(
        revision=song.brief_revision + 1,
        intent=proposed.intent,
        non_goals=proposed.non_goals,
        constraints=proposed.constraints,
        references=proposed.references,
    )
    if song.brief is None:
        return [events_pb2.BriefProposed(brief=brief)]
    amended = events_pb2.BriefAmended(brief=brief, reason=reason)
    return [amended, *recheck(song, _brief_of(brief))]


def attach_reference(song: Song, actor: Actor, reference: brief_pb2.ReferenceTrack) -> Sequence[Message]:
    """Attach a reference track beside those of the brief; whether its asset exists is the caller's to know."""
    require_stage(song, "AttachReferenceTrack")
    fields = Fields()
    check_reference(fields, "reference", reference)
    fields.refuse()
    if len(song.references) >= REFERENCES_MAX:
        text = f"the song has {REFERENCES_MAX} reference tracks, which is the limit"
        raise NotNow("TOO_MANY_REFERENCES", text, limit=REFERENCES_MAX)
    return [events_pb2.ReferenceTrackAttached(reference=reference, attached_by=actor.party)]


def on_reference_attached(song: Song, event: events_pb2.ReferenceTrackAttached, _time: datetime) -> Song:
    """Add the reference."""
    return changed(song, references=(*song.references, event.reference))


def agree_brief(song: Song, actor: Actor, revision: int) -> Sequence[Message]:
    """Agree to the revision in force, in one required role."""
    require_stage(song, "AgreeBrief")
    brief = song.brief
    if brief is None:
        raise NotNow("NO_BRIEF", "the song has no brief yet; propose one first")
    if revision != brief.revision:
        raise NotNow(
            "BRIEF_REVISION_NOT_IN_FORCE",
            f"brief revision {revision} is not in force, {brief.revision} is; read it, then agree to that one",
            conditions=[
                Condition("BRIEF_REVISION_NOT_IN_FORCE", str(song.name), f"revision {brief.revision} is in force")
            ],
            revision=revision,
            in_force=brief.revision,
        )
    complete = _consent(brief.agreements, actor, "agreed to this revision")
    return [events_pb2.BriefAgreed(revision=revision, party=actor.party, role=actor.role, complete=complete)]


def approve_arrangement(song: Song, actor: Actor) -> Sequence[Message]:
    """Approve the arrangement in one required role."""
    require_stage(song, "ApproveArrangement")
    complete = _consent(song.arrangement, actor, "approved the arrangement")
    return [events_pb2.ArrangementApproved(party=actor.party, role=actor.role, complete=complete)]


def _consent(given: tuple[Consent, ...], actor: Actor, what: str) -> bool:
    """Refuse a second consent in the same role; return whether this one makes them complete."""
    missing = missing_consents(given)
    if actor.role not in missing:
        waiting = ", ".join(role_word(role) for role in missing) or "nobody"
        raise NotNow(
            "ALREADY_GIVEN", f"{role_word(actor.role)} has already {what}; waiting for {waiting}", waiting=waiting
        )
    return missing == (actor.role,)


def _brief_of(brief: brief_pb2.Brief) -> Brief:
    return Brief(
        brief.revision,
        brief.intent,
        tuple(brief.non_goals),
        tuple(brief.constraints),
        references=tuple(brief.references),
    )


def on_brief_proposed(song: Song, event: events_pb2.BriefProposed, _time: datetime) -> Song:
    """Put revision 1 in force."""
    return changed(song, brief=_brief_of(event.brief))


def on_brief_amended(song: Song, event: events_pb2.BriefAmended, _time: datetime) -> Song:
    """Put a new revision in force; what was approved under the old one is in review again.

    Waivers last as long as their rule stays as it is.
    """
    return dataclasses.replace(
        song,
        brief=_brief_of(event.brief),
        mixes=_reopened(song.mixes),
        masters=_reopened(song.masters),
        waivers=still_standing(song, event.brief.constraints),
    )


def _reopened(versions: immutables.Map[int, Version]) -> immutables.Map[int, Version]:
    for number, version in versions.items():
        if version.state == pb.VERSION_STATE_APPROVED:
            versions = versions.set(number, dataclasses.replace(version, state=pb.VERSION_STATE_IN_REVIEW))
    return versions


def on_brief_agreed(song: Song, event: events_pb2.BriefAgreed, time: datetime) -> Song:
    """Note one role's agreement."""
    if song.brief is None:
        return song
    agreements = (*song.brief.agreements, Consent(event.party, event.role, time))
    return changed(song, brief=dataclasses.replace(song.brief, agreements=agreements))


def on_arrangement_approved(song: Song, event: events_pb2.ArrangementApproved, time: datetime) -> Song:
    """Note one role's approval."""
    return changed(song, arrangement=(*song.arrangement, Consent(event.party, event.role, time)))
