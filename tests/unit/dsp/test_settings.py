"""The one table of numbers: every processor is in it, nothing declares a range beside it, the page is made from it."""

import inspect
import re
from pathlib import Path

import pytest
import tapelog_dsp
from tapelog_dsp import ParameterError, TruePeakLimiter
from tapelog_parameters import SETTINGS
from tapelog_parameters.tables import settings_table

ROOT = Path(__file__).parents[3]
EVERY_PROCESSOR = {
    name for name in tapelog_dsp.__all__ if hasattr(getattr(tapelog_dsp, name), "prepare") and name != "ProcessorSpec"
}
BANDS_OF_AN_EQUALISER = {"Bell", "LowShelf", "HighShelf", "Tilt"}
NUMBERS_ARE_IN_THEIR_BANDS = {"ParametricEq"}


def test_every_processor_is_in_the_table():
    """A processor that the package exports has an entry, even where it has no number."""
    missing = EVERY_PROCESSOR - set(SETTINGS) - BANDS_OF_AN_EQUALISER - NUMBERS_ARE_IN_THEIR_BANDS
    assert missing == set()


def test_settings_have_the_names_of_the_table():
    """Each entry is a field of the class of its name, so a setting renamed on one side is found."""
    for owner, entries in SETTINGS.items():
        settings = getattr(tapelog_dsp, owner, None)
        if settings is None or not inspect.isclass(settings):
            continue
        assert set(entries) <= set(inspect.signature(settings).parameters), owner


def test_defaults_are_those_of_the_table():
    """Where a class has a default of its own and the table one too, they agree, or the class's is for code only."""
    for_code = {
        ("Compressor", "ratio"),
        ("Delay", "mix"),
        ("Delay", "feedback"),
        ("EqBand", "q"),
        ("DynamicEq", "threshold_db"),
    }
    for owner, entries in SETTINGS.items():
        settings = getattr(tapelog_dsp, owner, None)
        if settings is None or not inspect.isclass(settings):
            continue
        for name, entry in entries.items():
            given = inspect.signature(settings).parameters[name].default
            if (
                given not in (inspect.Parameter.empty, None)
                and entry.default is not None
                and (owner, name) not in for_code
            ):
                assert given == entry.default, (owner, name)


def test_no_range_is_declared_twice():
    """Nothing in the core compares a setting with two numbers of its own: ranges are asked of the table."""
    pattern = re.compile(r"in_range\(|raise ParameterError\([^)]*\bfrom -?\d")
    for path in (ROOT / "libs/dsp/tapelog_dsp").rglob("*.py"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "pan.py" in str(path):
                continue  # a function's argument, not a setting; its range is the pan's own geometry
            assert not pattern.search(line), f"{path.name}:{number}: {line.strip()}"


def test_the_limiter_is_checked_by_the_table():
    """A look-ahead below the table's range is refused in the table's words."""
    with pytest.raises(ParameterError, match="1 to 20 ms"):
        TruePeakLimiter(lookahead_ms=0.5)


def test_the_page_is_made_from_the_table():
    """docs/dsp.md holds the table as it is made from the code."""
    assert settings_table() in (ROOT / "docs/dsp.md").read_text(), (
        "run: python -m tapelog_parameters.tables docs/dsp.md"
    )
