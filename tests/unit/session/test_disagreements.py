"""Disagreements, decisions and waivers, on a song in memory."""

from typing import Any

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.application.reading.resources import disagreement_resource
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.names import VersionName
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.talk import disagreements
from tapelog_session.domain.versioning import reviews, versions
from tapelog_session.domain.versioning.versions import MIX
from tapelog_session.domain.vision import waivers

ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)
DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300))
VOICE = brief_pb2.TrackSelector(tracks=["lead-vox"])
DRY = brief_pb2.Constraint(
    id="dry",
    statement="No echo.",
    effect_forbidden=brief_pb2.EffectForbidden(selector=VOICE, effects=["delay"]),
)
PEAK = brief_pb2.Constraint(id="peak", statement="Clean.", true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-1))
COMPROMISE, ADOPT, DEFER = pb.DECISION_KIND_COMPROMISE, pb.DECISION_KIND_ADOPT, pb.DECISION_KIND_DEFER


def _disputed(session: Any) -> None:
    """A mix with an echo that the brief forbids, rendered; two positions and two options about it."""  # noqa: D401
    session.to_mixing(DRY, PEAK)
    session.mix(DELAY)
    session.render(MIX, 1)
    wanted = pb.Disagreement(
        question="Echo in the bridge?", version=session.song.name.version(MIX, 1), constraints=["dry"]
    )
    session.do(disagreements.open_disagreement, MIXER, "dis-1", wanted)
    session.do(disagreements.state_position, MIXER, "dis-1", "the bridge needs movement", "an echo")
    session.do(disagreements.state_position, ARTIST, "dis-1", "the voice must stay close", "")
    for option in ("a", "b"):
        session.do(disagreements.propose_option, MIXER, "dis-1", option, description="so", version="")


def _decide(session: Any, *, brief: brief_pb2.Brief | None = None, **values: Any) -> list[Any]:
    wanted = pb.Decision(**{"kind": COMPROMISE, "rationale": "quietly", **values})
    return session.do(disagreements.record_decision, PRODUCER, "dis-1", wanted, brief)


def _state(session: Any) -> str:
    state = session.song.disagreements["dis-1"].state
    return pb.DisagreementState.Name(state).removeprefix("DISAGREEMENT_STATE_")


def test_a_compromise_amends_the_brief_or_names_a_rule_to_waive(session: Any) -> None:
    """Without either it is refused, since the next version would break the same rule."""
    _disputed(session)
    with pytest.raises(InvalidCommand) as refused:
        _decide(session)
    assert [field.field for field in refused.value.fields] == ["brief"]
    _decide(session, waives=["dry"])
    assert _state(session) == "DECIDED"


def test_the_lifecycle_goes_from_open_to_closed(session: Any) -> None:
    """Every state of the reference is passed, in order; the gate stays closed until the last."""
    session.to_mixing(DRY)
    session.mix()
    session.render(MIX, 1)
    session.approve(MIX, 1)
    session.do(disagreements.open_disagreement, MIXER, "dis-1", pb.Disagreement(question="Echo?"))
    seen = [_state(session)]
    with pytest.raises(NotNow) as refused:
        disagreements.propose_option(session.song, MIXER, "dis-1", "a", description="so", version="")
    assert refused.value.reason == "POSITIONS_MISSING"
    steps = [
        (disagreements.state_position, (MIXER, "dis-1", "movement", "")),
        (disagreements.state_position, (MIXER, "dis-1", "more movement", "")),
        (disagreements.state_position, (PRODUCER, "dis-1", "the vision", "")),
        (disagreements.propose_option, (MIXER, "dis-1", "a")),
        (disagreements.record_decision, (PRODUCER, "dis-1", pb.Decision(kind=ADOPT, option="a", rationale="so"), None)),
        (disagreements.consent, (MIXER, "dis-1")),
        (disagreements.consent, (ARTIST, "dis-1")),
        (disagreements.close, (PRODUCER, "dis-1", "")),
    ]
    for decide, values in steps:
        assert session.failing() == ["DISAGREEMENT_OPEN"]
        extra = {"description": "so", "version": ""} if decide is disagreements.propose_option else {}
        session.do(decide, *values, **extra)
        if _state(session) != seen[-1]:
            seen.append(_state(session))
    assert seen == ["OPEN", "POSITIONS_STATED", "OPTIONS", "DECIDED", "CONSENTED", "CLOSED"]
    assert session.failing() == []
    known = session.song.disagreements["dis-1"]
    assert [(p.party, p.concern) for p in known.positions] == [("mia", "more movement"), ("pia", "the vision")]
    assert [c.party for c in known.consents] == ["mia", "ana"]


def test_a_decided_brief_is_agreed_by_deciding_and_by_the_artists_consent(session: Any) -> None:
    """The producer agrees by deciding, the artist by consenting; the amended rule is checked at once."""
    _disputed(session)
    quiet = brief_pb2.Constraint(
        id="dry",
        statement="Echo only far away.",
        send_limit=brief_pb2.SendLimit(selector=VOICE, effect="delay", max_gain_db=-18),
    )
    _decide(session, brief=brief_pb2.Brief(intent="A dry, close voice.", constraints=[quiet, PEAK]))
    assert (session.song.brief_revision, session.song.brief.is_agreed) == (2, False)
    assert session.song.disagreements["dis-1"].decision.brief_revision == 2
    session.do(disagreements.consent, ARTIST, "dis-1")
    assert session.song.brief.is_agreed
    assert session.song.mixes[1].recipe_revision == 2


def test_a_waiver_by_decision_holds_for_every_version_while_the_rule_stays(session: Any) -> None:
    """It begins with the artist's consent, covers later mixes, and ends when the rule is changed."""
    _disputed(session)
    _decide(session, waives=["dry"])
    assert session.song.waivers == ()
    session.do(disagreements.consent, ARTIST, "dis-1")
    session.mix(DELAY)
    session.render(MIX, 2)
    assert waivers.waiver_of(session.song, session.song.mixes[2], "dry") is not None
    session.do(disagreements.close, PRODUCER, "dis-1", "")
    assert "BRIEF_VIOLATED" not in session.failing()
    session.agree(DRY, PEAK, reason="the same rules")
    assert len(session.song.waivers) == 1
    louder = brief_pb2.Constraint()
    louder.CopyFrom(DRY)
    louder.effect_forbidden.effects.append("reverb")
    session.agree(louder, PEAK, reason="no reverb either")
    assert session.song.waivers == ()
    assert "BRIEF_VIOLATED" in session.failing()


def test_a_check_of_one_version_is_waived_under_a_decision_the_artist_consented_to(session: Any) -> None:
    """Invariant 8: a taste waiver needs a decision record; what is technical is waived by nobody."""
    _disputed(session)
    name = VersionName(session.song.name, MIX, 1)

    def waive(constraint: str = "dry") -> Any:
        return waivers.waive_check(
            session.song,
            PRODUCER,
            name,
            constraint,
            disagreement="dis-1",
            reason="as decided",
            refuse=disagreements.refuse_waiver,
        )

    for constraint, reason in (("peak", "NOT_WAIVABLE"), ("dry", "DECISION_MISSING")):
        with pytest.raises(NotNow) as refused:
            waive(constraint)
        assert refused.value.reason == reason
    with pytest.raises(Unknown):
        waive("dry-drums")
    _decide(session, kind=ADOPT, option="a")
    with pytest.raises(NotNow) as refused:
        waive()
    assert refused.value.reason == "ARTIST_CONSENT_MISSING"
    session.do(disagreements.consent, ARTIST, "dis-1")
    assert "BRIEF_VIOLATED" in session.failing()
    session.record(waive())
    session.do(disagreements.close, PRODUCER, "dis-1", "")
    session.approve(MIX, 1)
    assert session.failing() == []
    with pytest.raises(NotNow):
        waive()
    session.mix(DELAY)
    assert waivers.waiver_of(session.song, session.song.mixes[2], "dry") is None


def test_a_technical_rule_cannot_be_waived_by_a_decision_either(session: Any) -> None:
    """Neither a technical rule, nor one that does not exist, can stand in a decision."""
    _disputed(session)
    for wrong in ("peak", "nothing"):
        with pytest.raises(InvalidCommand):
            _decide(session, waives=[wrong])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": 0}, "kind"),
        ({"kind": ADOPT}, "option"),
        ({"kind": ADOPT, "option": "c"}, "option"),
        ({"kind": DEFER}, "revisit_when"),
        ({"kind": DEFER, "revisit_when": "after the tour", "waives": ["dry"]}, "brief"),
        ({"waives": ["dry"], "rationale": ""}, "rationale"),
    ],
)
def test_a_decision_that_says_too_little_is_refused_with_the_field(
    session: Any, values: dict[str, Any], field: str
) -> None:
    """Kind, option, rationale, the time of a deferred one: each is demanded where it is needed."""
    _disputed(session)
    with pytest.raises(InvalidCommand) as refused:
        _decide(session, **values)
    assert field in [wrong.field for wrong in refused.value.fields]


def test_who_opened_takes_it_back_before_the_decision_and_the_producer_closes_after(session: Any) -> None:
    """The producer cannot close what is undecided; a decision on the brief waits for the artist."""
    _disputed(session)
    with pytest.raises(NotNow) as refused:
        disagreements.close(session.song, PRODUCER, "dis-1", "enough")
    assert refused.value.reason == "DISAGREEMENT_UNDECIDED"
    (closed,) = disagreements.close(session.song, MIXER, "dis-1", "I hear it now")
    assert closed.withdrawn
    _decide(session, waives=["dry"])
    with pytest.raises(NotNow) as refused:
        disagreements.close(session.song, PRODUCER, "dis-1", "")
    assert refused.value.reason == "ARTIST_CONSENT_MISSING"
    session.do(disagreements.consent, ARTIST, "dis-1")
    (closed,) = session.do(disagreements.close, PRODUCER, "dis-1", "")
    assert isinstance(closed, events_pb2.DisagreementClosed)
    assert list(closed.without_consent_of) == ["mia"]


def test_previews_are_matched_to_the_quietest(session: Any) -> None:
    """With the gains of the answer every option is equally loud, within 0.1 LU, and none is turned up."""
    _disputed(session)
    for number, lufs in ((2, -11.3), (3, -15.8)):
        session.mix()
        session.render(MIX, number, integrated_lufs=lufs)
        version = session.song.name.version(MIX, number)
        session.do(disagreements.propose_option, MIXER, "dis-1", f"mix-{number}", description="so", version=version)
    known = disagreement_resource(session.song, session.song.disagreements["dis-1"])
    heard = [option for option in known.options if option.version]
    played = [option.integrated_lufs + option.match_gain_db for option in heard]
    assert max(played) - min(played) < 0.1
    assert max(option.match_gain_db for option in heard) == 0.0
    assert not any(option.HasField("match_gain_db") for option in known.options if not option.version)


def test_an_approval_prepared_under_the_brief_before_is_inapplicable(session: Any) -> None:
    """A decision moves the brief; who heard the mix under the old one has to look again."""
    _disputed(session)
    session.do(versions.submit, MIX, 1)
    digest = session.song.mixes[1].sample_digest
    _decide(session, brief=brief_pb2.Brief(intent="With an echo.", constraints=[PEAK]))
    with pytest.raises(NotNow) as refused:
        reviews.approve(session.song, ARTIST, MIX, 1, sample_digest=digest, brief_revision=1)
    assert [c.code for c in refused.value.conditions] == ["BRIEF_MOVED_ON"]


def test_a_disagreement_may_be_about_a_playback_check(session: Any) -> None:
    """A rule of the brief or one of the playback checks; anything else is no subject."""
    session.to_mixing(DRY)
    wanted = pb.Disagreement(question="Phones?", constraints=["translation-phone", "dry"])
    assert disagreements.open_disagreement(session.song, MIXER, "dis-1", wanted)
    with pytest.raises(InvalidCommand, match="no rule 'loud'"):
        disagreements.open_disagreement(
            session.song, MIXER, "dis-1", pb.Disagreement(question="Phones?", constraints=["loud"])
        )
