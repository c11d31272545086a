"""The one table of the console's numbers: name, unit, range, default and smoothing, declared once.

The core checks its settings by it, recipes are validated and documented by it, the comments of the proto are compared
with it. It imports nothing.
"""

from tapelog_parameters.model import Parameter, Smoothing
from tapelog_parameters.processors import PROCESSORS, recipe_parameters

__all__ = ["PROCESSORS", "Parameter", "Smoothing", "recipe_parameters"]
