"""Reading text: what is refused before any field is looked at."""

import math

import pytest
from tapelog_recipe import RecipeError
from tapelog_recipe.limits import NESTING_MAX, TEXT_MAX_BYTES
from tapelog_recipe.text import parse, write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x 1\nb: *x\n", "anchors"),
        ("a: 1\na: 2\n", "'a' is written twice"),
        ("a: {b: 1, b: 2}\n", "'b' is written twice"),
        ("a: !!python/object/apply:os.system [true]\n", "tags"),
        ("a: !!timestamp 2001-01-01\n", "tags"),
        ("a: [" + "[" * NESTING_MAX + "]" * NESTING_MAX + "]\n", "nested deeper"),
        ("a: 1\n---\nb: 2\n", "not readable as YAML"),
        ("a: [1, 2\n", "not readable as YAML: line 2"),
        ("a: \x00\n", "not readable as YAML"),
        ("- 1\n", "map of fields"),
        ("", "map of fields"),
        ("1: 2\n", "field names are words, got 1"),
        ("a: " + "9" * 41 + "\n", "41 characters"),
        ("a: x" + "x" * TEXT_MAX_BYTES, "at most 1048576"),
    ],
)
def test_yaml_that_could_be_misread_is_refused(text: str, words: str):
    """Aliases, tags, double keys, depth, size and broken syntax are refused with the reason."""
    with pytest.raises(RecipeError, match=r".+") as caught:
        parse(text, "yaml")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "'a' is written twice"),
        ('{"a": ', "line 1, column 7"),
        ('{"a": ' + "[" * 100_000, "nested deeper"),
        ('{"a": ' + "9" * 5000 + "}", "5000 characters"),
        ("[]", "map of fields"),
    ],
)
def test_json_that_could_be_misread_is_refused(text: str, words: str):
    """The same for JSON, where Python alone would raise RecursionError or ValueError."""
    with pytest.raises(RecipeError, match=r".+") as caught:
        parse(text, "json")
    assert words in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused():
    """The offending byte is named."""
    with pytest.raises(RecipeError, match="byte 3 is 0xff"):
        parse(b"a: \xff", "yaml")


def test_scalars_follow_the_core_schema():
    """Words that YAML 1.1 would turn into booleans, octals or base 60 stay what a person sees."""
    assert parse("a: no\nb: 012\nc: 1:30\nd: 1e3\ne: -0.5\nf: true\ng: 2001-01-01\nh: ~\n", "yaml") == {
        "a": "no", "b": 12, "c": "1:30", "d": 1000.0, "e": -0.5, "f": True, "g": "2001-01-01", "h": None,
    }  # fmt: skip


def test_infinity_comes_through_for_its_field_to_refuse():
    """The text layer reads .inf; the field's range refuses it with its path."""
    assert parse("a: -.inf\n", "yaml") == {"a": -math.inf}


@pytest.mark.parametrize(
    "word", ["no", "012", "1e3", "1:30", "true", "~", "", "null", "0x10", "é: #", "- a", "*x", "&x"]
)
@pytest.mark.parametrize("notation", ["yaml", "json"])
def test_words_survive_writing_and_reading(word: str, notation: str):
    """The writer quotes whatever the reader would not read as the same word."""
    assert parse(write({"a": word}, notation), notation) == {"a": word}
