"""Roles by name."""

import pytest
from tapelog_desk.automix.naming import NAMES, role_of
from tapelog_desk.automix.roles import ROLES
from tapelog_desk.automix.sheet import stem_id


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("01_Kick_In", "kick"),
        ("Bass Drum", "kick"),
        ("03_Snare_Bottom", "snare"),
        ("HiHat", "hi-hat"),
        ("09_OH_L", "overheads"),
        ("Bass_DI", "bass"),
        ("ElecGtr Lead", "lead guitar"),
        ("14_Gtr_Rhythm_L", "electric guitar"),
        ("AcousticGuitar", "acoustic guitar"),
        ("BGVox 3", "backing vocal"),
        ("21_VOX_LEAD", "lead vocal"),
        ("lead vocal", "lead vocal"),
        ("synth arpeggio", "arpeggio"),
        ("PAD_BASS", "bass"),
        ("Violin 2", "strings"),
        ("Soprano", "voice"),
    ],
)
def test_a_name_speaks_of_its_role(name: str, role: str):
    """Names as they stand in sessions give the role that a person reads in them."""
    found = role_of(name)
    assert found is not None
    assert found.name == role


@pytest.mark.parametrize("name", ["Audio 07", "take3_final", "untitled", "consolidated-12"])
def test_a_name_that_says_nothing_gives_no_role(name: str):
    """No role is made up from a name that names none."""
    assert role_of(name) is None


def test_every_role_has_names_and_is_found_by_its_own():
    """The two tables speak of the same roles."""
    assert set(NAMES) == {role.name for role in ROLES}
    assert [role_of(role.name) for role in ROLES] == list(ROLES)


def test_ids_are_made_of_file_names_and_stay_apart():
    """Ids are what a recipe allows, and two files of one name get two ids."""
    assert stem_id("12_Lead Vox (final)") == "lead-vox-final"
    assert stem_id("Kick", ["kick", "kick-2"]) == "kick-3"
    assert stem_id("808") == "track-808"
    assert stem_id("mix") == "mix-2", "the mix bus has that name"
    assert len(stem_id("x" * 80)) == 32
