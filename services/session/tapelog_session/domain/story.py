"""A song's facts, told: what happened as a clause that the actor begins, and why in the actor's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import events_pb2 as pb
from tapelog.session.v1 import resources_pb2 as res

from tapelog_session.domain.names import KIND_WORDS
from tapelog_session.domain.permissions import stage_word
from tapelog_session.domain.roles import role_word

Teller = Callable[[Any], tuple[str, str]]

TEXT_CHARS_MAX: Final = 300
"""Words of people are quoted so far; the fact has them whole."""


def tell(event: Message) -> tuple[str, str]:
    """Return what happened, and why; the reason may be empty."""
    what, why = TELLERS[type(event)](event)
    return what, why if len(why) <= TEXT_CHARS_MAX else f"{why[:TEXT_CHARS_MAX]}…"


def _version(event: Any) -> str:
    return f"{KIND_WORDS[event.kind]} {event.number}"


def _word(enum: Any, value: int, prefix: str) -> str:
    return str(enum.Name(value)).removeprefix(prefix).replace("_", " ").lower()


def _checked(event: pb.BriefCheckCompleted) -> tuple[str, str]:
    scope = "recipe" if event.scope == pb.BRIEF_CHECK_SCOPE_RECIPE else "sound"
    broken = sum(v.verdict == brief_pb2.VERDICT_VIOLATION for v in event.verdicts)
    result = f"{broken} of {len(event.verdicts)} rules broken"
    return f"checked the {scope} of {_version(event)} against brief revision {event.brief_revision}: {result}", ""


def _gate(event: pb.StageGateEvaluated) -> tuple[str, str]:
    failing = [c.code for c in event.conditions if not c.passed]
    result = "every condition holds" if event.passed else f"{', '.join(dict.fromkeys(failing))}"
    return f"evaluated the gate from {stage_word(getattr(event, 'from'))} to {stage_word(event.to)}: {result}", ""


def _advised(event: pb.SendBackRequested) -> tuple[str, str]:
    advice = event.advice
    reason = f"{_word(res.SendBackReason, advice.reason, 'SEND_BACK_REASON_')}: {advice.comment}"
    if advice.delivery:
        who = f"recorded that {advice.party} returned delivery {advice.delivery} and"
        return f"{who} asks to send the song back to {stage_word(advice.to)}", reason
    return f"asked to send the song back to {stage_word(advice.to)}", reason


def _sent_back(event: pb.StageSentBack) -> tuple[str, str]:
    decided = event.send_back
    reason = _word(res.SendBackReason, decided.reason, "SEND_BACK_REASON_")
    route = f"{stage_word(getattr(decided, 'from'))} to {stage_word(decided.to)}"
    return f"sent the song back from {route} ({decided.edge}, cycle {decided.cycle})", f"{reason}: {decided.comment}"


def _decided(event: pb.DecisionRecorded) -> tuple[str, str]:
    decision = event.decision
    parts = [f"decided disagreement {event.disagreement}: {_word(res.DecisionKind, decision.kind, 'DECISION_KIND_')}"]
    if decision.option:
        parts.append(f"option {decision.option}")
    if decision.brief_revision:
        parts.append(f"brief revision {decision.brief_revision}")
    if decision.waives:
        parts.append(f"waives {', '.join(decision.waives)}")
    return ", ".join(parts), decision.rationale


def _note(event: pb.NoteAdded) -> tuple[str, str]:
    note = event.note
    severity = _word(res.NoteSeverity, note.severity, "NOTE_SEVERITY_")
    on = "/".join(note.version.split("/")[-2:]) or (f"take {note.take}" if note.take else "the song")
    at = f", frames {note.range.start_frame} to {note.range.end_frame}" if note.HasField("range") else ""
    return f"made note {note.id} ({severity}) on {on}{at}", note.text


def _settled(event: pb.ContributionsSettled) -> tuple[str, str]:
    count = event.count
    result = f"{count.waiting} wait, {count.confirmed} confirmed, {count.disputed} disputed"
    return f"counted the contributions of {count.studio_session}: {result}", ""


TELLERS: Final[Mapping[type[Message], Teller]] = {
    pb.SongCreated: lambda e: (f"created the song {e.title} at {e.sample_rate_hz} Hz, {e.bit_depth} bits", ""),
    pb.WorkLinked: lambda e: (f"registered the work {e.work.title} by {', '.join(e.work.writers)}", ""),
    pb.CatalogueIdsSet: lambda e: (f"set the ISRC {e.isrc}", ""),
    pb.PolicyAdopted: lambda e: (f"let the project's policy hold (project at {e.project_sequence})", ""),
    pb.BriefProposed: lambda e: (f"proposed the brief with {len(e.brief.constraints)} rules", e.brief.intent),
    pb.BriefAmended: lambda e: (f"amended the brief: revision {e.brief.revision}", e.reason),
    pb.WritersSet: lambda e: (f"set the writers of work {e.work}: {', '.join(e.writers)}", ""),
    pb.ReferenceTrackAttached: lambda e: (f"attached the reference track {e.reference.title!r}", e.reference.comment),
    pb.BriefAgreed: lambda e: (f"agreed to brief revision {e.revision}", ""),
    pb.ArrangementApproved: lambda _: ("approved the arrangement", ""),
    pb.StageGateEvaluated: _gate,
    pb.StageAdvanced: lambda e: (f"opened the gate to {stage_word(e.to)}", ""),
    pb.StageAdvanceRefused: lambda e: (f"was refused the way to {stage_word(e.to)}", ", ".join(e.codes)),
    pb.StageEntered: lambda e: (f"entered {stage_word(e.stage)}, cycle {e.cycle}", ""),
    pb.SendBackRequested: _advised,
    pb.StageSentBack: _sent_back,
    pb.SongPutOnHold: lambda e: (f"put the song on hold in {stage_word(getattr(e, 'from'))}", e.reason),
    pb.SongResumed: lambda e: (f"went on in {stage_word(e.stage)}", ""),
    pb.SongCancelled: lambda e: (f"gave the song up in {stage_word(getattr(e, 'from'))}", e.reason),
    pb.TrackDefined: lambda e: (f"defined track {e.track.id} ({e.track.title})", ""),
    pb.TrackRequirementChanged: lambda e: (
        f"made track {e.track} {'required' if e.required else 'optional'}",
        e.reason,
    ),
    pb.TakeRecorded: lambda e: (f"recorded take {e.take} of {e.track}", ""),
    pb.TakeChecked: lambda e: (f"checked take {e.take}: {'fit' if e.passed else 'not fit'}", "; ".join(e.findings)),
    pb.TakeCheckWaived: lambda e: (
        f"waived the {_word(res.TakeCheckKind, e.waiver.kind, 'TAKE_CHECK_KIND_')} check of take {e.waiver.take}",
        e.waiver.reason,
    ),
    pb.TakeSelected: lambda e: (f"selected take {e.take} of {e.track}", ""),
    pb.TakeRejected: lambda e: (f"rejected take {e.take}", e.reason),
    pb.TakeCleaned: lambda e: (f"cleaned take {e.parent} of {e.track} into {e.take}", "; ".join(e.treatments)),
    pb.CompSet: lambda e: (f"set a comp of {len(e.comp.regions)} passages on {e.track}", ""),
    pb.CompRendered: lambda e: (f"{'could not render' if e.error else 'rendered'} the comp of {e.track}", e.error),
    pb.AlternateTakeRequested: lambda e: (f"asked for another take of {e.track}", e.request.reason),
    pb.MixVersionProposed: lambda e: (f"proposed mix {e.number}", e.comment),
    pb.MasterVersionProposed: lambda e: (f"proposed master {e.number} of mix {e.mix_number}", e.comment),
    pb.BriefCheckCompleted: _checked,
    pb.BriefViolationFlagged: lambda e: (f"flagged {_version(e)}: breaks {e.verdict.constraint}", e.verdict.evidence),
    pb.VersionRendered: lambda e: (f"rendered {_version(e)}", ""),
    pb.VersionRenderFailed: lambda e: (f"failed to render {_version(e)}", e.error),
    pb.VersionSubmittedForReview: lambda e: (f"submitted {_version(e)} for review", ""),
    pb.ChangesRequested: lambda e: (f"asked for changes to {_version(e)}", e.summary),
    pb.VersionRejected: lambda e: (f"rejected {_version(e)}", e.summary),
    pb.VersionApprovalGiven: lambda e: (
        f"approved {_version(e)} under brief revision {e.approval.brief_revision}"
        + (" (own work)" if e.approval.self_approved else ""),
        "",
    ),
    pb.ApprovalWithdrawn: lambda e: (f"took the approval of {_version(e)} as {role_word(e.role)} back", e.reason),
    pb.ApprovalDeadlineMissed: lambda e: (
        f"raised an alert: {_version(e)} still waits",
        ", ".join(role_word(role) for role in e.missing),
    ),
    pb.RevisionAllowanceExceeded: lambda e: (f"began round {e.round}, of {e.allowance} that were agreed", ""),
    pb.MixVersionApproved: lambda e: (f"completed the approvals of mix {e.number}", ""),
    pb.MasterVersionApproved: lambda e: (f"completed the approvals of master {e.number}", ""),
    pb.VersionSuperseded: lambda e: (
        f"superseded {_version(e)}" + (f" by {e.by_number}" if e.by_number else ""),
        "",
    ),
    pb.NoteAdded: _note,
    pb.NoteAddressed: lambda e: (f"addressed note {e.note}", e.answer),
    pb.NoteVerified: lambda e: (f"verified note {e.note}", ""),
    pb.NoteReplied: lambda e: (f"answered note {e.note}", e.reply.text),
    pb.NoteDeclined: lambda e: (f"declined note {e.note}", e.reason),
    pb.NoteReopened: lambda e: (f"reopened note {e.note}", e.reason),
    pb.NotesCarriedOver: lambda e: (f"carried {len(e.notes)} open notes to {_version(e)}", ""),
    pb.AlternatesRequested: lambda e: (
        f"asked for alternates of mix {e.mix_number}: {', '.join(a.id for a in e.alternates)}",
        "",
    ),
    pb.AlternateRendered: lambda e: (
        f"{'failed to render' if e.error else 'rendered'} alternate {e.alternate} of mix {e.mix_number}",
        e.error,
    ),
    pb.StemsRequested: lambda e: (f"asked for the stems of mix {e.mix_number}", ""),
    pb.StemsRendered: lambda e: (
        f"{'failed to render' if e.error else 'rendered'} the stems of mix {e.mix_number}",
        e.error,
    ),
    pb.LyricsSet: lambda e: ("set the words" if e.lyrics.text.strip() else "took the words away", ""),
    pb.DeliveryPrechecked: lambda e: (
        f"built delivery {e.delivery}" if e.passed else "tried to build a delivery",
        "; ".join(e.findings),
    ),
    pb.PackageAccepted: lambda e: (f"recorded that {e.accepted_by} accepted delivery {e.delivery}", ""),
    pb.PackageVerified: lambda e: (
        f"read {e.files} files of delivery {e.delivery}: whole in {e.stores} stores",
        "; ".join(e.findings),
    ),
    pb.ContributionsSettled: _settled,
    pb.DisagreementOpened: lambda e: (f"opened disagreement {e.disagreement.id}", e.disagreement.question),
    pb.PositionStated: lambda e: (f"stated a position in {e.disagreement}", e.position.concern),
    pb.OptionProposed: lambda e: (f"proposed option {e.option.id} in {e.disagreement}", e.option.description),
    pb.DecisionRecorded: _decided,
    pb.DecisionConsented: lambda e: (f"consented to the decision in {e.disagreement}", ""),
    pb.DisagreementClosed: lambda e: (
        f"{'took back' if e.withdrawn else 'closed'} disagreement {e.disagreement}",
        e.comment,
    ),
    pb.CheckWaived: lambda e: (
        f"waived {e.waiver.constraint} by decision {e.waiver.disagreement}",
        e.waiver.reason,
    ),
}
"""Every event of a song, told once."""
