"""The stage machine: one way forward, through gates that return every failing condition at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.errors import Condition, NotNow
from tapelog_session.domain.gates import conditions
from tapelog_session.domain.permissions import STAGES, stage_word
from tapelog_session.domain.song import Song, StageValue, changed
from tapelog_session.domain.tracking import take_checks
from tapelog_session.domain.versioning import translation
from tapelog_session.domain.versioning.versions import MASTER, MIX

Check = Callable[[Song], Sequence[pb.GateCondition]]

KIND_OF: Final = {pb.STAGE_MIXING: MIX, pb.STAGE_MASTERING: MASTER}
"""What the stages of review are about."""

GATES: Final[dict[int, tuple[Check, ...]]] = {
    pb.STAGE_PRE_PRODUCTION: (
        conditions.brief_agreed,
        conditions.arrangement_approved,
        conditions.work_registered,
        conditions.session_format_fixed,
    ),
    pb.STAGE_RECORDING: (
        conditions.something_selected,
        conditions.required_tracks_covered,
        conditions.selected_takes_passed,
        conditions.one_sample_rate,
        take_checks.flags_settled,
        conditions.no_open_blocker,
    ),
    pb.STAGE_MIXING: (
        conditions.brief_agreed,
        conditions.mix_approved,
        conditions.mix_approvals,
        conditions.mix_keeps_brief,
        conditions.required_alternates,
        conditions.no_open_disagreement,
        conditions.no_open_blocker,
    ),
    pb.STAGE_MASTERING: (
        conditions.brief_agreed,
        conditions.mix_approved,
        conditions.master_approved,
        conditions.master_approvals,
        conditions.master_keeps_brief,
        conditions.no_open_disagreement,
        conditions.loudness_on_target,
        conditions.true_peak_under_ceiling,
        translation.profiles_hold,
        conditions.isrc_set,
        conditions.contributions_settled,
        conditions.delivery_prechecked,
        conditions.no_open_blocker,
    ),
    pb.STAGE_DELIVERED: (
        conditions.label_accepted,
        conditions.files_verified,
    ),
}
"""Conditions of the gate out of each stage: T1 to T5."""


def next_stage(stage: StageValue) -> StageValue | None:
    """Return the one stage that a song can advance to, if there is a gate to it."""
    return STAGES[STAGES.index(stage) + 1] if stage in GATES else None


def evaluate_gate(song: Song) -> events_pb2.StageGateEvaluated | None:
    """Evaluate every condition of the gate out of the song's stage; None where there is no gate."""
    to = next_stage(song.stage)
    if to is None:
        return None
    found = [condition for check in GATES[song.stage] for condition in check(song)]
    return events_pb2.StageGateEvaluated(
        **{"from": song.stage}, to=to, conditions=found, passed=all(condition.passed for condition in found)
    )


def open_conditions(song: Song) -> list[pb.GateCondition]:
    """Return what must still happen before the song can leave its stage."""
    evaluation = evaluate_gate(song) if song.exists else None
    return [] if evaluation is None else [c for c in evaluation.conditions if not c.passed]


def advance(song: Song, to: StageValue) -> Sequence[Message]:
    """Evaluate the gate to the next stage, and go through it if every condition holds.

    The evaluation is an event either way; the caller refuses when it did not pass (`refusal_of`).

    Raises
    ------
    NotNow
        `to` is not the next stage.
    """
    expected = next_stage(song.stage)
    if expected is None or to != expected:
        at = stage_word(song.stage)
        wanted = stage_word(to) if to in pb.Stage.values() else str(to)
        rule = f"the next stage is {stage_word(expected)}" if expected is not None else "no gate leads out of it"
        text = f"a song in {at} cannot advance to {wanted}: {rule}"
        raise NotNow(
            "ILLEGAL_STAGE_EDGE",
            text,
            conditions=[Condition("ILLEGAL_STAGE_EDGE", str(song.name), text)],
            stage=at,
            to=wanted,
        )
    evaluation = evaluate_gate(song)
    if evaluation is None:
        return []
    if not evaluation.passed:
        codes = dict.fromkeys(condition.code for condition in evaluation.conditions if not condition.passed)
        return [evaluation, events_pb2.StageAdvanceRefused(**{"from": song.stage}, to=to, codes=list(codes))]
    return [
        evaluation,
        events_pb2.StageAdvanced(**{"from": song.stage}, to=to, cycle=song.cycle),
        events_pb2.StageEntered(**{"from": song.stage}, stage=to, cycle=song.cycle),
    ]


def stage_state(song: Song, failing: Sequence[pb.GateCondition]) -> pb.StageState.ValueType:
    """Return how far the work of the stage is, from the conditions of its gate that fail."""
    if song.stage in KIND_OF:
        versions = song.versions(KIND_OF[song.stage]).values()
        is_approved = any(version.state == pb.VERSION_STATE_APPROVED for version in versions)
        waits = any(version.state == pb.VERSION_STATE_IN_REVIEW for version in versions)
    elif song.stage in STAGES:
        is_approved = not failing
        waits = song.stage == pb.STAGE_PRE_PRODUCTION and song.brief is not None
        waits = waits or (song.stage == pb.STAGE_DELIVERED and bool(song.delivery))
    else:
        return pb.STAGE_STATE_UNSPECIFIED
    if is_approved:
        return pb.STAGE_STATE_APPROVED
    return pb.STAGE_STATE_IN_REVIEW if waits else pb.STAGE_STATE_IN_PROGRESS


def refusal_of(song: Song, evaluation: events_pb2.StageGateEvaluated) -> NotNow:
    """Return the refusal that lists every condition that fails."""
    failing = [c for c in evaluation.conditions if not c.passed]
    codes = ", ".join(dict.fromkeys(c.code for c in failing))
    return NotNow(
        "GATE_CLOSED",
        f"the gate from {stage_word(getattr(evaluation, 'from'))} to {stage_word(evaluation.to)} is closed: {codes}",
        conditions=[Condition(c.code, c.subject or str(song.name), c.description) for c in failing],
        failing=len(failing),
    )


def on_gate_evaluated(song: Song, _event: Message, _time: datetime) -> Song:
    """Change nothing: the result is a fact for people and audits."""
    return song


def on_entered(song: Song, _event: events_pb2.StageEntered, _time: datetime) -> Song:
    """Change nothing: the event before it moved the song; this one is for those who watch stages."""
    return song


def on_stage_advanced(song: Song, event: events_pb2.StageAdvanced, _time: datetime) -> Song:
    """Enter the stage."""
    return changed(song, stage=event.to, cycle=event.cycle, advice=())
