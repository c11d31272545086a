"""Pictures of a check: spectrum beside its reference, bars per band, curves over time, as SVG without scripts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from tapelog_dsp import Check, Status
from tapelog_dsp.analysis.balance import Balance
from tapelog_dsp.analysis.bands import third_octaves_db
from tapelog_dsp.analysis.spectrum import Spectrum

from tapelog_desk.report.svg import GAP, MARGIN_LEFT, MARGIN_RIGHT, WIDTH, Frame, time_axis

SPECTRUM_HEIGHT: Final = 240
CURVE_HEIGHT: Final = 110
BAR_HEIGHT: Final = 18
BAR_STEP: Final = 26
BAR_LEFT: Final = 230
OCTAVES_HZ: Final = (31.5, 63, 125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
FREQUENCY_RANGE_HZ: Final = (22.0, 22_000.0)
WIDTH_RANGE_DB: Final = (-36.0, 6.0)
POINTS_MAX: Final = 850
"""Per curve: one for each column of the picture."""


def _place(hz: float) -> float:
    low, high = (math.log(edge) for edge in FREQUENCY_RANGE_HZ)
    return (math.log(min(max(hz, FREQUENCY_RANGE_HZ[0]), FREQUENCY_RANGE_HZ[1])) - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Trace:
    """A curve over frequency.

    Attributes
    ----------
    kind : {"level", "wanted"}
        Bold, or dashed.
    name : str
        At its right end.
    levels : sequence of float
        In dB, one for each frequency.
    """

    kind: str
    name: str
    levels: Sequence[float]


def frequency_chart(
    thirds_hz: Sequence[float], traces: Sequence[Trace], *, title: str, low: float, high: float, height: float
) -> str:
    """Return curves over log frequency; the first is drawn last and named first."""
    frame = Frame(20.0, height, low, high, 1.0)
    parts = [frame.box(), f'<text class="panel" x="{MARGIN_LEFT}" y="12">{escape(title)}</text>']
    step = 10 if high - low > 30.0 else 6
    for value in range(math.ceil(low / step) * step, int(high) + 1, step):
        parts += [frame.line(value, "grid"), frame.label(value, f"{value:g}".replace("-", "−"))]
    for hz in OCTAVES_HZ:
        x, bottom = frame.x(_place(hz)), frame.top + frame.height
        name = f"{hz / 1000:g}k" if hz >= 1_000 else f"{hz:g}"
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{name}</text>')
    for trace in reversed(traces):
        points = " ".join(
            f"{frame.x(_place(hz)):.1f},{frame.y(level):.1f}" for hz, level in zip(thirds_hz, trace.levels, strict=True)
        )
        parts.append(f'<polyline class="{trace.kind}" points="{points}"/>')
    parts += _names(frame, traces)
    return drawn(height + 44, title, parts)


def _names(frame: Frame, traces: Sequence[Trace]) -> Iterator[str]:
    """Yield the names at the right ends, apart from one another."""
    taken: list[float] = []
    for trace in traces:
        y = frame.y(trace.levels[-1]) + 4.0
        while any(abs(y - other) < 14.0 for other in taken):
            y += 14.0 if y < frame.top + frame.height - 30.0 else -28.0
        taken.append(y)
        kind = "integrated-name" if trace.kind == "level" else "target-name"
        yield f'<text class="{kind}" x="{WIDTH - MARGIN_RIGHT + 8}" y="{y:.1f}">{escape(trace.name[:14])}</text>'


def spectrum_chart(balance: Balance, name: str = "master") -> str:
    """Return third octaves as a line, the reference as a dashed one."""
    levels = [*balance.level_db, *balance.reference_db]
    high = math.ceil(max(levels) / 10.0) * 10.0 + 5.0
    traces = (Trace("level", name, balance.level_db), Trace("wanted", balance.reference, balance.reference_db))
    return frequency_chart(
        balance.thirds_hz, traces, title="Third octaves, dB", low=max(min(levels), high - 70.0), high=high,
        height=SPECTRUM_HEIGHT,
    )  # fmt: skip


def width_chart(spectrum: Spectrum, thirds_hz: Sequence[float]) -> str:
    """Return the sides against the middle per third octave."""
    sides, middle = third_octaves_db(spectrum, spectrum.side), third_octaves_db(spectrum, spectrum.mid)
    levels = (sides - middle)[: len(thirds_hz)].tolist()
    return frequency_chart(
        thirds_hz, (Trace("level", "sides", levels),), title="Sides against the middle, dB", low=WIDTH_RANGE_DB[0],
        high=WIDTH_RANGE_DB[1], height=CURVE_HEIGHT,
    )  # fmt: skip


def bar_chart(rows: Sequence[tuple[str, float, Status]], *, title: str, unit: str, low: float, high: float) -> str:
    """Return named values as bars from zero, coloured by their verdict."""
    width = WIDTH - BAR_LEFT - MARGIN_RIGHT

    def x(value: float) -> float:
        return BAR_LEFT + width * (min(max(value, low), high) - low) / (high - low)

    parts = [f'<text class="panel" x="{MARGIN_LEFT}" y="12">{escape(title)}</text>']
    for index, (name, value, status) in enumerate(rows):
        top = 22 + index * BAR_STEP
        left, right = sorted((x(0.0), x(value)))
        kind = status.value.lower()
        parts.append(f'<text class="axis end" x="{BAR_LEFT - 10}" y="{top + 13}">{escape(name)}</text>')
        size = f'width="{max(right - left, 1.0):.1f}" height="{BAR_HEIGHT}"'
        parts.append(f'<rect class="bar {kind}" x="{left:.1f}" y="{top}" {size}/>')
        words = f"{round(value, 1) + 0.0:+.1f} {unit}".replace("-", "−")
        parts.append(f'<text class="axis" x="{right + 6:.1f}" y="{top + 13}">{escape(words)}</text>')
    bottom = 22 + len(rows) * BAR_STEP
    parts.append(f'<line class="tick" x1="{x(0.0):.1f}" x2="{x(0.0):.1f}" y1="18" y2="{bottom}"/>')
    return drawn(bottom + 6, title, parts)


def time_chart(
    values: Sequence[float], *, first_s: float, step_s: float, length_s: float, title: str, check: Check, low: float,
    high: float,
) -> str:  # fmt: skip
    """Return a value over time with its warning line; gaps where there is nothing to measure."""
    frame = Frame(20.0, CURVE_HEIGHT, low, high, max(length_s, 0.1))
    parts = [f'<text class="panel" x="{MARGIN_LEFT}" y="12">{escape(title)}</text>', frame.box()]
    for value in (low, 0.5 * (low + high), high):
        parts += [frame.line(value, "grid"), frame.label(value, f"{value:g}")]
    step = max(math.ceil(len(values) / POINTS_MAX), 1)
    runs: list[list[str]] = [[]]
    for index in range(0, len(values), step):
        finite = [value for value in values[index : index + step] if math.isfinite(value)]
        if finite:
            runs[-1].append(f"{frame.x(first_s + index * step_s):.1f},{frame.y(min(finite)):.1f}")
        elif runs[-1]:
            runs.append([])
    parts += [f'<polyline class="level" points="{" ".join(run)}"/>' for run in runs if len(run) > 1]
    parts.append(frame.line(check.warn, "target"))
    x, y = WIDTH - MARGIN_RIGHT + 8, frame.y(check.warn) + 4
    parts.append(f'<text class="target-name" x="{x}" y="{y:.1f}">warn {check.warn:g}</text>')
    parts.append(time_axis(frame))
    return drawn(CURVE_HEIGHT + 20 + GAP + 10, title, parts)


def drawn(height: float, name: str, parts: Sequence[str]) -> str:
    """Return the parts as one `<svg>` element, named for those who do not see it."""
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(name)}">'
    return f"{head}{''.join(parts)}</svg>"
