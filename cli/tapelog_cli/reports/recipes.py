"""What changed from one recipe to another, as a section of a report."""

import re
from collections.abc import Iterable
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog_desk.report import Section
from tapelog_recipe import resolved
from tapelog_recipe.difference import diff_recipes

from tapelog_cli.desk.told import WrongUsage

Recipe = recipe_pb2.MixRecipe | recipe_pb2.MasterRecipe

ROWS_MAX: Final = 120
"""Of one table: a recipe of whose every track something changed is another recipe."""
NOTHING: Final = "–"

_PART: Final = re.compile(r"[a-z0-9_]+(?:: | \{)")
_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|[{}]|[^\s{}]+')
_NUMBER: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,17})?")
"""A longer text of digits is a digest."""
_CONSTANT: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)+")


def recipe_section(before: Recipe, after: Recipe) -> Section:
    """Return what changed, defaults written out; raises `WrongUsage` for a mix against a master."""
    if type(before) is not type(after):
        raise WrongUsage("a mix's recipe and a master's have nothing in common", "give two of one kind")
    changes = diff_recipes(_whole(before), _whole(after))
    return changes_section((change.path, change.before, change.after) for change in changes)


def changes_section(changes: Iterable[tuple[str, str, str]]) -> Section:
    """Return path, before and after of every change as a table."""
    rows = [(path, *(_told(value, path) for value in values)) for path, *values in changes]
    title = "What changed in the recipe"
    if not rows:
        return Section(title, text=("Nothing: both recipes are the same.",))
    left = len(rows) - ROWS_MAX
    text = (f"{left} further changes are left out.",) if left > 0 else ()
    return Section(title, rows=(("Where", "Before", "After"), *rows[:ROWS_MAX]), text=text)


def _whole(recipe: Recipe) -> Recipe:
    """Return a recipe with its defaults written out."""
    if isinstance(recipe, recipe_pb2.MixRecipe):
        return resolved(recipe)
    return resolved(recipe)


def _told(value: str, path: str) -> str:
    """Return a value as people write it; a whole part, as the services name it, without its braces."""
    if not value:
        return NOTHING
    if not _PART.match(value):
        return _plain(value, path.rpartition(".")[2])
    told, field, is_first = "", "", True
    for piece in _TOKEN.findall(value):
        if piece == "{":
            told, is_first = f"{told} (", True
        elif piece == "}":
            told, is_first = f"{told})", False
        elif field:
            told, field = f"{told} {_plain(piece, field)}", ""
        else:
            told, is_first = f"{told}{'' if is_first else ', '}{piece.removesuffix(':')}", False
            field = piece[:-1] if piece.endswith(":") else ""
    return told


def _plain(value: str, field: str) -> str:
    """Return "3" for "3.0", "−6" for "-6", and "bell" for the EQ_SHAPE_BELL of a field `shape`."""
    if _CONSTANT.fullmatch(value):
        return value.rpartition(f"{field.upper()}_")[2].lower()
    return f"{float(value):.12g}".replace("-", "−") if _NUMBER.fullmatch(value) else value
