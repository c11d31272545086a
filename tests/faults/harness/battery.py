"""Keeps what fault tests found, for the table in `docs/reliability.md`: `pytest -m faults --battery figures.json`."""

import datetime as dt
import inspect
import json
import os
import platform
from pathlib import Path
from typing import Any, Final

import pytest

ELSEWHERE: Final = {
    "tests/integration/render/test_failpoints.py": "F04",
    "tests/integration/render/test_worker_faults.py": "F04",
    "tests/system/test_notify_failpoints.py": "F05",
    "tests/integration/notify/test_webhook_kills.py": "F05",
    "tests/integration/notify/test_projector.py": "F05",
    "tests/integration/render/test_disk_full.py": "F13",
    "tests/integration/render/test_scale_faults.py": "F16",
    "tests/integration/chassis/test_log_faults.py": "F02",
    "tests/integration/session/test_killed_service.py": "F01",
    "tests/integration/console/test_faults.py": "F01",
    "tests/system/test_faults.py": "F01",
    "tests/system/test_up.py": "S16",
    "tests/system/test_backup.py": "F20",
}
"""Fault tests that stand beside what they test and print no row of their own: the id they belong to."""
PROPERTY: Final = "battery"


def note(path: Path, item: pytest.Item, report: pytest.TestReport) -> None:
    """Add a test's rows to the file; those it left there earlier are replaced."""
    folder, _, name = item.nodeid.partition("::")
    rows = [dict(values) for key, values in report.user_properties if key == PROPERTY and isinstance(values, dict)]
    if not rows:
        what = inspect.getdoc(getattr(item, "function", None)) or name
        figure = "held" if report.passed else "did not hold"
        rows = [{"id": ELSEWHERE.get(folder, "-"), "criterion": what.partition("\n")[0], "figure": figure}]
    known: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    about = {"test": item.nodeid, "held": report.passed, "took_s": round(report.duration), **_place()}
    kept = [row for row in known if row["test"] != item.nodeid]
    kept += [{**row, **about} for row in rows]
    kept.sort(key=lambda row: (row["id"], row["test"]))
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _place() -> dict[str, str]:
    """Say when and on what."""
    load = os.getloadavg()[0]
    return {
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "load": f"{load:.0f}",
    }
