"""Words for effects: families cover every kind that makes the effect."""

from pathlib import Path

import pytest
from tapelog_recipe import EFFECT_WORDS, PROCESSOR_KINDS, kinds_of
from tapelog_recipe.effects import EFFECT_FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "recipe.md"


@pytest.mark.parametrize("word", EFFECT_FAMILIES)
def test_families_are_made_of_kinds(word: str):
    """Every member is a kind of insert, a kind that names a family is in it, and the page lists the family."""
    members = EFFECT_FAMILIES[word]
    assert set(members) <= set(PROCESSOR_KINDS)
    assert word not in PROCESSOR_KINDS or word in members
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{word}` |") and "dB" not in line)
    assert all(f"`{member}`" in row for member in members)


def test_a_family_covers_its_members_and_no_more():
    """Reverb is plate, room and convolution; a room alone, and the plate alone, are themselves."""
    assert kinds_of(["reverb"]) == {"reverb", "room", "convolution"}
    assert kinds_of(["room"]) == {"room"}
    assert kinds_of(["plate", "delay"]) & set(PROCESSOR_KINDS) == {"reverb", "delay"}
    assert set(PROCESSOR_KINDS) < set(EFFECT_WORDS)
