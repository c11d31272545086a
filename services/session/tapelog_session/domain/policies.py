"""The project's policy as it holds for a song: adopted as a fact, so that a gate reads nothing but the song."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.song import Policy, Song, changed


def adopt(song: Song, policy: Policy, project_sequence: int) -> Sequence[Message]:
    """Let the project's policy hold for the song; nothing if it does already."""
    if not song.exists or song.policy == policy:
        return []
    values = dataclasses.asdict(policy)
    allowance = values.pop("revision_allowance")
    return [
        events_pb2.PolicyAdopted(
            policy=pb.Policy(**values), revision_allowance=allowance, project_sequence=project_sequence
        )
    ]


def next_round(song: Song) -> Iterator[Message]:
    """Yield the fact that the round that begins is beyond the allowance; it blocks nothing."""
    allowance = song.policy.revision_allowance
    if allowance and song.rounds + 1 > allowance:
        yield events_pb2.RevisionAllowanceExceeded(round=song.rounds + 1, allowance=allowance)


def miss_deadline(song: Song, kind: KindValue, number: int, now: datetime) -> Sequence[Message]:
    """Record that approvals of a version are overdue; nothing if they are not, or that was said before."""
    version = song.versions(kind).get(number)
    if version is None or version.state != pb.VERSION_STATE_IN_REVIEW or version.is_overdue:
        return []
    if version.due_time is None or now < version.due_time:
        return []
    missing = version.missing_approvals(song.brief_revision)
    return [events_pb2.ApprovalDeadlineMissed(kind=kind, number=number, missing=missing)]


def policy_of(policy: pb.Policy, revision_allowance: int) -> Policy:
    """Return the value of a policy's message."""
    return Policy(policy.solo, policy.approval_quorum, policy.approval_deadline_hours, revision_allowance)


def on_adopted(song: Song, event: events_pb2.PolicyAdopted, _time: datetime) -> Song:
    """Let it hold."""
    return changed(song, policy=policy_of(event.policy, event.revision_allowance))


def on_allowance_exceeded(song: Song, _event: events_pb2.RevisionAllowanceExceeded, _time: datetime) -> Song:
    """Bill what follows as an extra revision, unless the cycle has a scope of its own."""
    if song.usage_scope != pb.USAGE_SCOPE_INCLUDED:
        return song
    return changed(song, usage_scope=pb.USAGE_SCOPE_EXTRA_REVISION)
