"""Waveform, loudness and gain reduction over one time axis, as SVG that needs no script, font or network."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tapelog_desk.analysis import Analysis, Curve

WIDTH: Final = 1_000
MARGIN_LEFT: Final = 54
MARGIN_RIGHT: Final = 96
WAVE_HEIGHT: Final = 72
"""Per channel."""

LOUDNESS_HEIGHT: Final = 220
REDUCTION_HEIGHT: Final = 84
GAP: Final = 26
AXIS_HEIGHT: Final = 24
COLUMNS_MAX: Final = WIDTH - MARGIN_LEFT - MARGIN_RIGHT
TICK_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800)
TICKS_MAX: Final = 12
LOUDNESS_SPAN_LU: Final = 24
"""Height of the loudness panel: what matters of music is within 24 LU of its loudest moment."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of the drawing with its scales.

    Attributes
    ----------
    top, height : float
        Place on the page.
    low, high : float
        Values at the bottom and at the top.
    length_s : float
        Time at the right edge.
    """

    top: float
    height: float
    low: float
    high: float
    length_s: float

    def x(self, time_s: float) -> float:
        """Return the place of a time."""
        return MARGIN_LEFT + (WIDTH - MARGIN_LEFT - MARGIN_RIGHT) * min(max(time_s / self.length_s, 0.0), 1.0)

    def y(self, value: float) -> float:
        """Return the place of a value, kept within the rectangle."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.top + self.height * (1.0 - share)

    def line(self, value: float, kind: str) -> str:
        """Return a horizontal line."""
        y = self.y(value)
        return f'<line class="{kind}" x1="{MARGIN_LEFT}" x2="{WIDTH - MARGIN_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'

    def label(self, value: float, text: str) -> str:
        """Return a label at the left edge."""
        return f'<text class="axis" x="{MARGIN_LEFT - 8}" y="{self.y(value) + 4:.1f}" text-anchor="end">{text}</text>'

    def box(self) -> str:
        """Return the rectangle's own ground."""
        width = WIDTH - MARGIN_LEFT - MARGIN_RIGHT
        return f'<rect class="ground" x="{MARGIN_LEFT}" y="{self.top:.1f}" width="{width}" height="{self.height:.1f}"/>'


def clock(time_s: float) -> str:
    """Return a time as ``0:05``."""
    return f"{int(time_s) // 60}:{int(time_s) % 60:02d}"


def _thinned(values: Sequence[float], pick: str) -> tuple[list[float], int]:
    """Return at most one value per column, the extreme one, and how many values each stands for."""
    step = max(math.ceil(len(values) / COLUMNS_MAX), 1)
    choose = max if pick == "max" else min
    return [choose(values[start : start + step]) for start in range(0, len(values), step)], step


def _points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)


def waveform(frame: Frame, low: Sequence[float], high: Sequence[float], bucket_s: float, name: str) -> str:
    """Return one channel as a filled outline, with lines at full scale and silence."""
    tops, step = _thinned(high, "max")
    bottoms, _ = _thinned(low, "min")
    times = [(index + 0.5) * step * bucket_s for index in range(len(tops))]
    upper = [(frame.x(time), frame.y(value)) for time, value in zip(times, tops, strict=True)]
    lower = [(frame.x(time), frame.y(value)) for time, value in zip(times, bottoms, strict=True)]
    outline = _points([*upper, *reversed(lower)])
    return "".join(
        (frame.box(), frame.line(0.0, "grid"), frame.label(0.0, name), f'<polygon class="wave" points="{outline}"/>')
    )


def _segments(frame: Frame, curve: Curve) -> list[list[tuple[float, float]]]:
    """Return a curve as runs of points, broken where it is silent."""
    runs: list[list[tuple[float, float]]] = [[]]
    step = max(len(curve.values) // (2 * COLUMNS_MAX), 1)
    for index in range(0, len(curve.values), step):
        value = max(curve.values[index : index + step])
        if math.isfinite(value) and value > frame.low:
            runs[-1].append((frame.x(curve.first_s + index * curve.step_s), frame.y(value)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def overview(analysis: Analysis, columns: int) -> Analysis:
    """Return an analysis with at most so many points a curve: extremes of the waveform, peaks of the loudness."""
    step = max(math.ceil(max(map(len, analysis.high), default=0) / columns), 1)
    every = max(math.ceil(len(analysis.momentary.values) / columns), 1)
    values = analysis.momentary.values
    louder = tuple(max(values[start : start + every]) for start in range(0, len(values), every))
    return replace(
        analysis,
        momentary=replace(analysis.momentary, step_s=analysis.momentary.step_s * every, values=louder),
        bucket_s=analysis.bucket_s * step,
        low=tuple(tuple(min(row[at : at + step]) for at in range(0, len(row), step)) for row in analysis.low),
        high=tuple(tuple(max(row[at : at + step]) for at in range(0, len(row), step)) for row in analysis.high),
    )


def polyline_runs(frame: Frame, curve: Curve) -> list[str]:
    """Return a curve as the points of polylines, broken where it is silent."""
    return [_points(run) for run in _segments(frame, curve)]


def _mark(frame: Frame, value: float, kind: str, text: str, taken: list[float]) -> str:
    """Return a line with its name at the right edge, moved down where another name stands."""
    y = frame.y(value) + 4
    while any(abs(y - other) < 13 for other in taken):
        y += 13
    taken.append(y)
    label = f'<text class="{kind}-name" x="{WIDTH - MARGIN_RIGHT + 8}" y="{y:.1f}">{text}</text>'
    return frame.line(value, kind) + label


def loudness(frame: Frame, analysis: Analysis, target_lufs: float | None) -> str:
    """Return M and S over time with the target and the integrated loudness."""
    parts = [frame.box()]
    for value in range(math.ceil(frame.low / 6) * 6, int(frame.high) + 1, 6):
        parts += [frame.line(value, "grid"), frame.label(value, str(value).replace("-", "−"))]
    for curve, kind in ((analysis.momentary, "momentary"), (analysis.short_term, "short-term")):
        parts += [f'<polyline class="{kind}" points="{points}"/>' for points in polyline_runs(frame, curve)]
    taken: list[float] = []
    if target_lufs is not None:
        parts.append(_mark(frame, target_lufs, "target", f"target {target_lufs:g}".replace("-", "−"), taken))
    if analysis.measurements.HasField("integrated_lufs"):
        integrated = analysis.measurements.integrated_lufs
        parts.append(_mark(frame, integrated, "integrated", f"I {integrated:.1f} LUFS".replace("-", "−"), taken))
    return "".join(parts)


def reduction(frame: Frame, values: Sequence[float], step_s: float) -> str:
    """Return the limiter's gain reduction, hanging from 0 dB."""
    deepest, step = _thinned(values, "max")
    points = [(frame.x((index + 0.5) * step * step_s), frame.y(-value)) for index, value in enumerate(deepest)]
    hanging = _points([(points[0][0], frame.y(0.0)), *points, (points[-1][0], frame.y(0.0))]) if points else ""
    most = max(values, default=0.0)
    name = (
        f'<text class="reduction-name" x="{WIDTH - MARGIN_RIGHT + 8}" y="{frame.top + 12:.1f}">GR {most:.1f} dB</text>'
    )
    return "".join(
        (
            frame.box(),
            frame.label(0.0, "0"),
            frame.label(frame.low, f"{frame.low:g}"),
            f'<polygon class="reduction" points="{hanging}"/>' if points else "",
            name,
        )
    )


def time_axis(frame: Frame) -> str:
    """Return ticks and times below a frame."""
    step_s = next((step for step in TICK_STEPS_S if frame.length_s / step <= TICKS_MAX), TICK_STEPS_S[-1])
    y = frame.top + frame.height
    parts = []
    for index in range(int(frame.length_s // step_s) + 1):
        x = frame.x(index * step_s)
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{y + 5:.1f}"/>')
        parts.append(
            f'<text class="axis" x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{clock(index * step_s)}</text>'
        )
    return "".join(parts)


def loudness_frame(analysis: Analysis, target_lufs: float | None, *, top: float, length_s: float) -> Frame:
    """Return the loudness panel, from a little above the loudest moment down."""
    loudest = [value for value in analysis.momentary.values if math.isfinite(value)]
    highest = max([*loudest, target_lufs if target_lufs is not None else -70.0], default=-10.0)
    high = math.ceil((highest + 1.0) / 6.0) * 6.0
    return Frame(top, LOUDNESS_HEIGHT, high - LOUDNESS_SPAN_LU, high, length_s)


def drawing(
    analysis: Analysis, *, target_lufs: float | None = None, reduction_db: Sequence[float] = (), step_s: float = 0.1
) -> str:
    """Return the whole drawing.

    Parameters
    ----------
    analysis : Analysis
        What to draw.
    target_lufs : float, optional
        Where the target line goes.
    reduction_db : sequence of float
        The limiter's gain reduction; none leaves its panel out.
    step_s : float
        Time between its values.

    Returns
    -------
    str
        One ``<svg>`` element; classes are coloured by the page.
    """
    length_s = max(analysis.measurements.length_frames / max(analysis.measurements.sample_rate_hz, 1), 0.1)
    names = {1: ("",), 2: ("L", "R")}.get(len(analysis.low)) or [str(index + 1) for index in range(len(analysis.low))]
    parts, top = [], 6.0
    for low, high, name in zip(analysis.low, analysis.high, names, strict=True):
        reach = max(1.0, -min(low, default=0.0), max(high, default=0.0))
        parts.append(waveform(Frame(top, WAVE_HEIGHT, -reach, reach, length_s), low, high, analysis.bucket_s, name))
        top += WAVE_HEIGHT + 4
    frame = loudness_frame(analysis, target_lufs, top=top + GAP, length_s=length_s)
    parts += [
        _title(top + GAP - 8, "Loudness, LUFS: momentary (thin), short-term (bold)"),
        loudness(frame, analysis, target_lufs),
    ]
    top = frame.top + frame.height
    if reduction_db:
        lowest = -max(math.ceil(max(reduction_db) / 3.0) * 3.0, 3.0)
        frame = Frame(top + GAP, REDUCTION_HEIGHT, lowest, 0.0, length_s)
        parts += [_title(top + GAP - 8, "Limiter, dB"), reduction(frame, reduction_db, step_s)]
        top = frame.top + frame.height
    parts.append(time_axis(frame))
    head = (
        f'<svg viewBox="0 0 {WIDTH} {top + AXIS_HEIGHT:.0f}" role="img" aria-label="Waveform and loudness over time">'
    )
    return f"{head}{''.join(parts)}</svg>"


def _title(y: float, text: str) -> str:
    return f'<text class="panel" x="{MARGIN_LEFT}" y="{y:.1f}">{text}</text>'
