"""Waivers: rules of taste that do not hold, by decision. What is technical can be waived by nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow, Unknown
from tapelog_session.domain.names import VersionName
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song, Version, changed
from tapelog_session.domain.versioning.versions import require_version
from tapelog_session.domain.vision.brief_check import TECHNICAL_RULES

WAIVERS_MAX: Final = 1000
"""One a rule and version is far below this."""


TRANSLATION: Final = "translation-"
"""How the rules of the translation check begin; no brief has to write them."""


def waive_check(
    song: Song,
    actor: Actor,
    version: VersionName,
    constraint: str,
    *,
    disagreement: str,
    reason: str,
    refuse: Callable[[Song, str, str], None],
) -> Sequence[Message]:
    """Waive a rule of taste for one version that breaks it.

    Parameters
    ----------
    refuse : callable
        Refuses a waiver that the disagreement's decision does not carry.

    Raises
    ------
    NotNow
        The rule is technical, the version does not break it, or no decision carries the waiver.
    """
    require_stage(song, "WaiveCheck")
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.id("constraint", constraint)
    fields.refuse()
    known = require_version(song, version.kind, version.number)
    if _rule(song, constraint) is None and not is_translation(constraint):
        raise Unknown("NO_SUCH_CONSTRAINT", f"the brief in force has no rule {constraint!r}", constraint=constraint)
    if fault := fault_of(song, constraint):
        raise NotNow("NOT_WAIVABLE", fault, conditions=[Condition("NOT_WAIVABLE", constraint, fault)])
    broken = {v.constraint for v in known.verdicts if v.verdict == brief_pb2.VERDICT_VIOLATION}
    if known.audio:
        failed = (check for check in known.audio[0].translation if check.status == audio_pb2.TRANSLATION_STATUS_FAIL)
        broken |= {f"{TRANSLATION}{check.profile}" for check in failed}
    if constraint not in broken:
        raise NotNow("NOTHING_TO_WAIVE", f"{version} does not break {constraint}", constraint=constraint)
    refuse(song, disagreement, constraint)
    if waiver_of(song, known, constraint) is not None:
        raise NotNow("ALREADY_WAIVED", f"{constraint} is waived for {version} already", constraint=constraint)
    if len(song.waivers) >= WAIVERS_MAX:
        raise NotNow("TOO_MANY_WAIVERS", f"the song has {WAIVERS_MAX} waivers, which is the limit")
    return [
        events_pb2.CheckWaived(
            waiver=pb.Waiver(
                constraint=constraint,
                version=str(version),
                disagreement=disagreement,
                reason=reason,
                waived_by=actor.party,
                brief_revision=song.brief_revision,
            )
        )
    ]


def fault_of(song: Song, constraint: str) -> str:
    """Return why a rule cannot be waived, or the empty string."""
    rule = _rule(song, constraint)
    if rule is None and is_translation(constraint):
        return ""
    if rule is None:
        return f"the brief in force has no rule {constraint[:64]!r}"
    if rule.WhichOneof("rule") in TECHNICAL_RULES:
        return f"{constraint} is technical; nobody can waive it: change the version"
    return ""


def is_translation(constraint: str) -> bool:
    """Say whether a rule is one of the translation check, which holds for every song."""
    return constraint.startswith(TRANSLATION)


def waiver_of(song: Song, version: Version, constraint: str) -> pb.Waiver | None:
    """Return the waiver that covers a rule for a version, if there is one."""
    name = song.name.version(version.kind, version.number)
    return next((w for w in song.waivers if w.constraint == constraint and w.version in ("", name)), None)


def still_standing(song: Song, constraints: Sequence[brief_pb2.Constraint]) -> tuple[pb.Waiver, ...]:
    """Return the waivers whose rules are in another brief unchanged: who changes a rule asks anew."""
    old = {rule.id: rule for rule in song.brief.constraints} if song.brief else {}
    same = {rule.id for rule in constraints if old.get(rule.id) == rule}
    return tuple(w for w in song.waivers if w.constraint in same or is_translation(w.constraint))


def on_waived(song: Song, event: events_pb2.CheckWaived, time: datetime) -> Song:
    """Add a waiver."""
    waiver = pb.Waiver()
    waiver.CopyFrom(event.waiver)
    waiver.time.FromDatetime(time)
    return changed(song, waivers=(*song.waivers, waiver))


def _rule(song: Song, constraint: str) -> brief_pb2.Constraint | None:
    rules = song.brief.constraints if song.brief else ()
    return next((rule for rule in rules if rule.id == constraint), None)
