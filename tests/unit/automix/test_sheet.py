"""Stems from files and session sheets."""

from pathlib import Path

import pytest
from tapelog_desk.automix import SheetError, read_stems
from tapelog_desk.automix.sheet import given_role


def test_a_sheet_names_stems_roles_and_tags(tmp_path: Path):
    """Files are looked for beside the sheet; further keys of a session sheet are its own business."""
    sheet = tmp_path / "song.yaml"
    sheet.write_text("title: A\nbpm: 90\ntracks:\n  - {id: lead, file: stems/a.wav, role: lead vocal, tags: [star]}\n"
                     "  - {file: stems/02_Kick.wav}\n")  # fmt: skip
    lead, kick = read_stems([sheet])
    assert (lead.id, lead.path, lead.role, lead.tags) == ("lead", tmp_path / "stems/a.wav", "lead vocal", ("star",))
    assert (kick.id, kick.role) == ("kick", "")
    role = given_role(lead)
    assert role is not None
    assert role.name == "lead vocal"


def test_a_role_on_the_command_line_goes_before_the_sheet(tmp_path: Path):
    """The person who types it knows best."""
    stems = read_stems([tmp_path / "audio-1.wav"], {"audio-1": "bass"})
    assert stems[0].role == "bass"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tracks: 3", "SHEET_INVALID"),
        ("tracks: [{role: kick}]", "SHEET_INVALID"),
        ("tracks: [{file: a.wav, tags: [Not A Tag]}]", "SHEET_INVALID"),
        ("tracks: [{id: a, file: a.wav}, {id: a, file: b.wav}]", "SHEET_INVALID"),
        ("tracks: []", "STEMS_COUNT"),
        ("{", "SHEET_INVALID"),
    ],
)
def test_a_sheet_that_cannot_be_used_is_refused(tmp_path: Path, text: str, reason: str):
    """The reason names what is wrong."""
    sheet = tmp_path / "song.yaml"
    sheet.write_text(text)
    with pytest.raises(SheetError) as refused:
        read_stems([sheet])
    assert refused.value.reason == reason


def test_unknown_words_are_refused(tmp_path: Path):
    """A role that does not exist, and a role for a stem that does not exist, are not passed over."""
    stems = read_stems([tmp_path / "a.wav"], {"a": "didgeridoo soloist of doom"[:10]})
    with pytest.raises(SheetError) as refused:
        given_role(stems[0])
    assert refused.value.reason == "ROLE_UNKNOWN"
    with pytest.raises(SheetError) as unknown:
        read_stems([tmp_path / "a.wav"], {"b": "kick"})
    assert unknown.value.reason == "STEM_UNKNOWN"
