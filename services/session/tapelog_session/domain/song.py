"""The state of a Song: everything its gates read, and nothing else.

Protobuf messages in it (recipes, measurements, verdicts) are values: they are never changed once they are here.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import immutables
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue, SongName
from tapelog_session.domain.roles import REQUIRED_CONSENTS, Consent, RoleValue, missing_consents

StageValue: TypeAlias = "pb.Stage.ValueType"
CheckStateValue: TypeAlias = "pb.TakeCheckState.ValueType"
VersionStateValue: TypeAlias = "pb.VersionState.ValueType"
NoteStateValue: TypeAlias = "pb.NoteState.ValueType"
UsageScopeValue: TypeAlias = "pb.UsageScope.ValueType"
Recipe: TypeAlias = recipe_pb2.MixRecipe | recipe_pb2.MasterRecipe

NONE: Final[immutables.Map[Any, Any]] = immutables.Map()
"""The empty map: persistent, so all states can share it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Brief:
    """The vision brief in force, and who agreed to this revision."""

    revision: int
    intent: str
    non_goals: tuple[str, ...]
    constraints: tuple[brief_pb2.Constraint, ...]
    agreements: tuple[Consent, ...] = ()
    references: tuple[brief_pb2.ReferenceTrack, ...] = ()

    @property
    def is_agreed(self) -> bool:
        """Whether every required role agreed to this revision."""
        return not missing_consents(self.agreements)


@dataclasses.dataclass(frozen=True, slots=True)
class Track:
    """One lane; `order` counts from 1 as tracks are defined, `recordings` are rendered comps by their passages."""

    id: str
    order: int
    title: str
    required: bool
    selected_take: str = ""
    comp: pb.Comp | None = None
    take_requests: tuple[pb.TakeRequest, ...] = ()
    recordings: immutables.Map[str, audio_pb2.AudioResult] = NONE

    @property
    def chosen_takes(self) -> tuple[str, ...]:
        """Ids of the takes that make up the track: the selected one, or those of its comp."""
        if self.comp is not None:
            return tuple(dict.fromkeys(region.take for region in self.comp.regions))
        return (self.selected_take,) if self.selected_take else ()


@dataclasses.dataclass(frozen=True, slots=True)
class Take:
    """One recorded pass and what its arrival check found."""

    id: str
    order: int
    track: str
    asset_sha256: str
    recorded_by: str
    check_state: CheckStateValue = pb.TAKE_CHECK_STATE_PENDING
    findings: tuple[str, ...] = ()
    measurements: audio_pb2.Measurements | None = None
    format: audio_pb2.AudioFormat | None = None
    prior_arrangement: bool = False
    parent: str = ""
    treatments: tuple[str, ...] = ()
    reject_reason: str = ""
    checks: tuple[pb.TakeCheck, ...] = ()
    waivers: tuple[pb.TakeCheckWaiver, ...] = ()

    @property
    def has_passed(self) -> bool:
        """Whether it is fit for use."""
        return self.check_state == pb.TAKE_CHECK_STATE_PASSED


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """A consent bound to exact bytes; inapplicable as soon as one of the bound values differs."""

    party: str
    role: RoleValue
    sample_digest: str
    recipe_digest: str
    brief_revision: int
    time: datetime
    superseded: bool = False
    self_approved: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """An immutable recipe with its render and review state.

    Attributes
    ----------
    mix_number : int
        Of a master: the approved mix it is made from; 0 for a mix.
    recipe_revision, signal_revision : int
        Brief revision of the last check over the recipe and over the signal; 0 before the first.
    """

    kind: KindValue
    number: int
    state: VersionStateValue
    proposed_by: str
    comment: str
    recipe: Recipe
    recipe_digest: str
    mix_number: int
    create_time: datetime
    recipe_revision: int = 0
    recipe_verdicts: tuple[brief_pb2.BriefVerdict, ...] = ()
    signal_revision: int = 0
    signal_verdicts: tuple[brief_pb2.BriefVerdict, ...] = ()
    audio: tuple[audio_pb2.AudioResult, ...] = ()
    attachments: tuple[pb.Attachment, ...] = ()
    render_job: str = ""
    render_error: str = ""
    approvals: tuple[Approval, ...] = ()
    due_time: datetime | None = None
    is_overdue: bool = False

    @property
    def is_rendered(self) -> bool:
        """Whether there is audio."""
        return bool(self.audio)

    @property
    def is_superseded(self) -> bool:
        """Whether another version took its place."""
        return self.state == pb.VERSION_STATE_SUPERSEDED

    @property
    def is_over(self) -> bool:
        """Whether nothing can come of it any more: superseded or rejected."""
        return self.state in {pb.VERSION_STATE_SUPERSEDED, pb.VERSION_STATE_REJECTED}

    @property
    def sample_digest(self) -> str:
        """Digest of the samples that are approved; empty until rendered."""
        return self.audio[0].sample_digest if self.audio else ""

    @property
    def verdicts(self) -> tuple[brief_pb2.BriefVerdict, ...]:
        """Every verdict, over the recipe and over the signal."""
        return self.recipe_verdicts + self.signal_verdicts

    def applicable(self, brief_revision: int) -> tuple[Approval, ...]:
        """Return the approvals whose bound values all still match, and that no send-back ended."""
        bound = (self.sample_digest, self.recipe_digest, brief_revision)
        living = (approval for approval in self.approvals if not approval.superseded)
        return tuple(a for a in living if (a.sample_digest, a.recipe_digest, a.brief_revision) == bound)

    def missing_approvals(self, brief_revision: int) -> tuple[RoleValue, ...]:
        """Return the required roles without an applicable approval."""
        have = {approval.role for approval in self.applicable(brief_revision)}
        return tuple(role for role in REQUIRED_CONSENTS if role not in have)


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A remark on a version (`kind`, `number`), or on the song or a take (`kind` unspecified, `number` 0)."""

    id: str
    order: int
    kind: KindValue
    number: int
    content: pb.Note
    state: NoteStateValue
    create_time: datetime
    answer: str = ""
    answered_in: str = ""
    replies: tuple[pb.NoteReply, ...] = ()
    carried_number: int = 0
    anchor: pb.NoteAnchor.ValueType = pb.NOTE_ANCHOR_UNSPECIFIED

    @property
    def thread(self) -> pb.NoteThread.ValueType:
        """Who reads it; a note that does not say it is internal."""
        return self.content.thread or pb.NOTE_THREAD_INTERNAL

    @property
    def is_client(self) -> bool:
        """Whether the label reads it."""
        return self.thread == pb.NOTE_THREAD_CLIENT


@dataclasses.dataclass(frozen=True, slots=True)
class Alternate:
    """A variant of a mix and its render."""

    order: int
    mix_number: int
    spec: recipe_pb2.Alternate
    audio: audio_pb2.AudioResult | None = None
    render_job: str = ""
    render_error: str = ""

    @property
    def is_pending(self) -> bool:
        """Whether its render is on the way."""
        return self.audio is None and not self.render_error


@dataclasses.dataclass(frozen=True, slots=True)
class StemSet:
    """The stems of one mix: the groups asked for, and what came of it."""

    groups: tuple[pb.StemGroup, ...]
    stems: tuple[pb.Stem, ...] = ()
    render_job: str = ""
    render_error: str = ""

    @property
    def is_pending(self) -> bool:
        """Whether their render is on the way."""
        return not self.stems and not self.render_error


@dataclasses.dataclass(frozen=True, slots=True)
class Precheck:
    """The last attempt to build a delivery: whether it could be, for which master, and the package."""

    passed: bool
    findings: tuple[str, ...]
    delivery: str
    master_number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How versions are approved, as the project says; without a policy nothing more than the required roles."""

    solo: bool = False
    approval_quorum: int = 0
    approval_deadline_hours: int = 0
    revision_allowance: int = 0


NO_POLICY: Final = Policy()

Versions: TypeAlias = "immutables.Map[int, Version]"

if TYPE_CHECKING:
    changed = dataclasses.replace
else:

    def changed(song: Song, **changes: Any) -> Song:
        """Return a song with other values in some fields, as `dataclasses.replace` does in ten times the time.

        A long song is folded in as many steps as it has events, and has more fields than any of them changes.
        """
        if not changes.keys() <= song.__dict__.keys():
            raise TypeError(f"a song has no {', '.join(changes.keys() - song.__dict__.keys())}")
        new = object.__new__(Song)
        new.__dict__.update(song.__dict__)
        new.__dict__.update(changes)
        return new


@dataclasses.dataclass(frozen=True)
class Song:
    """One finished recording in the making. `id` is empty before its first event.

    Without slots, so that `changed` can copy all fields at once.
    """

    id: str = ""
    project: str = ""
    title: str = ""
    stage: StageValue = pb.STAGE_UNSPECIFIED
    cycle: int = 0
    sample_rate_hz: int = 0
    bit_depth: int = 0
    isrc: str = ""
    external_ref: str = ""
    create_time: datetime | None = None
    works: tuple[pb.Work, ...] = ()
    brief: Brief | None = None
    arrangement: tuple[Consent, ...] = ()
    tracks: immutables.Map[str, Track] = NONE
    takes: immutables.Map[str, Take] = NONE
    mixes: Versions = NONE
    masters: Versions = NONE
    notes: immutables.Map[str, Note] = NONE
    alternates: immutables.Map[tuple[int, str], Alternate] = NONE
    recipe_bytes: int = 0
    precheck: Precheck | None = None
    delivery: str = ""
    held_stage: StageValue = pb.STAGE_UNSPECIFIED
    usage_scope: UsageScopeValue = pb.USAGE_SCOPE_INCLUDED
    send_backs: tuple[pb.SendBack, ...] = ()
    advice: tuple[pb.SendBackAdvice, ...] = ()
    accepted_delivery: str = ""
    verified_stores: int = 0
    verify_findings: tuple[str, ...] = ()
    disagreements: immutables.Map[str, pb.Disagreement] = NONE
    waivers: tuple[pb.Waiver, ...] = ()
    policy: Policy = NO_POLICY
    rounds: int = 0
    contributions: immutables.Map[str, pb.ContributionCount] = NONE
    references: tuple[brief_pb2.ReferenceTrack, ...] = ()
    lyrics: pb.Lyrics | None = None
    stems: immutables.Map[int, StemSet] = NONE

    @property
    def exists(self) -> bool:
        """Whether it was created."""
        return bool(self.id)

    @property
    def name(self) -> SongName:
        """Its resource name."""
        return SongName(self.project, self.id)

    @property
    def brief_revision(self) -> int:
        """The revision in force; 0 without a brief."""
        return self.brief.revision if self.brief else 0

    def is_returned(self, delivery: str) -> bool:
        """Whether the label has returned this package in the stage that the song is in."""
        return bool(delivery) and any(advice.delivery == delivery for advice in self.advice)

    def versions(self, kind: KindValue) -> Versions:
        """Return the versions of a kind by number."""
        return self.mixes if kind == pb.VERSION_KIND_MIX else self.masters

    def approved(self, kind: KindValue) -> Version | None:
        """Return the one approved version of a kind, if there is one."""
        return next((v for v in self.versions(kind).values() if v.state == pb.VERSION_STATE_APPROVED), None)

    def candidate(self, kind: KindValue) -> Version | None:
        """Return the version that a gate is about: the approved one, else the newest that is not over."""
        living = [v for v in self.versions(kind).values() if not v.is_over]
        return self.approved(kind) or max(living, key=lambda v: v.number, default=None)

    def selected_takes(self) -> tuple[Take, ...]:
        """Return the takes that every track is made of, selected or in its comp, in the tracks' order."""
        tracks = sorted(self.tracks.values(), key=lambda track: track.order)
        return tuple(self.takes[take] for track in tracks for take in track.chosen_takes)

    def usable_takes(self) -> tuple[Take, ...]:
        """Return the takes a mix may be made of: the selected ones, and what was cleaned from them."""
        chosen = {take.id for take in self.selected_takes()}
        cleaned = (take for take in self.takes.values() if self._ancestors(take) & chosen and not take.reject_reason)
        return (*self.selected_takes(), *sorted(cleaned, key=lambda take: take.order))

    def _ancestors(self, take: Take) -> set[str]:
        found: set[str] = set()
        while take.parent and take.parent not in found:
            found.add(take.parent)
            take = self.takes[take.parent]
        return found
