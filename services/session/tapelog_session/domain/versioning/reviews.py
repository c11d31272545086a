"""Decisions on versions: changes requested, approvals bound to exact bytes, what they supersede."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain import policies
from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, NotNow, Unknown
from tapelog_session.domain.names import KindValue
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.roles import Actor, role_word
from tapelog_session.domain.song import Song, Version
from tapelog_session.domain.versioning.versions import MASTER, MIX, require_kind_stage, require_version, wrong_state

NOTES_MAX: Final = 256
"""Notes named by one request for changes."""

_CHANGEABLE: Final = frozenset(
    {
        pb.VERSION_STATE_PROPOSED,
        pb.VERSION_STATE_RENDERED,
        pb.VERSION_STATE_IN_REVIEW,
        pb.VERSION_STATE_APPROVED,
    }
)


def request_changes(song: Song, kind: KindValue, number: int, summary: str, notes: Sequence[str]) -> Sequence[Message]:
    """Ask for changes to a version; on an approved one this withdraws the approval while its stage lasts."""
    require_stage(song, "RequestChanges")
    _require_open(song, kind, number, summary, notes)
    return [
        events_pb2.ChangesRequested(kind=kind, number=number, summary=summary, notes=notes),
        *policies.next_round(song),
    ]


def reject(song: Song, kind: KindValue, number: int, summary: str, notes: Sequence[str]) -> Sequence[Message]:
    """Reject a version for good; masters of a rejected mix end with it."""
    require_stage(song, "RejectVersion")
    _require_open(song, kind, number, summary, notes)
    orphans = _orphans(song, number) if kind == MIX else ()
    return [
        events_pb2.VersionRejected(kind=kind, number=number, summary=summary, notes=notes),
        *orphans,
        *policies.next_round(song),
    ]


def withdraw(song: Song, actor: Actor, kind: KindValue, number: int, reason: str) -> Sequence[Message]:
    """Take one's approval of a version back, while its stage lasts; afterwards it takes a send-back."""
    require_stage(song, "WithdrawApproval")
    fields = Fields()
    fields.text("reason", reason, TEXT_CHARS_MAX)
    fields.refuse()
    require_kind_stage(song, kind)
    version = require_version(song, kind, number)
    if version.state not in {pb.VERSION_STATE_IN_REVIEW, pb.VERSION_STATE_APPROVED}:
        raise wrong_state(version, "an approval is withdrawn while the version is in review or approved")
    given = [a.role for a in version.approvals if a.party == actor.party and not a.superseded]
    if not given:
        raise NotNow("NOT_APPROVED", f"{actor.party} has no approval of this version to take back", party=actor.party)
    return [
        events_pb2.ApprovalWithdrawn(kind=kind, number=number, party=actor.party, role=role, reason=reason)
        for role in dict.fromkeys(given)
    ]


def _require_open(song: Song, kind: KindValue, number: int, summary: str, notes: Sequence[str]) -> None:
    """Refuse a judgement on a version that is over, or in the wrong stage, or without words."""
    fields = Fields()
    fields.text("summary", summary, TEXT_CHARS_MAX)
    fields.that(len(notes) <= NOTES_MAX, "notes", f"{len(notes)} are more than {NOTES_MAX}")
    fields.refuse()
    require_kind_stage(song, kind)
    version = require_version(song, kind, number)
    for note in notes:
        if note not in song.notes:
            raise Unknown("NO_SUCH_NOTE", f"the song has no note {note!r}", note=note)
    if version.state not in _CHANGEABLE:
        raise wrong_state(version, "it can be judged from its proposal until it is superseded")


def approve(
    song: Song, actor: Actor, kind: KindValue, number: int, *, sample_digest: str, brief_revision: int
) -> Sequence[Message]:
    """Approve the exact bytes of a version in one required role.

    The approval binds the samples, the recipe and the brief revision in force. With the last required role the version
    is approved, and every other version of its kind is superseded.

    Parameters
    ----------
    sample_digest : str
        Digest of the samples that were heard.
    brief_revision : int
        Revision the approval was prepared against; 0 leaves it open.

    Raises
    ------
    NotNow
        The bytes are not the version's, the brief moved on, the version is not in review, the role has approved
        already, or the person proposed the version.
    """
    require_stage(song, "ApproveVersion")
    fields = Fields()
    fields.sha256("sample_digest", sample_digest)
    fields.refuse()
    version = require_version(song, kind, number)
    if kind == MASTER:
        require_kind_stage(song, kind)
    _require_approvable(song, actor, version)
    _require_same(song, version, sample_digest, brief_revision)
    given = events_pb2.VersionApprovalGiven(
        kind=kind,
        number=number,
        approval=pb.Approval(
            party=actor.party,
            role=actor.role,
            sample_digest=sample_digest,
            recipe_digest=version.recipe_digest,
            brief_revision=song.brief_revision,
            self_approved=version.proposed_by == actor.party,
        ),
    )
    people = {approval.party for approval in version.applicable(song.brief_revision)} | {actor.party}
    still = set(version.missing_approvals(song.brief_revision)) - {actor.role}
    if still or len(people) < song.policy.approval_quorum or version.state == pb.VERSION_STATE_APPROVED:
        return [given]
    return [given, *_approved(song, version)]


def _require_approvable(song: Song, actor: Actor, version: Version) -> None:
    people = {approval.party for approval in version.applicable(song.brief_revision)}
    lacks_people = len(people) < song.policy.approval_quorum
    # The quorum may have been raised after the version was approved.
    is_open = version.state == pb.VERSION_STATE_APPROVED and lacks_people
    if version.state != pb.VERSION_STATE_IN_REVIEW and not is_open:
        raise wrong_state(version, "only a version in review can be approved; submit it first")
    if version.proposed_by == actor.party and not song.policy.solo:
        raise NotNow(
            "SELF_APPROVAL",
            f"{actor.party} proposed this version and cannot approve it; another person of the role has to, "
            "or the project's policy says SOLO",
            party=actor.party,
        )
    missing = version.missing_approvals(song.brief_revision)
    if actor.role not in missing and not (lacks_people and actor.party not in people):
        waiting = ", ".join(role_word(role) for role in missing) or "nobody"
        raise NotNow(
            "ALREADY_GIVEN", f"{role_word(actor.role)} has already approved; waiting for {waiting}", waiting=waiting
        )


def _require_same(song: Song, version: Version, sample_digest: str, brief_revision: int) -> None:
    """Refuse an approval of other bytes, or under another brief, than the current ones: both at once if so."""
    unmet = []
    subject = str(song.name.version(version.kind, version.number))
    if sample_digest != version.sample_digest:
        text = f"you heard samples {sample_digest[:12]}…, the version has {version.sample_digest[:12]}…: listen again"
        unmet.append(Condition("SAMPLES_DIFFER", subject, text))
    if brief_revision not in (0, song.brief_revision):
        text = f"the approval was prepared against brief revision {brief_revision}, {song.brief_revision} is in force"
        unmet.append(Condition("BRIEF_MOVED_ON", subject, text))
    if unmet:
        raise NotNow(
            "APPROVAL_INAPPLICABLE",
            "; ".join(condition.description for condition in unmet),
            conditions=unmet,
            brief_revision=song.brief_revision,
        )


def _approved(song: Song, version: Version) -> Iterator[Message]:
    """Yield the end of everything that a version replaces, then its approval: at no sequence are two approved."""
    approved = events_pb2.MixVersionApproved if version.kind == MIX else events_pb2.MasterVersionApproved
    for other in _living(song, version.kind):
        if other.number != version.number:
            yield events_pb2.VersionSuperseded(kind=version.kind, number=other.number, by_number=version.number)
            if version.kind == MIX:
                yield from _orphans(song, other.number)
    yield approved(number=version.number, sample_digest=version.sample_digest, recipe_digest=version.recipe_digest)


def _orphans(song: Song, mix_number: int) -> Iterator[Message]:
    """Yield the end of every master whose mix was replaced."""
    for master in _living(song, MASTER):
        if master.mix_number == mix_number:
            yield events_pb2.VersionSuperseded(kind=MASTER, number=master.number)


def _living(song: Song, kind: KindValue) -> list[Version]:
    return sorted((v for v in song.versions(kind).values() if not v.is_over), key=lambda v: v.number)
