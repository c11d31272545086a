"""The rules: published as they are, each with a source, each used."""

import re
from pathlib import Path

import tapelog_desk.automix
from tapelog_desk.automix.roles import FAMILIES, ROLES
from tapelog_desk.automix.rulebook import RULES
from tapelog_desk.automix.tables import with_rules

PAGE = Path(__file__).parents[3] / "docs/automix.md"
CODE = Path(tapelog_desk.automix.__file__).parent


def test_the_page_shows_the_rules_of_today():
    """docs/automix.md is what the table in the code gives."""
    assert with_rules(PAGE.read_text()) == PAGE.read_text()


def test_every_rule_is_followed_and_every_move_has_a_rule():
    """The code speaks of exactly the rules in the table."""
    prefixes = "|".join(sorted({name.partition(".")[0] for name in RULES}))
    spoken = set()
    for path in CODE.glob("*.py"):
        if path.name != "rulebook.py":
            spoken |= set(re.findall(rf'"((?:{prefixes})\.[a-z]+)"', path.read_text()))
    assert spoken == set(RULES)


def test_every_role_is_within_the_bounds_of_a_recipe():
    """Figures that no recipe would allow cannot come out of the table, and the lead is the loudest."""
    for role in ROLES:
        assert role.family in FAMILIES
        assert role.target_lu <= 0.0
        assert 0.0 <= role.spread <= 1.0
        assert role.send_db is None or role.send_db <= -10.0
    assert [role.name for role in ROLES if role.target_lu == 0.0] == ["lead vocal"]
