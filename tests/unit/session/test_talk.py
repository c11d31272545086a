"""Notes as talk: threads, answers, declining, reopening, and what goes on to the next version."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.application.reading.talk import ABOUT_NOTES
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.talk import notes
from tapelog_session.domain.versioning import versions
from tapelog_session.domain.versioning.versions import MIX

PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
LABEL = Actor("lou", pb.ROLE_LABEL)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def _mixed(session: Any) -> None:
    session.to_mixing()
    session.render(MIX, session.mix())


def _add(session: Any, note: str, actor: Actor = PRODUCER, **values: Any) -> None:
    content = pb.Note(**{"text": "hm", "severity": pb.NOTE_SEVERITY_SHOULD, **values})
    session.do(notes.add_note, actor, note, content)


def test_a_note_is_internal_unless_it_is_for_the_client_and_the_labels_is(session: Any) -> None:
    """The label writes in the client thread alone; everybody else chooses."""
    _mixed(session)
    _add(session, "nt-1")
    _add(session, "nt-2", thread=pb.NOTE_THREAD_CLIENT)
    _add(session, "nt-3", actor=LABEL)
    with pytest.raises(InvalidCommand):
        _add(session, "nt-4", actor=LABEL, thread=pb.NOTE_THREAD_INTERNAL)
    assert [session.song.notes[f"nt-{n}"].is_client for n in (1, 2, 3)] == [False, True, True]


def test_to_the_label_an_internal_note_does_not_exist(session: Any) -> None:
    """Invariant 18: it can neither be answered nor reopened, and is not even said to be there."""
    _mixed(session)
    _add(session, "nt-1")
    _add(session, "nt-2", actor=LABEL)
    for command in (notes.reply, notes.reopen):
        with pytest.raises(Unknown):
            command(session.song, LABEL, "nt-1", "why")
    session.do(notes.reply, LABEL, "nt-2", "please")
    session.do(notes.reply, MIXER, "nt-2", "done in the next mix")
    replies = session.song.notes["nt-2"].replies
    assert [(r.author, r.author_role, r.text) for r in replies] == [
        ("lou", pb.ROLE_LABEL, "please"),
        ("mia", pb.ROLE_MIXING_ENGINEER, "done in the next mix"),
    ]


def test_a_declined_blocker_keeps_the_gate_closed_until_somebody_who_decides_verifies(session: Any) -> None:
    """Declined is the engineer's word; verified ends it, reopened lets it wait again."""
    _mixed(session)
    session.approve(MIX, 1)
    _add(session, "nt-1", severity=pb.NOTE_SEVERITY_BLOCKER)
    session.do(notes.decline, "nt-1", "it would clip")
    assert session.failing() == ["BLOCKER_NOTE_OPEN"]
    session.do(notes.reopen, PRODUCER, "nt-1", "then lower the rest")
    assert session.song.notes["nt-1"].state == pb.NOTE_STATE_OPEN
    with pytest.raises(NotNow):
        notes.reopen(session.song, PRODUCER, "nt-1", "again")
    session.do(notes.decline, "nt-1", "it clips still")
    session.do(notes.verify_note, "nt-1")
    assert session.failing() == []
    with pytest.raises(NotNow):
        notes.decline(session.song, "nt-1", "too late")


def test_open_notes_go_on_to_the_next_version_that_is_rendered(session: Any) -> None:
    """With the same length they point where they pointed; with another they are marked; settled ones stay behind."""
    _mixed(session)
    version = session.song.name.version(MIX, 1)
    passage = audio_pb2.FrameRange(start_frame=0, end_frame=100)
    _add(session, "nt-1", version=version, range=passage)
    _add(session, "nt-2", version=version)
    _add(session, "nt-3", version=version)
    _add(session, "nt-4")
    session.do(notes.address_note, "nt-3", "done", notes.parse_version(version, "version"))
    session.render(MIX, session.mix())
    carried = {note.id: (note.carried_number, note.anchor) for note in session.song.notes.values()}
    assert carried == {
        "nt-1": (2, pb.NOTE_ANCHOR_EXACT),
        "nt-2": (2, pb.NOTE_ANCHOR_EXACT),
        "nt-3": (0, pb.NOTE_ANCHOR_UNSPECIFIED),
        "nt-4": (0, pb.NOTE_ANCHOR_UNSPECIFIED),
    }
    number = session.mix()
    longer = audio_pb2.AudioResult(sha256="a" * 64, sample_digest="b" * 64)
    longer.format.length_frames = 96_000
    made = {"audio": [longer], "attachments": [], "render_job": "job-1", "engine_version": "1"}
    events = session.do(versions.record_render, MIX, number, **made)
    (over,) = [event for event in events if isinstance(event, events_pb2.NotesCarriedOver)]
    assert {note.note: note.anchor for note in over.notes} == {
        "nt-1": pb.NOTE_ANCHOR_REBASED,
        "nt-2": pb.NOTE_ANCHOR_EXACT,
    }


def test_every_event_of_a_note_says_its_thread_and_no_event_is_of_two(session: Any) -> None:
    """Invariant 18 for whoever follows events: also answers, and notes that are carried over, can be kept apart."""
    _mixed(session)
    version = str(session.song.name.version(MIX, 1))
    _add(session, "nt-1", version=version)
    _add(session, "nt-2", actor=LABEL, version=version)
    for note, thread in (("nt-1", pb.NOTE_THREAD_INTERNAL), ("nt-2", pb.NOTE_THREAD_CLIENT)):
        told = session.do(notes.reply, PRODUCER, note, "why?")
        told += session.do(notes.decline, note, "it is meant to be so")
        told += session.do(notes.reopen, PRODUCER, note, "no")
        told += session.do(notes.decline, note, "it is meant to be so")
        told += session.do(notes.verify_note, note)
        told += session.do(notes.reopen, PRODUCER, note, "no")
        assert {event.thread for event in told} == {thread}
    session.mix()
    session.render(MIX, 2)
    over = [event for event, _ in session.events if isinstance(event, events_pb2.NotesCarriedOver)]
    assert [(event.thread, [note.note for note in event.notes]) for event in over] == [
        (pb.NOTE_THREAD_INTERNAL, ["nt-1"]),
        (pb.NOTE_THREAD_CLIENT, ["nt-2"]),
    ]
    _add(session, "nt-3", actor=LABEL, version=str(session.song.name.version(MIX, 2)))
    (done,) = session.do(notes.address_note, "nt-3", "done", notes.parse_version(version, "version"))
    assert done.thread == pb.NOTE_THREAD_CLIENT


def test_a_late_render_carries_nothing_back(session: Any) -> None:
    """A note that went on to mix 3 does not come back to mix 2 when that is rendered after it."""
    _mixed(session)
    _add(session, "nt-1", version=session.song.name.version(MIX, 1))
    session.mix()
    session.mix()
    session.render(MIX, 3)
    session.render(MIX, 2)
    assert session.song.notes["nt-1"].carried_number == 3


def test_replies_have_a_limit(session: Any) -> None:
    """The one over the limit is refused."""
    _mixed(session)
    _add(session, "nt-1")
    for _ in range(notes.REPLIES_MAX):
        session.do(notes.reply, MIXER, "nt-1", "hm")
    with pytest.raises(NotNow) as refused:
        notes.reply(session.song, MIXER, "nt-1", "hm")
    assert refused.value.reason == "TOO_MANY_REPLIES"


def test_every_fact_about_one_note_is_known_as_such() -> None:
    """An event with the text or the state of one note is in the list that hides internal ones from the label."""
    found = set()
    for name, message in events_pb2.DESCRIPTOR.message_types_by_name.items():
        field = message.fields_by_name.get("note")
        if field is not None:
            found.add(message.full_name)
            assert name.startswith("Note")
    assert set(ABOUT_NOTES) == found
