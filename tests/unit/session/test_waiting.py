"""Whom a song waits for, from its booking to the label's acceptance."""

from typing import Any

from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_session.application.reading.song_index import summary_of
from tapelog_session.domain import songs
from tapelog_session.domain.gates import holds
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.talk import disagreements, notes
from tapelog_session.domain.tracking import recording
from tapelog_session.domain.versioning import versions
from tapelog_session.domain.versioning.versions import MIX
from tapelog_session.domain.vision import brief
from tapelog_session.domain.waiting import waiting_for

ARTIST = Actor("ana", pb.ROLE_ARTIST)
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def _roles(session: Any) -> list[str]:
    return [pb.Role.Name(role).removeprefix("ROLE_") for role in waiting_for(session.song)]


def test_before_the_recording_it_waits_for_consents(session: Any) -> None:
    """Brief and arrangement wait for artist and producer, each until they consent."""
    session.create()
    session.agree()
    assert _roles(session) == ["ARTIST", "STUDIO_PRODUCER"]
    session.do(brief.approve_arrangement, ARTIST)
    assert _roles(session) == ["STUDIO_PRODUCER"]


def test_a_new_song_waits_for_a_brief(session: Any) -> None:
    """Artist and producer may propose one."""
    session.create()
    assert _roles(session) == ["ARTIST", "STUDIO_PRODUCER"]


def test_a_recording_waits_for_its_takes(session: Any) -> None:
    """Nothing selected, or a required track without a take: the recording engineer; then the producer."""
    session.to_recording()
    assert _roles(session) == ["RECORDING_ENGINEER"]
    session.add_take("lead-vox", "tk-1")
    assert _roles(session) == ["STUDIO_PRODUCER"]
    session.do(recording.define_track, "drums", "Drums", required=True)
    assert _roles(session) == ["RECORDING_ENGINEER"]


def test_a_mix_waits_for_the_engineer_then_for_approvals_then_for_the_producer(session: Any) -> None:
    """Rendered: submit it. In review: approve it. A note: the engineer; addressed: artist and producer."""
    session.to_mixing()
    assert _roles(session) == ["MIXING_ENGINEER"]
    session.render(MIX, session.mix())
    assert _roles(session) == ["MIXING_ENGINEER"]
    session.do(versions.submit, MIX, 1)
    assert _roles(session) == ["ARTIST", "STUDIO_PRODUCER"]
    session.approve(MIX, 1, ARTIST)
    assert _roles(session) == ["STUDIO_PRODUCER"]
    session.approve(MIX, 1, PRODUCER)
    assert _roles(session) == ["STUDIO_PRODUCER"]
    session.note("nt-1")
    assert (_roles(session), bool(summary_of(Versioned(session.song, 1)).open_notes)) == (["MIXING_ENGINEER"], True)
    assert not summary_of(Versioned(session.song, 1)).open_client_notes
    session.do(notes.decline, "nt-1", "no")
    assert _roles(session) == ["ARTIST", "STUDIO_PRODUCER"]
    session.do(notes.verify_note, "nt-1")
    session.do(disagreements.open_disagreement, MIXER, "dis-1", pb.Disagreement(question="?"))
    assert (_roles(session), bool(summary_of(Versioned(session.song, 1)).open_notes)) == (["STUDIO_PRODUCER"], False)
    session.do(holds.put_on_hold, "on tour")
    assert _roles(session) == []


def test_a_delivered_song_waits_for_the_label(session: Any) -> None:
    """Until it accepts; then the producer puts it away."""
    session.to_delivered()
    assert _roles(session) == ["LABEL"]
    session.do(songs.record_acceptance, "dlv-1", "lou")
    assert _roles(session) == ["STUDIO_PRODUCER"]
