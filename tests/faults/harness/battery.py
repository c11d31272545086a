"""Keeps what fault tests found, for the table in `docs/reliability.md`: `pytest -m faults --battery figures.json`."""

import datetime as dt
import inspect
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

Row = Callable[[str, str, str], None]
"""What the fixture `row` of `tests/conftest.py` gives: id, criterion, figure."""
_PAGE: Final = "tests/integration/console/test_faults.py::test_a"
_BACKUP: Final = "tests/system/test_backup.py::test_a"
ELSEWHERE: Final = {
    f"{_PAGE}_listener_that_takes_nothing_is_cut_and_goes_on_by_range": "L04 page",
    f"{_PAGE}_page_hears_of_what_happened_while_a_part_was_dead": "F09 page",
    f"{_PAGE}_page_comes_back_to_a_console_that_was_killed": "F09 page",
    f"{_BACKUP}_header_that_was_edited_stops_the_stack": "S14 edited",
    f"{_BACKUP}_log_whose_end_was_cut_stops_the_stack": "S14 cut",
    f"{_BACKUP}_store_that_was_rolled_back_stops_the_stack": "S14 rolled back",
    f"{_BACKUP}_changed_backup_is_not_restored": "F20 changed",
    "tests/system/test_closed.py": "S16 private",
}
"""Fault tests whose figure is that they held, as their docstring says: a file or a test, and the id it belongs to."""
PROPERTY: Final = "battery"
UNNAMED: Final = "-"


def note(path: Path, item: pytest.Item, report: pytest.TestReport) -> None:
    """Add a test's rows to the file; those it left there earlier are replaced."""
    rows = [dict(values) for key, values in report.user_properties if key == PROPERTY and isinstance(values, dict)]
    if not rows:
        what = inspect.getdoc(getattr(item, "function", None)) or item.name
        figure = "held" if report.passed else "did not hold"
        rows = [{"id": _id_of(item), "criterion": what.partition("\n")[0], "figure": figure}]
    known: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    about = {"test": item.nodeid, "held": report.passed, "took_s": round(report.duration), **_place()}
    kept = [row for row in known if row["test"] != item.nodeid]
    kept += [{**row, **about} for row in rows]
    kept.sort(key=lambda row: (row["id"], row["test"]))
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _id_of(item: pytest.Item) -> str:
    """Return the id of a test that prints no row."""
    test, _, chosen = item.nodeid.partition("[")
    id_ = ELSEWHERE.get(test) or ELSEWHERE.get(test.partition("::")[0], UNNAMED)
    return f"{id_} {chosen.removesuffix(']')}".rstrip()


def _place() -> dict[str, str]:
    """Say when and on what."""
    load = os.getloadavg()[0]
    return {
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": f"{load:.0f}",
    }
