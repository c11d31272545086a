"""How events change the versions of a song."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any, Final

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.song import Approval, Song, Version, changed
from tapelog_session.domain.versioning.versions import MASTER, MIX

_DECIDED: Final = frozenset(
    {pb.VERSION_STATE_CHANGES_REQUESTED, pb.VERSION_STATE_SUPERSEDED, pb.VERSION_STATE_REJECTED}
)
"""States in which a render that arrives late changes nothing but the audio."""


def _with(song: Song, kind: KindValue, version: Version) -> Song:
    if kind == MIX:
        return changed(song, mixes=song.mixes.set(version.number, version))
    return changed(song, masters=song.masters.set(version.number, version))


def _changed(song: Song, kind: KindValue, number: int, **changes: Any) -> Song:
    return _with(song, kind, dataclasses.replace(song.versions(kind)[number], **changes))


def on_mix_proposed(song: Song, event: events_pb2.MixVersionProposed, time: datetime) -> Song:
    """Add a mix version."""
    return _proposed(song, MIX, event, time)


def on_master_proposed(song: Song, event: events_pb2.MasterVersionProposed, time: datetime) -> Song:
    """Add a master version."""
    return _proposed(song, MASTER, event, time)


def _proposed(
    song: Song,
    kind: KindValue,
    event: events_pb2.MixVersionProposed | events_pb2.MasterVersionProposed,
    time: datetime,
) -> Song:
    version = Version(
        kind=kind,
        number=event.number,
        state=pb.VERSION_STATE_PROPOSED,
        proposed_by=event.proposed_by,
        comment=event.comment,
        recipe=event.recipe,
        recipe_digest=event.recipe_digest,
        mix_number=event.mix_number if isinstance(event, events_pb2.MasterVersionProposed) else 0,
        create_time=time,
    )
    size = song.recipe_bytes + event.recipe.ByteSize()
    return dataclasses.replace(_with(song, kind, version), recipe_bytes=size)


def on_checked(song: Song, event: events_pb2.BriefCheckCompleted, _time: datetime) -> Song:
    """Keep the verdicts of the newest check in each scope."""
    verdicts = tuple(event.verdicts)
    if event.scope == events_pb2.BRIEF_CHECK_SCOPE_RECIPE:
        return _changed(song, event.kind, event.number, recipe_verdicts=verdicts, recipe_revision=event.brief_revision)
    return _changed(song, event.kind, event.number, signal_verdicts=verdicts, signal_revision=event.brief_revision)


def on_violation_flagged(song: Song, _event: events_pb2.BriefViolationFlagged, _time: datetime) -> Song:
    """Change nothing: the verdict is already kept; the flag is for those who watch."""
    return song


def on_rendered(song: Song, event: events_pb2.VersionRendered, _time: datetime) -> Song:
    """Keep the audio; the version can be heard."""
    version = song.versions(event.kind)[event.number]
    return _changed(
        song,
        event.kind,
        event.number,
        audio=tuple(event.audio),
        attachments=tuple(event.attachments),
        render_job=event.render_job,
        render_error="",
        state=version.state if version.state in _DECIDED else pb.VERSION_STATE_RENDERED,
    )


def on_render_failed(song: Song, event: events_pb2.VersionRenderFailed, _time: datetime) -> Song:
    """Keep why it failed."""
    version = song.versions(event.kind)[event.number]
    return _changed(
        song,
        event.kind,
        event.number,
        render_job=event.render_job,
        render_error=event.error,
        state=version.state if version.state in _DECIDED else pb.VERSION_STATE_RENDER_FAILED,
    )


def on_submitted(song: Song, event: events_pb2.VersionSubmittedForReview, time: datetime) -> Song:
    """Put it in review, with the time by which approvals are expected."""
    due = time + timedelta(hours=event.deadline_hours) if event.deadline_hours else None
    return _changed(song, event.kind, event.number, state=pb.VERSION_STATE_IN_REVIEW, due_time=due, is_overdue=False)


def on_deadline_missed(song: Song, event: events_pb2.ApprovalDeadlineMissed, _time: datetime) -> Song:
    """Remember that the alert was raised; nothing is approved by it."""
    return _changed(song, event.kind, event.number, is_overdue=True)


def on_changes_requested(song: Song, event: events_pb2.ChangesRequested, _time: datetime) -> Song:
    """Send it back; approvals given so far stay visible and do not count for another version."""
    changed = _changed(song, event.kind, event.number, state=pb.VERSION_STATE_CHANGES_REQUESTED)
    return dataclasses.replace(changed, rounds=song.rounds + 1)


def on_rejected(song: Song, event: events_pb2.VersionRejected, _time: datetime) -> Song:
    """End it; it stays visible."""
    changed = _changed(song, event.kind, event.number, state=pb.VERSION_STATE_REJECTED)
    return dataclasses.replace(changed, rounds=song.rounds + 1)


def on_withdrawn(song: Song, event: events_pb2.ApprovalWithdrawn, _time: datetime) -> Song:
    """End one approval; the version is in review again."""
    version = song.versions(event.kind)[event.number]
    approvals = tuple(
        dataclasses.replace(a, superseded=True) if (a.party, a.role) == (event.party, event.role) else a
        for a in version.approvals
    )
    return _changed(song, event.kind, event.number, approvals=approvals, state=pb.VERSION_STATE_IN_REVIEW)


def on_approval_given(song: Song, event: events_pb2.VersionApprovalGiven, time: datetime) -> Song:
    """Add one approval."""
    given = event.approval
    approval = Approval(
        party=given.party,
        role=given.role,
        sample_digest=given.sample_digest,
        recipe_digest=given.recipe_digest,
        brief_revision=given.brief_revision,
        time=time,
        self_approved=given.self_approved,
    )
    known = song.versions(event.kind)[event.number].approvals
    return _changed(song, event.kind, event.number, approvals=(*known, approval))


def on_mix_approved(song: Song, event: events_pb2.MixVersionApproved, _time: datetime) -> Song:
    """Approve a mix."""
    return _changed(song, MIX, event.number, state=pb.VERSION_STATE_APPROVED)


def on_master_approved(song: Song, event: events_pb2.MasterVersionApproved, _time: datetime) -> Song:
    """Approve a master."""
    return _changed(song, MASTER, event.number, state=pb.VERSION_STATE_APPROVED)


def on_superseded(song: Song, event: events_pb2.VersionSuperseded, _time: datetime) -> Song:
    """Mark it replaced; nothing of it is deleted."""
    return _changed(song, event.kind, event.number, state=pb.VERSION_STATE_SUPERSEDED)
