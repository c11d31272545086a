"""Limits of songs and projects: what is at the limit is taken, one more is refused and says the limit."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import immutables
import pytest
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import project
from tapelog_session.domain.errors import InvalidCommand, NotNow
from tapelog_session.domain.project import Member, Project
from tapelog_session.domain.roles import Actor
from tapelog_session.domain.song import Note, Take, Track, changed
from tapelog_session.domain.talk import notes
from tapelog_session.domain.tracking import recording, takes
from tapelog_session.domain.tracking.take_checks import LENGTH_S_MAX
from tapelog_session.domain.versioning import versions

ROOT = Path(__file__).parents[3]
PRODUCER = Actor("pia", pb.ROLE_STUDIO_PRODUCER)
RECORDER = Actor("rex", pb.ROLE_RECORDING_ENGINEER)
MIXER = Actor("mia", pb.ROLE_MIXING_ENGINEER)


def _many(count: int, make: Any) -> immutables.Map[str, Any]:
    return immutables.Map({f"x-{n}": make(f"x-{n}", n) for n in range(1, count + 1)})


def _decided(command: Any, count: int, limit: int) -> Sequence[Message]:
    if count < limit:
        return command()
    with pytest.raises(NotNow, match=str(limit)):
        command()
    return ()


@pytest.mark.parametrize("over", [0, 1], ids=["last", "one-more"])
def test_tracks_and_takes(session: Any, over: int) -> None:
    """The last track and take that fit are recorded; one more is not, cleaned or played."""
    session.to_recording()
    session.add_take("lead-vox", "tk-1")
    count = recording.TRACKS_MAX - 1 + over
    full = changed(session.song, tracks=_many(count, lambda id_, n: Track(id_, n, id_, required=False)))
    _decided(lambda: recording.define_track(full, "new", "New", required=False), count, recording.TRACKS_MAX)
    count = recording.TAKES_MAX - 1 + over
    known = _many(count - 1, lambda id_, n: Take(id_, n, "lead-vox", "a" * 64, "rex"))
    full = changed(session.song, takes=known.set("tk-1", session.song.takes["tk-1"]))
    _decided(lambda: recording.record_take(full, "tk-new", "lead-vox", "b" * 64, "rex"), count, recording.TAKES_MAX)
    _decided(
        lambda: takes.clean_take(full, RECORDER, "tk-new", "tk-1", asset_sha256="b" * 64, treatments=["hum"]),
        count,
        recording.TAKES_MAX,
    )


@pytest.mark.parametrize("over", [0, 1], ids=["last", "one-more"])
def test_notes(session: Any, over: int) -> None:
    """The last note that fits is added; one more is not."""
    session.to_mixing()
    session.mix()
    session.note("nt-1")
    known = session.song.notes["nt-1"]
    count = notes.NOTES_MAX - 1 + over

    def note(id_: str, order: int) -> Note:
        return Note(id_, order, known.kind, known.number, known.content, known.state, known.create_time)

    full = changed(session.song, notes=_many(count, note))
    content = pb.Note(text="x", severity=pb.NOTE_SEVERITY_NICE)
    _decided(lambda: notes.add_note(full, PRODUCER, "nt-new", content), count, notes.NOTES_MAX)


@pytest.mark.parametrize("over", [0, 1], ids=["last", "one-more"])
def test_members(over: int) -> None:
    """The last member that fits joins; one more does not, and those who are there may still change roles."""
    count = project.MEMBERS_MAX - 1 + over
    full = Project(id="prj-1", members=_many(count, lambda id_, n: Member(id_, n, (pb.ROLE_STUDIO_PRODUCER,))))
    new = pb.Member(party="new", roles=[pb.ROLE_MUSICIAN])
    _decided(lambda: project.add_member(full, new), count, project.MEMBERS_MAX)
    again = pb.Member(party="x-1", roles=[pb.ROLE_MUSICIAN])
    assert isinstance(project.add_member(full, again)[0], events_pb2.MemberRoleChanged)


def test_size_of_a_recipe(session: Any, recipe_of: Any) -> None:
    """A recipe of more bytes than the limit is refused before it is looked at, with size and limit."""
    session.to_mixing()
    recipe = recipe_of()
    recipe.tracks[0].tags.extend("x" * 30 for _ in range(versions.RECIPE_BYTES_MAX // 32))
    with pytest.raises(InvalidCommand, match=str(versions.RECIPE_BYTES_MAX)):
        versions.propose_mix(session.song, MIXER, recipe, "")


def test_length_of_a_song(session: Any, recipe_of: Any) -> None:
    """A mix that would end later than the limit is refused by the track that makes it so."""
    session.to_mixing()
    recipe: recipe_pb2.MixRecipe = recipe_of()
    recipe.tracks[1].start_frame = 48_000 * LENGTH_S_MAX - 48_000
    assert versions.propose_mix(session.song, MIXER, recipe, "")
    recipe.tracks[1].start_frame += 48_000
    with pytest.raises(InvalidCommand) as refused:
        versions.propose_mix(session.song, MIXER, recipe, "")
    (field,) = refused.value.fields
    assert field.field == "recipe.tracks[drums].start_frame"
    assert str(LENGTH_S_MAX) in field.description


def test_the_page_of_limits_is_what_the_code_says() -> None:
    """docs/limits.md has every limit of the domain with its value."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "gen_limits.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
