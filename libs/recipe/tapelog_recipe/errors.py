"""What can be wrong with a recipe, as one small tree."""

from dataclasses import dataclass
from typing import Final

VIOLATIONS_SHOWN: Final = 20
"""Violations written out in an error's text; the rest are in its `violations`."""


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing that is wrong with a recipe.

    Attributes
    ----------
    path : str
        Where, such as ``tracks[lead-vox].chain[2].delay.time_ms``; empty for the recipe as a whole.
    message : str
        The value found, the limit, and what to write instead.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class RecipeError(ValueError):
    """Raised when a recipe cannot be read, or an alternate cannot be made of it.

    Attributes
    ----------
    violations : tuple of Violation
        Everything that is wrong, at least one entry.
    """

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        lines = [str(violation) for violation in violations[:VIOLATIONS_SHOWN]]
        if len(violations) > VIOLATIONS_SHOWN:
            lines.append(f"... and {len(violations) - VIOLATIONS_SHOWN} more")
        super().__init__("\n".join(lines))
