"""The table of numbers says what the proto's comments say, and the page says what the table says."""

import re
from pathlib import Path

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe.parameters import PARAMETERS
from tapelog_recipe.tables import parameter_tables

ROOT = Path(__file__).parents[3]
NUMBER = r"-?\d+(?:\.\d+)?"


def _comments() -> dict[tuple[str, str], str]:
    """Return the comment of every number field of recipe.proto, read as text."""
    found: dict[tuple[str, str], str] = {}
    message, comment = "", []
    for raw in (ROOT / "protos/tapelog/common/v1/recipe.proto").read_text().splitlines():
        line = raw.strip()
        if line.startswith("message "):
            message = line.split()[1]
        if line.startswith("//"):
            comment.append(line.removeprefix("//").strip())
            continue
        field = re.match(r"(?:optional )?(?:double|int32|int64) (\w+) = \d+;", line)
        if field:
            found[message, field[1]] = " ".join(comment)
        comment = []
    return found


COMMENTS = _comments()


def test_every_number_of_the_recipe_is_in_the_table():
    """No field that is a number is left without unit, range and default."""
    assert {(message, field) for message, fields in PARAMETERS.items() for field in fields} == set(COMMENTS)


@pytest.mark.parametrize(("message", "field"), sorted(COMMENTS))
def test_the_table_agrees_with_the_proto(message: str, field: str):
    """Ranges, choices and defaults in the comments are those of the table."""
    comment, entry = COMMENTS[message, field], PARAMETERS[message][field]
    written = re.search(rf"({NUMBER}) to ({NUMBER})( of the sample rate)?", comment)
    if written and not entry.choices:
        assert (entry.low, entry.high) == (float(written[1]), float(written[2]))
        assert entry.high_is_share_of_rate == bool(written[3])
    default = re.search(rf"Default ({NUMBER})", comment)
    if default:
        assert entry.default == float(default[1])
    choices = re.search(r"(?:: |octave: )((?:\d+, )+(?:or )?\d+(?: or \d+)?)", comment)
    if entry.choices:
        assert choices is not None
        assert [int(number) for number in re.findall(r"\d+", choices[1])] == list(entry.choices)
    descriptor = pb.DESCRIPTOR.message_types_by_name[message].fields_by_name[field]
    if descriptor.has_presence and message != "MasterTarget":
        assert default is not None, "an optional number says its default"


def test_the_page_is_generated_from_the_table():
    """docs/recipe.md holds the tables as they are made from the code."""
    page = (ROOT / "docs/recipe.md").read_text()
    assert parameter_tables() in page, "run: python -m tapelog_recipe.tables docs/recipe.md"
