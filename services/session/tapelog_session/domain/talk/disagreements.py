"""Disagreements: positions, options, the producer's decision, consents. What was said stays on the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, InvalidCommand, NotNow, Unknown
from tapelog_session.domain.names import parse_version
from tapelog_session.domain.permissions import ARTIST, require_stage
from tapelog_session.domain.roles import Actor, missing_consents
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk.notes import require_note
from tapelog_session.domain.versioning.versions import require_version
from tapelog_session.domain.vision import brief as briefs
from tapelog_session.domain.vision import waivers

DISAGREEMENTS_MAX: Final = 256
POSITIONS_MIN: Final = 2
"""One voice is no disagreement."""
POSITIONS_MAX: Final = 64
OPTIONS_MAX: Final = 16
SUBJECTS_MAX: Final = 64
"""Rules, notes or consequences named by one disagreement."""

OPEN: Final = pb.DISAGREEMENT_STATE_OPEN
STATED: Final = pb.DISAGREEMENT_STATE_POSITIONS_STATED
OPTIONS: Final = pb.DISAGREEMENT_STATE_OPTIONS
DECIDED: Final = pb.DISAGREEMENT_STATE_DECIDED
CONSENTED: Final = pb.DISAGREEMENT_STATE_CONSENTED
CLOSED: Final = pb.DISAGREEMENT_STATE_CLOSED


def open_disagreement(song: Song, actor: Actor, id_: str, wanted: pb.Disagreement) -> Sequence[Message]:
    """Open a disagreement.

    Parameters
    ----------
    id_ : str
        Its new id.
    wanted : Disagreement
        Question, version, constraints and notes; the rest is set here.
    """
    require_stage(song, "OpenDisagreement")
    fields = Fields()
    fields.text("question", wanted.question, TEXT_CHARS_MAX)
    for name, values in (("constraints", wanted.constraints), ("notes", wanted.notes)):
        fields.that(len(values) <= SUBJECTS_MAX, name, f"{len(values)} are more than {SUBJECTS_MAX}")
        fields.unique(name, list(values))
    known = {constraint.id for constraint in song.brief.constraints} if song.brief else set()
    for constraint in wanted.constraints:
        is_rule = constraint in known or waivers.is_translation(constraint)
        fields.that(is_rule, "constraints", f"the brief has no rule {constraint[:64]!r}")
    fields.refuse()
    if wanted.version:
        about = parse_version(wanted.version, "version")
        require_version(song, about.kind, about.number)
    for note in wanted.notes:
        require_note(song, note)
    if len(song.disagreements) >= DISAGREEMENTS_MAX:
        raise NotNow("TOO_MANY_DISAGREEMENTS", f"the song has {DISAGREEMENTS_MAX} disagreements, which is the limit")
    opened = pb.Disagreement(
        id=id_,
        question=wanted.question,
        version=wanted.version,
        constraints=wanted.constraints,
        notes=wanted.notes,
        opened_by=actor.party,
        opened_as=actor.role,
        state=OPEN,
    )
    return [events_pb2.DisagreementOpened(disagreement=opened)]


def state_position(song: Song, actor: Actor, id_: str, concern: str, wish: str) -> Sequence[Message]:
    """Say what concerns a person; said again it replaces what they said before."""
    require_stage(song, "StatePosition")
    fields = Fields()
    fields.text("concern", concern, TEXT_CHARS_MAX)
    fields.text("wish", wish, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()
    known = _undecided(song, id_)
    parties = {position.party for position in known.positions}
    if actor.party not in parties and len(parties) >= POSITIONS_MAX:
        raise NotNow("TOO_MANY_POSITIONS", f"{POSITIONS_MAX} people have a position, which is the limit")
    position = pb.Position(party=actor.party, role=actor.role, concern=concern, wish=wish)
    return [events_pb2.PositionStated(disagreement=id_, position=position)]


def propose_option(
    song: Song, actor: Actor, id_: str, option: str, *, description: str, version: str
) -> Sequence[Message]:
    """Say what could be done, if possible with a version that lets it be heard."""
    require_stage(song, "ProposeOption")
    fields = Fields()
    fields.id("option", option)
    fields.text("description", description, TEXT_CHARS_MAX)
    fields.refuse()
    known = _undecided(song, id_)
    _require_positions(known)
    if option in {given.id for given in known.options}:
        raise NotNow("OPTION_EXISTS", f"there is an option {option!r}; choose another id", option=option)
    if len(known.options) >= OPTIONS_MAX:
        raise NotNow("TOO_MANY_OPTIONS", f"the disagreement has {OPTIONS_MAX} options, which is the limit")
    if version:
        name = parse_version(version, "version")
        require_version(song, name.kind, name.number)
    proposed = pb.DecisionOption(id=option, description=description, version=version, proposed_by=actor.party)
    return [events_pb2.OptionProposed(disagreement=id_, option=proposed)]


def record_decision(
    song: Song, actor: Actor, id_: str, wanted: pb.Decision, amendment: brief_pb2.Brief | None
) -> Sequence[Message]:
    """Decide a disagreement.

    Parameters
    ----------
    wanted : Decision
        Kind, option, rationale, consequences, revisit_when and waives; the rest is set here.
    amendment : Brief, optional
        The brief from now on; the producer agrees to it by deciding, the artist by consenting.

    Raises
    ------
    InvalidCommand
        A compromise without amendment or waiver, a technical rule to be waived, an unknown option.
    NotNow
        Fewer than two positions, no option, or decided already.
    """
    require_stage(song, "RecordDecision")
    known = _undecided(song, id_)
    _check_decision(song, known, wanted, amends=amendment is not None)
    _require_positions(known)
    if wanted.kind != pb.DECISION_KIND_DEFER and not known.options:
        raise NotNow("NO_OPTIONS", "propose an option first, so that what was chosen from is on the record")
    decided = pb.Decision()
    decided.CopyFrom(wanted)
    decided.party = actor.party
    decided.brief_revision = song.brief_revision + 1 if amendment is not None else 0
    events: list[Message] = [events_pb2.DecisionRecorded(disagreement=id_, decision=decided)]
    if amendment is not None:
        events += briefs.propose_brief(song, amendment, f"decided: {wanted.rationale}"[:TEXT_CHARS_MAX])
        events.append(events_pb2.BriefAgreed(revision=decided.brief_revision, party=actor.party, role=actor.role))
    return events


def _check_decision(song: Song, known: pb.Disagreement, wanted: pb.Decision, *, amends: bool) -> None:
    kind = wanted.kind
    fields = Fields()
    fields.that(
        kind in pb.DecisionKind.values() and kind != pb.DECISION_KIND_UNSPECIFIED,
        "kind",
        "say what the decision does: ADOPT, COMPROMISE or DEFER",
    )
    fields.text("rationale", wanted.rationale, TEXT_CHARS_MAX)
    fields.text("revisit_when", wanted.revisit_when, TEXT_CHARS_MAX, chars_min=int(kind == pb.DECISION_KIND_DEFER))
    fields.that(len(wanted.consequences) <= SUBJECTS_MAX, "consequences", f"at most {SUBJECTS_MAX}")
    for line in wanted.consequences[:SUBJECTS_MAX]:
        fields.text("consequences", line, TEXT_CHARS_MAX)
    given = {option.id for option in known.options}
    needs_option = kind == pb.DECISION_KIND_ADOPT
    if needs_option or wanted.option:
        text = f"{wanted.option[:64]!r} is not one of the options: {', '.join(sorted(given)) or 'there is none'}"
        fields.that(wanted.option in given, "option", text)
    if kind == pb.DECISION_KIND_COMPROMISE:
        text = "a compromise amends the brief or names a rule to waive, else the next version breaks the same rule"
        fields.that(amends or bool(wanted.waives), "brief", text)
    if kind == pb.DECISION_KIND_DEFER:
        fields.that(not amends and not wanted.waives, "brief", "a deferred decision changes nothing yet")
    fields.unique("waives", list(wanted.waives))
    for constraint in wanted.waives:
        fault = waivers.fault_of(song, constraint)
        fields.that(not fault, "waives", fault)
    fields.refuse("INVALID_DECISION")


def consent(song: Song, actor: Actor, id_: str) -> Sequence[Message]:
    """Consent to a decision; the artist's consent agrees to its brief and puts its waivers in force."""
    require_stage(song, "ConsentToDecision")
    known = require_disagreement(song, id_)
    if known.state != DECIDED:
        raise _wrong_state(known, "a decision is consented to after it is recorded and until all have")
    if any((given.party, given.role) == (actor.party, actor.role) for given in known.consents):
        raise NotNow("ALREADY_GIVEN", f"{actor.party} has already consented", party=actor.party)
    consents = [*known.consents, pb.RoleConsent(party=actor.party, role=actor.role)]
    complete = not waiting_for(known, consents)
    given = events_pb2.DecisionConsented(disagreement=id_, party=actor.party, role=actor.role, complete=complete)
    return [given, *(_by_the_artist(song, actor, known) if actor.role == ARTIST else ())]


def _by_the_artist(song: Song, actor: Actor, known: pb.Disagreement) -> Iterator[Message]:
    decision, brief = known.decision, song.brief
    if brief is not None and decision.brief_revision == brief.revision:
        missing = missing_consents(brief.agreements)
        if ARTIST in missing:
            yield events_pb2.BriefAgreed(
                revision=brief.revision, party=actor.party, role=ARTIST, complete=missing == (ARTIST,)
            )
    for constraint in decision.waives:
        # The brief may have moved on since the decision; a rule that is gone needs no waiver.
        if not waivers.fault_of(song, constraint):
            yield events_pb2.CheckWaived(
                waiver=pb.Waiver(
                    constraint=constraint,
                    disagreement=known.id,
                    reason=decision.rationale,
                    waived_by=decision.party,
                    brief_revision=song.brief_revision,
                )
            )


def close(song: Song, actor: Actor, id_: str, comment: str) -> Sequence[Message]:
    """End a disagreement: whoever opened it takes it back before the decision, the producer closes it after."""
    require_stage(song, "CloseDisagreement")
    known = require_disagreement(song, id_)
    if known.state == CLOSED:
        raise _wrong_state(known, "it is over")
    is_decided = known.state in {DECIDED, CONSENTED}
    fields = Fields()
    fields.text("comment", comment, TEXT_CHARS_MAX, chars_min=0 if is_decided else 1)
    fields.refuse()
    if not is_decided and known.opened_by != actor.party:
        text = f"only {known.opened_by}, who opened it, can take it back; the producer decides it"
        raise NotNow("DISAGREEMENT_UNDECIDED", text, conditions=[Condition("DISAGREEMENT_UNDECIDED", id_, text)])
    decision = known.decision
    touches_brief = bool(decision.brief_revision or decision.waives)
    if is_decided and touches_brief and not has_artist(known):
        text = "the decision touches the brief and waits for the artist's consent"
        raise NotNow("ARTIST_CONSENT_MISSING", text, conditions=[Condition("ARTIST_CONSENT_MISSING", id_, text)])
    return [
        events_pb2.DisagreementClosed(
            disagreement=id_,
            comment=comment,
            withdrawn=not is_decided,
            without_consent_of=sorted(waiting_for(known, known.consents) - {""}) if is_decided else [],
        )
    ]


def waiting_for(known: pb.Disagreement, consents: Sequence[pb.RoleConsent]) -> set[str]:
    """Return who with a position has not consented; the empty string stands for an artist, whoever it is."""
    have = {given.party for given in consents} | {known.decision.party}
    missing = {position.party for position in known.positions} - have
    return missing | (set() if any(given.role == ARTIST for given in consents) else {""})


def has_artist(known: pb.Disagreement) -> bool:
    """Say whether an artist consented to the decision."""
    return any(given.role == ARTIST for given in known.consents)


def require_disagreement(song: Song, id_: str) -> pb.Disagreement:
    """Return a disagreement of the song, or refuse."""
    known = song.disagreements.get(id_)
    if known is None:
        raise Unknown("NO_SUCH_DISAGREEMENT", f"the song has no disagreement {id_[:64]!r}", disagreement=id_[:64])
    return known


def is_own(song: Song, party: str, id_: str) -> bool:
    """Say whether a person opened a disagreement."""
    known = song.disagreements.get(id_)
    return known is not None and known.opened_by == party


def _undecided(song: Song, id_: str) -> pb.Disagreement:
    known = require_disagreement(song, id_)
    if known.state not in {OPEN, STATED, OPTIONS}:
        raise _wrong_state(known, "it is decided; open another one if something new came up")
    return known


def _require_positions(known: pb.Disagreement) -> None:
    if len(known.positions) < POSITIONS_MIN:
        raise NotNow(
            "POSITIONS_MISSING",
            f"{len(known.positions)} of at least {POSITIONS_MIN} positions are stated; hear the other side first",
        )


def _wrong_state(known: pb.Disagreement, rule: str) -> NotNow:
    state = pb.DisagreementState.Name(known.state).removeprefix("DISAGREEMENT_STATE_")
    return NotNow("WRONG_DISAGREEMENT_STATE", f"disagreement {known.id} is {state}: {rule}", state=state)


def refuse_waiver(song: Song, id_: str, constraint: str) -> None:
    """Refuse a waiver that no decision carries.

    Raises
    ------
    NotNow
        The disagreement is undecided or deferred, is not about the rule, or the artist has not consented.
    """
    known = require_disagreement(song, id_)
    decision = known.decision
    subjects = {*known.constraints, *decision.waives}
    if decision.kind not in {pb.DECISION_KIND_ADOPT, pb.DECISION_KIND_COMPROMISE}:
        raise NotNow("DECISION_MISSING", f"disagreement {id_} is not decided; a waiver needs a decision on record")
    if constraint not in subjects:
        text = f"disagreement {id_} is about {', '.join(sorted(subjects)) or 'no rule'}"
        raise InvalidCommand("OTHER_DECISION", [("disagreement", f"{text}, not about {constraint}")])
    if not has_artist(known):
        raise NotNow("ARTIST_CONSENT_MISSING", f"the artist has not consented to the decision in {id_}")
