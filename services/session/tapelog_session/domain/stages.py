"""The stage machine: one way forward, through gates that return every failing condition at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain import conditions
from tapelog_session.domain.errors import Condition, NotNow
from tapelog_session.domain.permissions import STAGES, stage_word
from tapelog_session.domain.song import Song, StageValue

Check = Callable[[Song], Sequence[pb.GateCondition]]

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
        conditions.no_open_blocker,
    ),
    pb.STAGE_MIXING: (
        conditions.brief_agreed,
        conditions.mix_approved,
        conditions.mix_approvals,
        conditions.mix_keeps_brief,
        conditions.no_open_blocker,
    ),
    pb.STAGE_MASTERING: (
        conditions.brief_agreed,
        conditions.mix_approved,
        conditions.master_approved,
        conditions.master_approvals,
        conditions.master_keeps_brief,
        conditions.loudness_on_target,
        conditions.true_peak_under_ceiling,
        conditions.isrc_set,
        conditions.delivery_prechecked,
        conditions.no_open_blocker,
    ),
}
"""Conditions of the gate out of each stage: T1, T2, T3, T4."""


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
    if evaluation is None or not evaluation.passed:
        return [] if evaluation is None else [evaluation]
    advanced = events_pb2.StageAdvanced(**{"from": song.stage}, to=to, cycle=song.cycle)
    return [evaluation, advanced]


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


def on_gate_evaluated(song: Song, _event: events_pb2.StageGateEvaluated, _time: datetime) -> Song:
    """Change nothing: the result is a fact for people and audits."""
    return song


def on_stage_advanced(song: Song, event: events_pb2.StageAdvanced, _time: datetime) -> Song:
    """Enter the stage."""
    return dataclasses.replace(song, stage=event.to, cycle=event.cycle)
