"""The fold of a Song: which event changes it how. Unknown events are a defect and never skipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2 as pb

from tapelog_session.domain import policies, songs, studio_session
from tapelog_session.domain.gates import holds, send_backs, stages
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import disagreement_folds, note_folds
from tapelog_session.domain.tracking import comps, recording, take_checks, takes
from tapelog_session.domain.versioning import stems, version_folds
from tapelog_session.domain.vision import brief, waivers

ON: Final[Mapping[type[Message], Callable[[Song, Any, datetime], Song]]] = {
    pb.SongCreated: songs.on_song_created,
    pb.WorkLinked: songs.on_work_linked,
    pb.WritersSet: songs.on_writers_set,
    pb.ReferenceTrackAttached: brief.on_reference_attached,
    pb.CatalogueIdsSet: songs.on_catalogue_ids_set,
    pb.BriefProposed: brief.on_brief_proposed,
    pb.BriefAmended: brief.on_brief_amended,
    pb.BriefAgreed: brief.on_brief_agreed,
    pb.ArrangementApproved: brief.on_arrangement_approved,
    pb.StageGateEvaluated: stages.on_gate_evaluated,
    pb.StageAdvanced: stages.on_stage_advanced,
    pb.StageAdvanceRefused: stages.on_gate_evaluated,
    pb.StageEntered: stages.on_entered,
    pb.SendBackRequested: send_backs.on_advised,
    pb.StageSentBack: send_backs.on_sent_back,
    pb.SongPutOnHold: holds.on_put_on_hold,
    pb.SongResumed: holds.on_resumed,
    pb.SongCancelled: holds.on_cancelled,
    pb.TrackDefined: recording.on_track_defined,
    pb.TrackRequirementChanged: recording.on_requirement_changed,
    pb.TakeRecorded: recording.on_take_recorded,
    pb.TakeChecked: recording.on_take_checked,
    pb.TakeCheckWaived: take_checks.on_waived,
    pb.TakeSelected: recording.on_take_selected,
    pb.TakeRejected: takes.on_rejected,
    pb.TakeCleaned: takes.on_cleaned,
    pb.CompSet: takes.on_comp_set,
    pb.CompRendered: comps.on_comp_rendered,
    pb.AlternateTakeRequested: takes.on_take_requested,
    pb.MixVersionProposed: version_folds.on_mix_proposed,
    pb.MasterVersionProposed: version_folds.on_master_proposed,
    pb.BriefCheckCompleted: version_folds.on_checked,
    pb.BriefViolationFlagged: version_folds.on_violation_flagged,
    pb.VersionRendered: version_folds.on_rendered,
    pb.VersionRenderFailed: version_folds.on_render_failed,
    pb.VersionSubmittedForReview: version_folds.on_submitted,
    pb.ChangesRequested: version_folds.on_changes_requested,
    pb.VersionRejected: version_folds.on_rejected,
    pb.ApprovalWithdrawn: version_folds.on_withdrawn,
    pb.ApprovalDeadlineMissed: version_folds.on_deadline_missed,
    pb.PolicyAdopted: policies.on_adopted,
    pb.RevisionAllowanceExceeded: policies.on_allowance_exceeded,
    pb.VersionApprovalGiven: version_folds.on_approval_given,
    pb.MixVersionApproved: version_folds.on_mix_approved,
    pb.MasterVersionApproved: version_folds.on_master_approved,
    pb.VersionSuperseded: version_folds.on_superseded,
    pb.NoteAdded: note_folds.on_note_added,
    pb.NoteAddressed: note_folds.on_note_addressed,
    pb.NoteVerified: note_folds.on_note_verified,
    pb.NoteReplied: note_folds.on_note_replied,
    pb.NoteDeclined: note_folds.on_note_declined,
    pb.NoteReopened: note_folds.on_note_reopened,
    pb.NotesCarriedOver: note_folds.on_notes_carried_over,
    pb.AlternatesRequested: songs.on_alternates_requested,
    pb.AlternateRendered: songs.on_alternate_rendered,
    pb.StemsRequested: stems.on_requested,
    pb.StemsRendered: stems.on_rendered,
    pb.LyricsSet: stems.on_lyrics_set,
    pb.DeliveryPrechecked: songs.on_prechecked,
    pb.PackageAccepted: songs.on_package_accepted,
    pb.PackageVerified: songs.on_package_verified,
    pb.DisagreementOpened: disagreement_folds.on_opened,
    pb.PositionStated: disagreement_folds.on_position_stated,
    pb.OptionProposed: disagreement_folds.on_option_proposed,
    pb.DecisionRecorded: disagreement_folds.on_decided,
    pb.DecisionConsented: disagreement_folds.on_consented,
    pb.DisagreementClosed: disagreement_folds.on_closed,
    pb.CheckWaived: waivers.on_waived,
    pb.ContributionsSettled: studio_session.on_settled,
}
"""Every event of a song, once."""


def evolve(song: Song, event: Message, time: datetime) -> Song:
    """Return the song after an event that was recorded at `time`."""
    return ON[type(event)](song, event, time)
