"""What the fault tests share: the judge of their histories."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .harness.checker import Verdict, check
from .harness.workload import Workload


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--soak-minutes`."""
    parser.addoption("--soak-minutes", type=float, default=0.0, help="run the soak for so long")


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
