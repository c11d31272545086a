"""What the fault tests share: the row each one prints, and the judge of their histories."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .harness.checker import Verdict, check
from .harness.workload import Workload

Row = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--soak-minutes`."""
    parser.addoption("--soak-minutes", type=float, default=0.0, help="run the soak for so long")


@pytest.fixture
def row(record_property: Callable[[str, object], None]) -> Row:
    """Return what prints a row of the battery's table and keeps it for `--battery`: id, criterion, figure."""

    def tell(id_: str, criterion: str, figure: str) -> None:
        record_property("battery", {"id": id_, "criterion": criterion, "figure": figure})
        sys.stdout.write(f"\n{id_} | {criterion} | {figure}\n")

    return tell


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Workload], Verdict]:
    """Return what writes a run's history down, judges it, and fails where it is invalid or something is wrong."""

    def judge(run: Workload, **options: Any) -> Verdict:
        path = tmp_path / "history.jsonl"
        run.history.write(path)
        verdict = check(run.history, **options)
        told = f"{verdict}; the history is {path}"
        assert not verdict.wrong, f"{ {kind: found[:3] for kind, found in verdict.wrong.items()} }: {told}"
        assert not verdict.invalid, f"the run is invalid, {verdict.invalid}: {told}"
        return verdict

    return judge
