"""Whatever is given as a recipe, it is read or refused with a reason."""

from hypothesis import given
from hypothesis import strategies as st
from tapelog_recipe import RecipeError, load_alternate, load_master_recipe, load_mix_recipe, validate_mix

FRAGMENTS = (
    "tracks:", "- ", "id: a", "{", "}", "[", "]", ": ", "\n", "  ", "&x ", "*x", "!!str ", "source: file:a", "chain:",
    "eq: {bands: [{}]}", "~", "1e999", ".nan", "-", "? ", "| ", "'", '"', "#", "\t", "sample_rate_hz: 48000", "9e99",
)  # fmt: skip


@given(st.one_of(st.text(), st.binary(), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str | bytes):
    """No other exception leaves the reader, in either notation; what is read can be checked."""
    for load in (load_mix_recipe, load_master_recipe, load_alternate):
        for notation in ("yaml", "json"):
            try:
                message = load(text, notation)
            except RecipeError:
                continue
            if load is load_mix_recipe:
                validate_mix(message, services=True)
