"""What changed from one recipe to another, as a section of a report."""

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


def recipe_section(before: Recipe, after: Recipe) -> Section:
    """Return what changed, defaults written out; raises `WrongUsage` for a mix against a master."""
    if type(before) is not type(after):
        raise WrongUsage("a mix's recipe and a master's have nothing in common", "give two of one kind")
    changes = diff_recipes(_whole(before), _whole(after))
    return changes_section((change.path, change.before, change.after) for change in changes)


def changes_section(changes: Iterable[tuple[str, str, str]]) -> Section:
    """Return path, before and after of every change as a table."""
    rows = [tuple(one.replace("-", "−") if _is_number(one) else one or NOTHING for one in row) for row in changes]
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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
