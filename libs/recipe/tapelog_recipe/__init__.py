"""Recipes: how people write them, what is allowed in them, and the digest that approvals are bound to."""

from tapelog_parameters import Parameter

from tapelog_recipe.alternates import alternate_violations, apply_alternate
from tapelog_recipe.canonical import canonical_bytes, recipe_digest, render_digest, resolved
from tapelog_recipe.codec import dump_recipe, load_alternate, load_master_recipe, load_mix_recipe
from tapelog_recipe.effects import EFFECT_WORDS, kinds_of
from tapelog_recipe.errors import RecipeError, Violation
from tapelog_recipe.parameters import PARAMETERS, PROCESSOR_KINDS
from tapelog_recipe.selectors import Insert, bus_paths, chain_inserts, inserts, matches, sources_of, track_paths
from tapelog_recipe.validation import validate_master, validate_mix

__all__ = [
    "EFFECT_WORDS",
    "PARAMETERS",
    "PROCESSOR_KINDS",
    "Insert",
    "Parameter",
    "RecipeError",
    "Violation",
    "alternate_violations",
    "apply_alternate",
    "bus_paths",
    "canonical_bytes",
    "chain_inserts",
    "dump_recipe",
    "inserts",
    "kinds_of",
    "load_alternate",
    "load_master_recipe",
    "load_mix_recipe",
    "matches",
    "recipe_digest",
    "render_digest",
    "resolved",
    "sources_of",
    "track_paths",
    "validate_master",
    "validate_mix",
]
