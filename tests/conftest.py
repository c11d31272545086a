"""How the property tests search, and where fault tests leave their figures.

Property tests try the same examples in every run; ``TAPELOG_HYPOTHESIS=search`` draws fresh ones (the nightly tier
does), and what it finds becomes a fixed test. ``--battery FILE`` keeps what the fault tests found.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("TAPELOG_HYPOTHESIS", "repeat"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--battery`."""
    parser.addoption("--battery", metavar="FILE", default="", help="keep what the fault tests find in this file")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[Any]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the rows of a fault test that ran."""
    report = yield
    path = item.config.getoption("--battery")
    if path and report.when == "call" and not report.skipped and item.get_closest_marker("faults"):
        from tests.faults.harness import battery

        battery.note(Path(path), item, report)
    return report
