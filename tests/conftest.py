"""How the property tests search, where fault tests leave their figures, and what many tests stand on.

Property tests try the same examples in every run; ``TAPELOG_HYPOTHESIS=search`` draws fresh ones (the nightly tier
does), and what it finds becomes a fixed test. ``--battery FILE`` keeps what the fault tests found.
"""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tapelog_chassis.testing import Broker

settings.register_profile("repeat", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("TAPELOG_HYPOTHESIS", "repeat"))


@pytest.fixture(scope="session")
def path_with_grpcurl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a PATH on which shell examples find grpcurl: the real one where it is installed, else a stand-in."""
    path = os.environ["PATH"]
    if shutil.which("grpcurl") is None:
        folder = tmp_path_factory.mktemp("grpcurl")
        command = folder / "grpcurl"
        stand_in = Path(__file__).with_name("grpcurl_stand_in.py")
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "$@"\n')
        command.chmod(0o755)
        path = f"{folder}:{path}"
    return path


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator["Broker"]:
    """Run a nats-server with the whole topology."""
    from tapelog_chassis.testing import embedded_nats

    async with embedded_nats(tmp_path) as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--battery`."""
    parser.addoption("--battery", metavar="FILE", default="", help="keep what the fault tests find in this file")


def pytest_configure(config: pytest.Config) -> None:
    """Give a run that keeps its figures an order, time limits and progress."""
    if path := config.getoption("--battery"):
        from tests.faults.harness.course import Course

        config.pluginmanager.register(Course(config, Path(path)))


@pytest.fixture
def row(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """Return what prints a row of the battery's table and keeps it for `--battery`: id, criterion, figure."""

    def tell(id_: str, criterion: str, figure: str) -> None:
        record_property("battery", {"id": id_, "criterion": criterion, "figure": figure})
        sys.stdout.write(f"\n{id_} | {criterion} | {figure}\n")

    return tell


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
