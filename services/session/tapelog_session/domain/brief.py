"""The vision brief: proposed, amended, agreed; and the arrangement's approval, which works the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import immutables
from google.protobuf.message import Message
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import PROCESSOR_KINDS

from tapelog_session.domain.brief_check import recheck
from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor, Consent, missing_consents, role_word
from tapelog_session.domain.song import Brief, Song, Version
from tapelog_session.domain.waivers import still_standing

INTENT_CHARS_MAX: Final = 10_000
CONSTRAINTS_MAX: Final = 64
SELECTORS_MAX: Final = 64
NON_GOALS_MAX: Final = 32
SEND_DB: Final = (-96.0, 24.0)
LUFS: Final = (-70.0, 0.0)
RANGE_LU: Final = (0.0, 60.0)
DBTP: Final = (-40.0, 6.0)


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
    )
    if song.brief is None:
        return [events_pb2.BriefProposed(brief=brief)]
    amended = events_pb2.BriefAmended(brief=brief, reason=reason)
    return [amended, *recheck(song, _brief_of(brief))]


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


def check_brief(brief: brief_pb2.Brief, reason: str, *, amends: bool) -> None:
    """Refuse a brief that is not well-formed, with everything that is wrong."""
    fields = Fields()
    fields.text("brief.intent", brief.intent, INTENT_CHARS_MAX)
    fields.text("reason", reason, TEXT_CHARS_MAX, chars_min=1 if amends else 0)
    fields.that(len(brief.non_goals) <= NON_GOALS_MAX, "brief.non_goals", f"at most {NON_GOALS_MAX}")
    for index, text in enumerate(brief.non_goals):
        fields.text(f"brief.non_goals[{index}]", text, TEXT_CHARS_MAX)
    count = len(brief.constraints)
    fields.that(count <= CONSTRAINTS_MAX, "brief.constraints", f"{count} are more than {CONSTRAINTS_MAX}")
    fields.unique("brief.constraints", [constraint.id for constraint in brief.constraints])
    for index, constraint in enumerate(brief.constraints[:CONSTRAINTS_MAX]):
        _check_constraint(fields, f"brief.constraints[{constraint.id or index}]", constraint)
    fields.refuse("INVALID_BRIEF")


def _check_constraint(fields: Fields, path: str, constraint: brief_pb2.Constraint) -> None:
    fields.id(f"{path}.id", constraint.id)
    fields.text(f"{path}.statement", constraint.statement, TEXT_CHARS_MAX)
    kind = constraint.WhichOneof("rule")
    match kind:
        case "effect_forbidden" | "effect_allowed_only":
            rule = getattr(constraint, kind)
            _check_selector(fields, f"{path}.{kind}.selector.tracks", rule.selector.tracks)
            # "Nothing is allowed" is a rule; "nothing is forbidden" is none.
            fields.that(bool(rule.effects) or kind == "effect_allowed_only", f"{path}.{kind}.effects", "name an effect")
            for effect in rule.effects:
                _check_effect(fields, f"{path}.{kind}.effects", effect)
        case "send_limit":
            limit = constraint.send_limit
            _check_selector(fields, f"{path}.send_limit.selector.tracks", limit.selector.tracks)
            _check_effect(fields, f"{path}.send_limit.effect", limit.effect)
            fields.finite(f"{path}.send_limit.max_gain_db", limit.max_gain_db, *SEND_DB, "dB")
        case "loudness_bounds":
            _check_bounds(fields, f"{path}.loudness_bounds", constraint.loudness_bounds)
        case "true_peak_max":
            fields.finite(f"{path}.true_peak_max.max_dbtp", constraint.true_peak_max.max_dbtp, *DBTP, "dBTP")
        case "must_keep":
            tracks = constraint.must_keep.tracks
            fields.that(bool(tracks), f"{path}.must_keep.tracks", "name the tracks to keep")
            _check_selector(fields, f"{path}.must_keep.tracks", tracks)
        case _:
            fields.that(kind is not None, path, "set exactly one rule, such as effect_forbidden or loudness_bounds")


def _check_bounds(fields: Fields, path: str, bounds: brief_pb2.LoudnessBounds) -> None:
    limits = {"min_integrated_lufs": LUFS, "max_integrated_lufs": LUFS, "min_loudness_range_lu": RANGE_LU}
    given = [field.name for field, _ in bounds.ListFields() if field.name in limits]
    fields.that(bool(given), path, f"set at least one of {', '.join(limits)}")
    for name in given:
        fields.finite(f"{path}.{name}", getattr(bounds, name), *limits[name], "LU" if "range" in name else "LUFS")
    if bounds.HasField("min_integrated_lufs") and bounds.HasField("max_integrated_lufs"):
        fields.that(
            bounds.min_integrated_lufs <= bounds.max_integrated_lufs,
            f"{path}.min_integrated_lufs",
            f"{bounds.min_integrated_lufs:g} is above max_integrated_lufs {bounds.max_integrated_lufs:g}",
        )


def _check_selector(fields: Fields, path: str, tracks: Sequence[str]) -> None:
    fields.that(len(tracks) <= SELECTORS_MAX, path, f"{len(tracks)} are more than {SELECTORS_MAX}")
    for track in tracks[:SELECTORS_MAX]:
        fields.id(path, track)


def _check_effect(fields: Fields, path: str, effect: str) -> None:
    fields.that(
        effect in PROCESSOR_KINDS, path, f"{effect[:40]!r} is not an effect; write one of {', '.join(PROCESSOR_KINDS)}"
    )


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
    return Brief(brief.revision, brief.intent, tuple(brief.non_goals), tuple(brief.constraints))


def on_brief_proposed(song: Song, event: events_pb2.BriefProposed, _time: datetime) -> Song:
    """Put revision 1 in force."""
    return dataclasses.replace(song, brief=_brief_of(event.brief))


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
    return dataclasses.replace(song, brief=dataclasses.replace(song.brief, agreements=agreements))


def on_arrangement_approved(song: Song, event: events_pb2.ArrangementApproved, time: datetime) -> Song:
    """Note one role's approval."""
    return dataclasses.replace(song, arrangement=(*song.arrangement, Consent(event.party, event.role, time)))
