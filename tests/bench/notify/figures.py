"""Figures of load runs: distributions in one line, and the cost of a process."""

from collections.abc import Sequence

import psutil


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which `part` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def shown(name: str, seconds: Sequence[float]) -> str:
    """Write a distribution as one line, in milliseconds."""
    p50, p99, most = (1e3 * quantile(seconds, part) for part in (0.5, 0.99, 1.0))
    return f"{name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms, n={len(seconds)}"


def tell(line: str) -> None:
    """Print a figure: a bench's output."""
    print(f"\n{line}")  # noqa: T201 - the figures are what it is run for


def cpu_s(process: psutil.Process) -> float:
    """Return what a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
