"""Generates deploy/observability/dashboard.json for Grafana from the declared metrics: a panel for each.

python tools/gen_dashboard.py           write it
python tools/gen_dashboard.py --check   fail if it is not what the code says
"""

import json
import sys
from typing import Any, Final

from gen_metrics import PACKAGES, declared
from generated_files import ROOT, write_or_check
from tapelog_chassis.observability.metrics import MetricSpec

FILE: Final = ROOT / "deploy" / "observability" / "dashboard.json"
COLUMNS: Final = 3
WIDTH: Final = 24 // COLUMNS
HEIGHT: Final = 7
UNITS: Final = {"seconds": "s", "bytes": "bytes"}
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def queries(spec: MetricSpec) -> list[tuple[str, str]]:
    """Return what a panel asks, with its legend: rates of what grows, percentiles of durations, states as they are."""
    by = ", ".join(("part", *spec.labels))
    legend = " ".join(f"{{{{{label}}}}}" for label in ("part", *spec.labels))
    if spec.kind == "counter":
        return [(f"sum by ({by}) (rate({spec.series[0]}[$__rate_interval]))", legend)]
    if spec.kind == "gauge":
        return [(f"max by ({by}) ({spec.name})", legend)]
    bucket = f"sum by (le, {by}) (rate({spec.series[0]}[$__rate_interval]))"
    return [(f"histogram_quantile({share}, {bucket})", f"p{share * 100:.0f} {legend}") for share in (0.5, 0.99)]


def panel(number: int, spec: MetricSpec, *, x: int, y: int) -> dict[str, Any]:
    """Return one panel."""
    unit = UNITS.get(spec.unit, "short")
    if spec.kind == "counter":
        unit = "Bps" if spec.unit == "bytes" else "cps"
    return {
        "id": number,
        "type": "timeseries",
        "title": spec.name.removeprefix("tapelog_").replace("_", " "),
        "description": spec.help,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(queries(spec))
        ],
    }


def dashboard() -> dict[str, Any]:
    """Return the dashboard: a row for each package, a panel for each of its metrics."""
    panels: list[dict[str, Any]] = []
    y = 0
    for package, specs in declared().items():
        title = PACKAGES[package]
        position = {"x": 0, "y": y, "w": 24, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": position, "panels": []})
        y += 1
        for index, spec in enumerate(specs):
            x = index % COLUMNS * WIDTH
            panels.append(panel(len(panels) + 1, spec, x=x, y=y + index // COLUMNS * HEIGHT))
        y += -(-len(specs) // COLUMNS) * HEIGHT
    return {
        "uid": "tapelog",
        "title": "Tapelog",
        "tags": ["tapelog"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def main() -> int:
    """Write the dashboard, or compare it."""
    return write_or_check({FILE: json.dumps(dashboard(), indent=1) + "\n"}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
