"""Conditions of the stage gates: one small function each, reading the song and nothing else.

A condition's code names what is wrong when it fails; a condition that holds has the same code with `passed` set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.names import KindValue
from tapelog_session.domain.roles import missing_consents, role_word
from tapelog_session.domain.song import Note, Song, Version
from tapelog_session.domain.versioning.targets import loudness_fault, true_peak_fault
from tapelog_session.domain.versioning.versions import MASTER, MIX
from tapelog_session.domain.vision.brief_check import TECHNICAL_RULES
from tapelog_session.domain.vision.waivers import waiver_of

Conditions = Sequence[pb.GateCondition]
STORES_MIN: Final = 2
"""Stores that must hold every delivered file before the song is put away."""

Fault = Callable[[recipe_pb2.MasterTarget, audio_pb2.Measurements], str]


def _one(code: str, passed: bool, description: str, subject: str = "") -> Conditions:
    return [pb.GateCondition(code=code, passed=passed, description=description, subject=subject)]


def _holds(code: str, description: str, subject: str = "") -> Conditions:
    return [pb.GateCondition(code=code, passed=True, description=description, subject=subject)]


def _fails(code: str, description: str, subject: str = "") -> Conditions:
    return [pb.GateCondition(code=code, description=description, subject=subject)]


def brief_agreed(song: Song) -> Conditions:
    """Demand that artist and producer agreed to the revision in force."""
    if song.brief is None:
        return _fails("BRIEF_NOT_AGREED", "there is no brief; propose one")
    missing = [role_word(role) for role in missing_consents(song.brief.agreements)]
    waiting = f"revision {song.brief.revision} waits for {' and '.join(missing)}" if missing else "agreed"
    return _one("BRIEF_NOT_AGREED", not missing, waiting, f"brief revision {song.brief.revision}")


def arrangement_approved(song: Song) -> Conditions:
    """Demand that artist and producer approved the arrangement."""
    missing = [role_word(role) for role in missing_consents(song.arrangement)]
    return _one(
        "ARRANGEMENT_NOT_APPROVED",
        not missing,
        f"the arrangement waits for {' and '.join(missing)}" if missing else "approved",
    )


def work_registered(song: Song) -> Conditions:
    """Demand a musical work with writers."""
    has_writers = any(work.writers for work in song.works)
    return _one("WORK_MISSING", has_writers, "registered" if has_writers else "register a musical work and its writers")


def session_format_fixed(song: Song) -> Conditions:
    """Demand that the session's sample rate and bit depth are fixed."""
    is_fixed = song.sample_rate_hz > 0 and song.bit_depth > 0
    return _one("SESSION_FORMAT_NOT_SET", is_fixed, f"{song.sample_rate_hz} Hz, {song.bit_depth} bits")


def something_selected(song: Song) -> Conditions:
    """Demand that there is something to mix."""
    count = len(song.selected_takes())
    return _one("NOTHING_SELECTED", count > 0, f"{count} selected takes" if count else "select a take")


def required_tracks_covered(song: Song) -> Conditions:
    """Demand a selected take of every required track."""
    found: list[pb.GateCondition] = []
    for track in sorted(song.tracks.values(), key=lambda track: track.order):
        if track.required:
            taken = bool(track.chosen_takes)
            text = ", ".join(track.chosen_takes) if taken else f"select a take of {track.id}, or set a comp"
            found += _one("TRACK_WITHOUT_TAKE", taken, text, track.id)
    return found


def selected_takes_passed(song: Song) -> Conditions:
    """Demand that every selected take passed its technical check; nobody can waive it."""
    found: list[pb.GateCondition] = []
    for take in song.selected_takes():
        if take.check_state == pb.TAKE_CHECK_STATE_FAILED:
            found += _fails("TAKE_FAILED", f"take {take.id}: {'; '.join(take.findings)}", take.track)
        else:
            text = "passed" if take.has_passed else f"take {take.id} is still being checked; wait"
            found += _one("TAKE_NOT_CHECKED", take.has_passed, text, take.track)
    return found


def one_sample_rate(song: Song) -> Conditions:
    """Demand one sample rate of all selected takes."""
    rates = sorted({take.format.sample_rate_hz for take in song.selected_takes() if take.format is not None})
    return _one("SAMPLE_RATES_DIFFER", len(rates) <= 1, f"rates of the selected takes: {rates} Hz")


def no_open_blocker(song: Song) -> Conditions:
    """Demand that no note of severity BLOCKER waits for an engineer or for being verified."""
    blockers = [note for note in song.notes.values() if note.content.severity == pb.NOTE_SEVERITY_BLOCKER]
    waiting = sorted((n for n in blockers if n.state != pb.NOTE_STATE_VERIFIED), key=lambda note: note.order)
    if not waiting:
        return _holds("BLOCKER_NOTE_OPEN", "no open blocker")
    return [c for note in waiting for c in _fails("BLOCKER_NOTE_OPEN", _waits_for(note), note.id)]


def _waits_for(note: Note) -> str:
    if note.state == pb.NOTE_STATE_ADDRESSED:
        return f"addressed, waits for artist or producer to verify: {note.content.text[:120]}"
    if note.state == pb.NOTE_STATE_DECLINED:
        return f"declined ({note.answer[:80]}), waits for artist or producer to verify: {note.content.text[:120]}"
    return f"waits for an engineer: {note.content.text[:120]}"


def mix_approved(song: Song) -> Conditions:
    """Demand exactly one mix approved under the brief in force."""
    return _version_approved(song, MIX)


def master_approved(song: Song) -> Conditions:
    """Demand exactly one master, of the approved mix, approved under the brief in force."""
    master, mix = song.approved(MASTER), song.approved(MIX)
    if master is not None and (mix is None or master.mix_number != mix.number):
        text = f"master {master.number} is made from mix {master.mix_number}, which is not the approved one"
        return _fails("MASTER_NOT_APPROVED", text, _name(song, master))
    return _version_approved(song, MASTER)


def _version_approved(song: Song, kind: KindValue) -> Conditions:
    code = "MIX_NOT_APPROVED" if kind == MIX else "MASTER_NOT_APPROVED"
    word = "mix" if kind == MIX else "master"
    count = sum(v.state == pb.VERSION_STATE_APPROVED for v in song.versions(kind).values())
    candidate = song.candidate(kind)
    if candidate is None:
        return _fails(code, f"there is no {word}; propose one")
    if count == 1:
        return _holds(code, f"{word} {candidate.number} is approved", _name(song, candidate))
    state = pb.VersionState.Name(candidate.state).removeprefix("VERSION_STATE_")
    text = f"{word} {candidate.number} is {state}; submit it and have it approved"
    return _fails(code, text, _name(song, candidate))


def mix_approvals(song: Song) -> Conditions:
    """Demand both approvals of the mix's exact bytes under the brief in force."""
    return _approvals(song, MIX)


def master_approvals(song: Song) -> Conditions:
    """Demand both approvals of the master's exact bytes under the brief in force."""
    return _approvals(song, MASTER)


def _approvals(song: Song, kind: KindValue) -> Conditions:
    version = song.candidate(kind)
    if version is None:
        return []
    missing = version.missing_approvals(song.brief_revision)
    people = {approval.party for approval in version.applicable(song.brief_revision)}
    if not missing and len(people) < song.policy.approval_quorum:
        text = f"{len(people)} of {song.policy.approval_quorum} people have approved"
        return _fails("QUORUM_NOT_REACHED", text, _name(song, version))
    if not missing:
        return _holds("APPROVAL_MISSING", "approved by every required role", _name(song, version))
    stale = {approval.role for approval in version.approvals}
    found: list[pb.GateCondition] = []
    for role in missing:
        if role in stale:
            text = f"{role_word(role)} approved other bytes, another brief revision, or before a return; approve again"
            found += _fails("APPROVAL_INAPPLICABLE", text, _name(song, version))
        else:
            found += _fails("APPROVAL_MISSING", f"waits for {role_word(role)}", _name(song, version))
    return found


def mix_keeps_brief(song: Song) -> Conditions:
    """Demand a mix checked against the brief in force, over recipe and signal, that breaks none of its rules."""
    return _keeps_brief(song, MIX)


def master_keeps_brief(song: Song) -> Conditions:
    """Demand a master checked against the brief in force that breaks none of its rules."""
    return _keeps_brief(song, MASTER)


def _keeps_brief(song: Song, kind: KindValue) -> Conditions:
    version = song.candidate(kind)
    if version is None or song.brief is None:
        return []
    subject, revision = _name(song, version), song.brief_revision
    if version.recipe_revision != revision or version.signal_revision != revision:
        text = f"not yet checked against brief revision {revision}, over the recipe and the rendered signal"
        found = list(_fails("BRIEF_NOT_CHECKED", text, subject))
    else:
        found = list(_holds("BRIEF_NOT_CHECKED", f"checked against brief revision {revision}", subject))
    technical = {c.id for c in song.brief.constraints if c.WhichOneof("rule") in TECHNICAL_RULES}
    for verdict in version.verdicts:
        waiver = waiver_of(song, version, verdict.constraint) if verdict.constraint not in technical else None
        if verdict.verdict == brief_pb2.VERDICT_VIOLATION and waiver is not None:
            text = f"{verdict.constraint} is waived by decision {waiver.disagreement}: {waiver.reason[:200]}"
            found += _holds("BRIEF_VIOLATED", text, subject)
        elif verdict.verdict == brief_pb2.VERDICT_VIOLATION:
            text = f"{verdict.constraint} ({verdict.statement[:100]}): {verdict.evidence}"
            found += _fails("BRIEF_VIOLATED", text, subject)
        elif verdict.verdict == brief_pb2.VERDICT_NOT_MEASURED and verdict.constraint in technical:
            text = f"{verdict.constraint} is technical and must be measured: {verdict.evidence}"
            found += _fails("BRIEF_NOT_MEASURED", text, subject)
    return found


def required_alternates(song: Song) -> Conditions:
    """Demand every alternate that the brief requires, rendered from the mix that goes on."""
    mix = song.candidate(MIX)
    if mix is None:
        return []
    found: list[pb.GateCondition] = []
    for alternate in wanted_alternates(song):
        known = song.alternates.get((mix.number, alternate))
        is_there = known is not None and known.audio is not None
        text = f"alternate {alternate} of mix {mix.number} {'is rendered' if is_there else 'is missing; ask for it'}"
        found += _one("ALTERNATE_MISSING", is_there, text, f"{_name(song, mix)}/alternates/{alternate}")
    return found


def wanted_alternates(song: Song) -> list[str]:
    """Return the ids of the alternates that the brief requires."""
    rules = song.brief.constraints if song.brief else ()
    return list(dict.fromkeys(alternate for rule in rules for alternate in rule.version_required.alternates))


def no_open_disagreement(song: Song) -> Conditions:
    """Demand that every disagreement is over."""
    waiting = [known for known in song.disagreements.values() if known.state != pb.DISAGREEMENT_STATE_CLOSED]
    if not waiting:
        return _holds("DISAGREEMENT_OPEN", "no open disagreement")
    waiting.sort(key=lambda known: (known.create_time.seconds, known.create_time.nanos, known.id))
    return [c for known in waiting for c in _fails("DISAGREEMENT_OPEN", _decide(known), known.id)]


def _decide(known: pb.Disagreement) -> str:
    state = pb.DisagreementState.Name(known.state).removeprefix("DISAGREEMENT_STATE_")
    return f"{state}: {known.question[:120]}"


def loudness_on_target(song: Song) -> Conditions:
    """Demand that the master's loudness is inside its target."""
    return _on_target(song, "LOUDNESS_OFF_TARGET", "loudness", loudness_fault)


def true_peak_under_ceiling(song: Song) -> Conditions:
    """Demand that the master's true peak is at or under its ceiling."""
    return _on_target(song, "TRUE_PEAK_OVER_CEILING", "true peak", true_peak_fault)


def _on_target(song: Song, code: str, word: str, fault_of: Fault) -> Conditions:
    master = song.candidate(MASTER)
    if master is None or not master.is_rendered or not isinstance(master.recipe, recipe_pb2.MasterRecipe):
        return _fails(code, f"no rendered master whose {word} could be measured")
    fault = fault_of(master.recipe.target, master.audio[0].measurements)
    return _one(code, not fault, fault or f"{word} is inside the target", _name(song, master))


def isrc_set(song: Song) -> Conditions:
    """Demand the recording's ISRC."""
    return _one("ISRC_MISSING", bool(song.isrc), song.isrc or "set the recording's ISRC")


def contributions_settled(song: Song) -> Conditions:
    """Demand that every contribution that was noted is confirmed or disputed by the person."""
    waiting = [count for count in song.contributions.values() if count.waiting]
    if not waiting:
        return _holds("CONTRIBUTION_UNCONFIRMED", "every contribution is confirmed or disputed")
    return [
        c
        for count in sorted(waiting, key=lambda count: count.studio_session)
        for c in _fails(
            "CONTRIBUTION_UNCONFIRMED",
            f"{count.waiting} contribution(s) of {count.studio_session} wait for the person",
            count.studio_session,
        )
    ]


def delivery_prechecked(song: Song) -> Conditions:
    """Demand that a draft delivery of the approved master could be built."""
    code, precheck, master = "DELIVERY_NOT_PRECHECKED", song.precheck, song.approved(MASTER)
    if precheck is None:
        return _fails(code, "build a draft delivery")
    if master is None or precheck.master_number != master.number:
        return _fails(code, "the draft delivery was built of another master; build it again")
    if not precheck.passed:
        return _fails(code, f"the draft delivery has gaps: {'; '.join(precheck.findings)[:250]}")
    return _holds(code, f"draft delivery {precheck.delivery} was built", precheck.delivery)


def label_accepted(song: Song) -> Conditions:
    """Demand that the label accepted the final package."""
    accepted = song.accepted_delivery
    if accepted:
        text = f"delivery {accepted} was accepted"
    elif song.is_returned(song.delivery):
        text = "the label returned the package; send the song back, or build another package for it"
    else:
        text = "waits for the label to accept the final package"
    return _one("DELIVERY_NOT_ACCEPTED", bool(accepted), text, accepted or song.delivery)


def files_verified(song: Song) -> Conditions:
    """Demand that every file of the manifest was found whole in two stores."""
    is_verified = song.verified_stores >= STORES_MIN
    if is_verified:
        text = f"every file is whole in {song.verified_stores} stores"
    else:
        findings = "; ".join(song.verify_findings)[:250]
        text = f"verify the package in {STORES_MIN} stores{': ' + findings if findings else ''}"
    return _one("FILES_NOT_VERIFIED", is_verified, text, song.delivery)


def _name(song: Song, version: Version) -> str:
    return str(song.name.version(version.kind, version.number))
