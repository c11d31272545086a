"""How a metric is declared: once, in its package's `telemetry.py`, with what a reader of a dashboard has to know.

Every declaration is kept in `CATALOGUE`, from which the table in the documentation, the dashboard and the check of the
alert rules are made. Labels take few values: methods, codes, kinds, outcomes; never an id of a song, a party or a
tenant, and never what somebody typed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

PREFIX: Final = "tapelog_"
FORBIDDEN_LABELS: Final = frozenset(
    {"tenant", "party", "person", "project", "song", "job", "subscription", "request_id", "correlation_id", "sha256"}
)
"""Labels that would make a series for everybody, and tell one tenant about another."""
LABELS_MAX: Final = 3
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets of what ought to take milliseconds."""
LONG_SECONDS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Buckets of what may take minutes."""
_NAME: Final = re.compile(r"tapelog_[a-z][a-z0-9_]*[a-z0-9]")
_LABEL: Final = re.compile(r"[a-z][a-z_]*")

disable_created_metrics()  # type: ignore[no-untyped-call]  # published without types; a second series for each one, which no dashboard of ours reads

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One declared metric.

    Attributes
    ----------
    name : str
        As declared; a counter's series end in `_total`.
    unit : str
        What 1 is one of, such as `seconds`, `bytes`, `calls`.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which a query finds it."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_count", f"{self.name}_sum")
        return (self.name,)


CATALOGUE: Final[dict[str, MetricSpec]] = {}
"""Every metric of the packages that were imported, in the order of declaration."""


def counter(name: str, text: str, unit: str, labels: Sequence[str] = ()) -> Counter:
    """Declare what only grows; raises `ValueError` for a name or a label that is not allowed."""
    spec = _declare(name, "counter", text, unit, labels)
    return Counter(spec.name, spec.help, spec.labels)


def gauge(name: str, text: str, unit: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare what goes up and down; raises as `counter` does."""
    spec = _declare(name, "gauge", text, unit, labels)
    return Gauge(spec.name, spec.help, spec.labels)


def histogram(name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS) -> Histogram:
    """Declare a duration, in seconds; raises as `counter` does."""
    spec = _declare(name, "histogram", text, "seconds", labels)
    return Histogram(spec.name, spec.help, spec.labels, buckets=buckets)


def _declare(name: str, kind: Kind, text: str, unit: str, labels: Sequence[str]) -> MetricSpec:
    if not _NAME.fullmatch(name) or name.endswith("_total"):
        raise ValueError(f"metric {name!r} is not {PREFIX} and snake_case, without _total")
    if name in CATALOGUE:
        raise ValueError(f"metric {name!r} is declared twice")
    if (kind == "histogram") != name.endswith("_seconds") and kind != "gauge":
        raise ValueError(f"metric {name!r}: durations are histograms whose names end in _seconds")
    if len(labels) > LABELS_MAX:
        raise ValueError(f"metric {name!r} has {len(labels)} labels, at most {LABELS_MAX} are allowed")
    for label in labels:
        if label in FORBIDDEN_LABELS or not _LABEL.fullmatch(label):
            raise ValueError(f"metric {name!r} may not have the label {label!r}: it would be a series for each one")
    spec = MetricSpec(name, kind, unit, tuple(labels), text)
    CATALOGUE[name] = spec
    return spec
