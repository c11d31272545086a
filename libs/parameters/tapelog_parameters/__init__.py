"""The one table of all numbers that a person sets: name, unit, range, default and smoothing, declared once.

The core checks its settings by it, recipes are validated and documented by it, the comments of the proto are compared
with it. It imports nothing.
"""

from typing import Final

from tapelog_parameters.console import CONSOLE
from tapelog_parameters.mastering import MASTERING
from tapelog_parameters.model import Parameter, Smoothing
from tapelog_parameters.processors import PROCESSORS, recipe_parameters
from tapelog_parameters.repair import REPAIRS

SETTINGS: Final[dict[str, dict[str, Parameter]]] = {**CONSOLE, **PROCESSORS, **MASTERING, **REPAIRS}
"""Everything: inserts, console, mastering room, repairs."""

__all__ = [
    "CONSOLE",
    "MASTERING",
    "PROCESSORS",
    "REPAIRS",
    "SETTINGS",
    "Parameter",
    "Smoothing",
    "recipe_parameters",
]
