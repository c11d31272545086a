"""Scrape configuration, alert rules and dashboard against the declared metrics and the runbook."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tapelog_chassis.observability.metrics import CATALOGUE, MetricSpec

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
for package in ("tapelog_chassis", "tapelog_session", "tapelog_render", "tapelog_notify"):
    importlib.import_module(f"{package}.telemetry")
PROMETHEUS_LABELS = {"job", "instance", "part", "le"}


def rules() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Return every query of the alerts, the dashboard and the autoscaler."""
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    scalers = [
        trigger["metadata"]["query"]
        for path in (ROOT / "deploy" / "k8s").rglob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("kind") == "ScaledObject"
        for trigger in document["spec"]["triggers"]
    ]
    return [*(rule["expr"] for rule in rules()), *asked, *scalers]


def spec_of(series: str) -> MetricSpec | None:
    """Return the declaration of a series, if there is one."""
    return next((spec for spec in CATALOGUE.values() if series in spec.series), None)


def test_every_metric_that_is_asked_for_is_declared():
    """Names in queries are series of declared metrics; their labels are that metric's, or the scraper's."""
    asked = set()
    for expression in expressions():
        for series, matchers in re.findall(r"\b(tapelog_\w+)(?:\{([^}]*)\})?", expression):
            spec = spec_of(series)
            assert spec is not None, f"{series} in {expression} is declared nowhere"
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
            assert labels <= {*spec.labels, *PROMETHEUS_LABELS}, expression
            asked.add(series)
    assert len(asked) > 20


def test_every_grouping_is_by_a_label_of_the_metric():
    """A label in `by (…)` that no metric of the expression has would make one nameless series."""
    for expression in expressions():
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
        series = re.findall(r"\btapelog_\w+", expression)
        known = {label for name in series if (spec := spec_of(name)) for label in spec.labels}
        assert grouped <= known | PROMETHEUS_LABELS, expression


def test_every_declared_metric_is_on_the_dashboard():
    """One panel each, with what it says."""
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    shown = " ".join(target["expr"] for panel in panels for target in panel.get("targets", ()))
    for spec in CATALOGUE.values():
        if not spec.name.startswith("tapelog_never"):
            assert re.search(rf"\b{spec.series[0]}\b", shown), spec.name
    numbers = [panel["id"] for panel in panels]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]):
    """A severity, a summary, and a section of the runbook that exists."""
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}, anchor
    for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
        grouped = re.findall(r"by \(([^)]*)\)", rule["expr"])
        if grouped:
            assert any(label in group for group in grouped), f"{rule['alert']} loses the label {label}"


def test_the_scraped_ports_are_in_the_runbook():
    """What Prometheus scrapes on one machine is what the page tells to set; all of it is on loopback."""
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    assert [(FOLDER / name).is_file() for name in config["rule_files"]] == [True]
    page = (ROOT / "docs" / "operations.md").read_text()
    (scrape,) = config["scrape_configs"]
    for item in scrape["static_configs"]:
        ((host, port),) = [target.split(":") for target in item["targets"]]
        assert host == "127.0.0.1"
        assert port in page, f"docs/operations.md does not name the port {port} of {item['labels']['part']}"
