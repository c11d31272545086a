"""What can go wrong at the desk, as one small tree: what is wrong, why, and what to do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapelog_recipe import Violation


class DeskError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes
    ----------
    reason : str
        Stable code in upper snake case, such as ``SOURCE_TRUNCATED``; docs/dsp.md lists them.
    problem : str
        What is wrong, with the value and the limit.
    remedy : str
        What to do about it.
    details : dict of str to str
        The values in `problem`, for machines.
    """

    def __init__(self, reason: str, problem: str, remedy: str, **details: object) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.reason = reason
        self.problem = problem
        self.remedy = remedy
        self.details = {name: str(value) for name, value in details.items()}


class SourceError(DeskError):
    """Raised when an audio file cannot be read, or is not what a mix may be made of."""


class RecipeRefusedError(DeskError):
    """Raised when a recipe cannot be rendered.

    Attributes
    ----------
    violations : tuple of Violation
        Everything that is wrong with it.
    """

    def __init__(self, violations: "Iterable[Violation]") -> None:
        self.violations = tuple(violations)
        lines = "\n".join(str(violation) for violation in self.violations)
        super().__init__("RECIPE_INVALID", lines, "mend the recipe (docs/recipe.md)")


class TargetError(DeskError):
    """Raised when a loudness target is unknown, or cannot be reached with this mix."""


class OutputError(DeskError):
    """Raised when a file cannot be written; nothing half-written is left behind."""
