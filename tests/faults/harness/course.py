"""
The course of the whole battery: what breaks soon comes first, and a line after each test says how far it is.

What a test takes is known from the last run (`took_s` in the file of figures). A test may take five times that, and a
minute and a half, before it is ended: so one that hangs costs minutes and not the run.
"""

import datetime as dt
import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

RUN: Final = "run.json"
"""Beside the figures: what the last run of everything took."""
UNKNOWN_S: Final = 20.0
"""Of a test that never ran."""
UNKNOWN_MAX_S: Final = 600.0
"""How long it may take."""
SLACK: Final = 5.0
SLACK_S: Final = 90.0
APART: Final = ("tests/faults/test_soak.py",)
"""Runs by itself (`make soak`)."""


class Course:
    """
    Order, time limits and progress of a run that keeps its figures.

    Parameters
    ----------
    config
        Of the run.
    figures
        File of the figures: what each test took the last time.
    """

    def __init__(self, config: pytest.Config, figures: Path) -> None:
        self._config = config
        self._figures = figures
        rows: list[dict[str, Any]] = json.loads(figures.read_text()) if figures.exists() else []
        self._usual_s = {str(row["test"]): float(row["took_s"]) for row in rows}
        self._left: dict[str, float] = {}
        self._took_s: dict[str, float] = defaultdict(float)
        self._outcomes: dict[str, str] = {}
        self._is_whole = False
        self._total = 0
        self._begun_s = time.monotonic()

    def _expected_s(self, item: pytest.Item) -> float:
        return self._usual_s.get(item.nodeid, UNKNOWN_S)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort files by what they take, and limit each test."""
        files = Counter[str]()
        for item in items:
            files[item.nodeid.partition("::")[0]] += int(1000 * self._expected_s(item))
        items.sort(key=lambda item: (files[item.nodeid.partition("::")[0]], item.nodeid.partition("::")[0]))
        for item in items:
            is_apart = item.nodeid.partition("::")[0] in APART
            if not is_apart:
                usual_s = self._usual_s.get(item.nodeid)
                limit_s = UNKNOWN_MAX_S if usual_s is None else SLACK * usual_s + SLACK_S
                item.add_marker(pytest.mark.timeout(limit_s), append=False)
            self._left[item.nodeid] = 0.0 if is_apart else self._expected_s(item)
        self._is_whole = not [argument for argument in self._config.args if not Path(argument).is_dir()]
        self._total = len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up; at a test's end say how far the run is."""
        self._took_s[report.nodeid] += report.duration
        if report.failed or report.nodeid not in self._outcomes:
            self._outcomes[report.nodeid] = report.outcome
        if report.skipped:
            self._outcomes[report.nodeid] = "skipped"
        if report.when != "teardown":
            return
        self._left.pop(report.nodeid, None)
        usual = self._usual_s.get(report.nodeid)
        before = f", {usual:.0f} s the last time" if usual is not None else ""
        self._tell(
            f"[{self._total - len(self._left)}/{self._total}] {self._outcomes[report.nodeid]} in "
            f"{self._took_s[report.nodeid]:.0f} s{before}: {report.nodeid}; "
            f"{(time.monotonic() - self._begun_s) / 60:.0f} min so far, about {sum(self._left.values()) / 60:.0f} to go"
        )

    def _tell(self, line: str) -> None:
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(line)

    def pytest_sessionfinish(self) -> None:
        """Keep what a run of everything took."""
        if not self._is_whole or self._left or not self._outcomes:
            return
        found = Counter(self._outcomes.values())
        kept = {
            "day": dt.datetime.now(dt.UTC).date().isoformat(),
            "took_s": round(time.monotonic() - self._begun_s),
            "passed": found["passed"],
            "failed": found["failed"],
            "skipped": found["skipped"],
            "load": f"{os.getloadavg()[2]:.0f}",
        }
        self._figures.with_name(RUN).write_text(json.dumps(kept, indent=1) + "\n")
