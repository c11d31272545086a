"""Projects and their people; assets and what their first bytes show."""

from datetime import UTC, datetime

import pytest
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.domain import asset, project
from tapelog_session.domain.errors import InvalidCommand, NotNow, Unknown
from tapelog_session.domain.project import Project

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PIA = pb.Member(party="pia", roles=[pb.ROLE_STUDIO_PRODUCER])
ANA = pb.Member(party="ana", roles=[pb.ROLE_ARTIST])


def _project(*members: pb.Member) -> Project:
    created = events_pb2.ProjectCreated(project="prj-1", title="North Pier", artist_name="NP")
    state = Project()
    for event in project.create_project(state, created, "pia", members):
        state = project.evolve(state, event, NOW)
    return state


def test_a_project_needs_its_creator_and_a_producer_among_its_members() -> None:
    """Everything that is wrong with the members is named at once."""
    created = events_pb2.ProjectCreated(project="prj-1", title="", artist_name="NP")
    members = [ANA, ANA, pb.Member(party="Bad Id", roles=[]), pb.Member(party="bob", roles=[99])]
    with pytest.raises(InvalidCommand) as refused:
        project.create_project(Project(), created, "pia", members)
    fields = [field.field for field in refused.value.fields]
    assert {"title", "members", "members[2].party", "members[2].roles", "members[3].roles"} == set(fields)
    assert fields.count("members") == 3


def test_the_last_producer_cannot_leave_or_lose_the_role() -> None:
    """Somebody has to decide; with a second producer the first may go."""
    state = _project(PIA, ANA)
    for decide in (
        lambda: project.remove_member(state, "pia"),
        lambda: project.add_member(state, pb.Member(party="pia", roles=[pb.ROLE_ARTIST])),
    ):
        with pytest.raises(NotNow) as refused:
            decide()
        assert refused.value.reason == "LAST_PRODUCER"
    (event,) = project.add_member(state, pb.Member(party="ana", roles=[pb.ROLE_ARTIST, pb.ROLE_STUDIO_PRODUCER]))
    state = project.evolve(state, event, NOW)
    assert state.roles_of("ana") == (pb.ROLE_ARTIST, pb.ROLE_STUDIO_PRODUCER)
    assert project.remove_member(state, "pia")
    with pytest.raises(Unknown):
        project.remove_member(state, "zed")
    assert project.add_member(state, PIA) == []


def test_roles_that_change_are_an_event_of_their_own() -> None:
    """It says what was and what is; the order of joining stays; equal roles in another order change nothing."""
    state = _project(PIA, ANA)
    (event,) = project.add_member(state, pb.Member(party="ana", roles=[pb.ROLE_ARTIST, pb.ROLE_MUSICIAN]))
    assert isinstance(event, events_pb2.MemberRoleChanged)
    assert (list(event.before), list(event.roles)) == ([pb.ROLE_ARTIST], [pb.ROLE_ARTIST, pb.ROLE_MUSICIAN])
    after = project.evolve(state, event, NOW)
    assert (after.members["ana"].order, after.joined) == (state.members["ana"].order, state.joined)
    assert project.add_member(after, pb.Member(party="ana", roles=[pb.ROLE_MUSICIAN, pb.ROLE_ARTIST])) == []


def test_a_project_closes_and_opens_once() -> None:
    """Closing what is closed and opening what is open changes nothing; the reason is kept while it is closed."""
    state = _project(PIA)
    assert project.reopen_project(state, "") == []
    (event,) = project.close_project(state, "the label withdrew")
    state = project.evolve(state, event, NOW)
    assert (state.closed, state.close_reason) == (True, "the label withdrew")
    assert project.close_project(state, "") == []
    assert "the label withdrew" in project.closed_refusal(state).message
    (event,) = project.reopen_project(state, "it is back")
    assert not project.evolve(state, event, NOW).closed
    with pytest.raises(InvalidCommand):
        project.close_project(state, "x" * 2001)


HEADS = {
    "wav": (b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt ", "audio/wav"),
    "streamed-wav": (b"RIFF\xff\xff\xff\xffWAVEfmt ", "audio/wav"),
    "rf64": (b"RF64\xff\xff\xff\xffWAVEds64", "audio/wav"),
    "aiff": (b"FORM" + (36).to_bytes(4, "big") + b"AIFFCOMM", "audio/aiff"),
    "flac": (b"fLaC\x00\x00\x00\x22", "audio/flac"),
    "ogg": (b"OggS\x00\x02", "audio/ogg"),
    "w64": (bytes.fromhex("726966662e91cf11a5d628db04c10000"), "audio/x-w64"),
    "mp3": (b"\xff\xfb\x90\x00", "audio/mpeg"),
    "mp3 with a tag": (b"ID3\x04\x00", "audio/mpeg"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_known_header_is_recognised(name: str) -> None:
    """Each supported container by its first bytes."""
    head, media_type = HEADS[name]
    assert asset.media_type_of(head, 44) == media_type


@pytest.mark.parametrize(
    ("head", "size_bytes", "reason"),
    [
        (b"%PDF-1.7", 44, "NOT_AUDIO"),
        (b"", 0, "NOT_AUDIO"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", 44, "NOT_AUDIO"),
        (HEADS["wav"][0], 42, "TRUNCATED_AUDIO"),
        (HEADS["aiff"][0], 42, "TRUNCATED_AUDIO"),
    ],
)
def test_what_is_no_audio_or_ends_early_is_refused(head: bytes, size_bytes: int, reason: str) -> None:
    """A PDF, nothing, a video, and headers that promise more than there is."""
    with pytest.raises(InvalidCommand) as refused:
        asset.media_type_of(head, size_bytes)
    assert refused.value.reason == reason


def test_the_same_bytes_are_registered_once_a_project() -> None:
    """A second upload of a project adds nothing; another project has its own registration."""
    state = asset.Asset()
    for name in ("prj-1", "prj-1", "prj-2"):
        registered = pb.Asset(name=f"projects/{name}/assets/{'a' * 64}", sha256="a" * 64, uploaded_by=name)
        for event in asset.register(state, name, registered):
            state = asset.evolve(state, event, NOW)
    assert {name: entry.uploaded_by for name, entry in state.projects.items()} == {"prj-1": "prj-1", "prj-2": "prj-2"}
    assert len(asset.asset_id("f" * 64)) == 32
