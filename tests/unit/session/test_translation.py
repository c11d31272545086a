"""The gate to DELIVERED: how the master translates, and who may waive it."""

from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain.errors import NotNow
from tapelog_session.domain.gates import stages
from tapelog_session.domain.names import parse_version
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Song
from tapelog_session.domain.talk import disagreements
from tapelog_session.domain.versioning.versions import MASTER
from tapelog_session.domain.vision import waivers

PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
ARTIST = Actor("ana", pb.ROLE_ARTIST)
MASTERER = Actor("max", pb.ROLE_MASTERING_ENGINEER)


def _conditions(song: Song) -> dict[str, bool]:
    evaluation = stages.evaluate_gate(song)
    assert evaluation is not None
    return {c.code: c.passed for c in evaluation.conditions if c.code.startswith("TRANSLATION")}


def test_a_master_that_fails_on_phones_waits_for_a_decision(session: Any) -> None:
    """The gate names the profile; a waiver needs a decision that carries it, and then the gate says so."""
    session.to_mastering()
    number = session.master(failing=["phone"])
    session.approve(MASTER, number)
    assert _conditions(session.song) == {"TRANSLATION_FAILED": False}
    version = parse_version(session.song.name.version(MASTER, number), "version")

    def waive(song: Song) -> Any:
        return waivers.waive_check(
            song,
            PRODUCER,
            version,
            "translation-phone",
            disagreement="dis-1",
            reason="a club record",
            refuse=disagreements.refuse_waiver,
        )

    with pytest.raises(Exception, match="dis-1"):
        waive(session.song)
    wanted = pb.Disagreement(question="Too thin on phones?", version=str(version))
    session.do(disagreements.open_disagreement, MASTERER, "dis-1", wanted)
    decision = pb.Decision(kind=pb.DECISION_KIND_COMPROMISE, rationale="a club record", waives=["translation-phone"])
    for actor, concern in ((MASTERER, "thin"), (ARTIST, "deep")):
        session.do(disagreements.state_position, actor, "dis-1", concern, "")
    for option in ("a", "b"):
        session.do(disagreements.propose_option, MASTERER, "dis-1", option, description="so", version="")
    session.do(disagreements.record_decision, PRODUCER, "dis-1", decision, None)
    session.do(disagreements.consent, ARTIST, "dis-1")
    assert _conditions(session.song) == {"TRANSLATION_FAILED": True}


def test_what_was_not_measured_does_not_pass(session: Any) -> None:
    """A master rendered before the profiles were measured keeps the gate closed."""
    session.to_mastering()
    session.master()
    assert _conditions(session.song) == {"TRANSLATION_FAILED": True}
    del session.song.masters[1].audio[0].translation[:]
    assert _conditions(session.song) == {"TRANSLATION_NOT_MEASURED": False}


def test_only_broken_profiles_are_waived(session: Any) -> None:
    """A profile that holds has nothing to waive."""
    session.to_mastering()
    version = parse_version(session.song.name.version(MASTER, session.master()), "version")
    with pytest.raises(NotNow, match="does not break"):
        waivers.waive_check(
            session.song, PRODUCER, version, "translation-car", disagreement="dis-1", reason="x", refuse=lambda *_: None
        )
