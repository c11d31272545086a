"""Loudness of more than one file over one time axis: two versions, or the songs of an album."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tapelog_desk.analysis import Analysis, Curve
from tapelog_desk.report.charts import drawn
from tapelog_desk.report.heard import Heard
from tapelog_desk.report.svg import (
    AXIS_HEIGHT,
    LOUDNESS_SPAN_LU,
    MARGIN_LEFT,
    MARGIN_RIGHT,
    WIDTH,
    Frame,
    polyline_runs,
    time_axis,
)

OVERLAY_HEIGHT: Final = 160
SEQUENCE_HEIGHT: Final = 200
NAME_CHARS: Final = 14


def _frame(curves: Sequence[Curve], *, height: float, length_s: float) -> Frame:
    loudest = max((value for curve in curves for value in curve.values if math.isfinite(value)), default=-10.0)
    high = math.ceil((loudest + 1.0) / 6.0) * 6.0
    return Frame(24.0, height, high - LOUDNESS_SPAN_LU, high, max(length_s, 0.1))


def _ground(frame: Frame, title: str) -> list[str]:
    parts = [frame.box(), f'<text class="panel" x="{MARGIN_LEFT}" y="14">{escape(title)}</text>']
    for value in range(math.ceil(frame.low / 6) * 6, int(frame.high) + 1, 6):
        parts += [frame.line(value, "grid"), frame.label(value, f"{value}".replace("-", "−"))]
    return parts


def _line(frame: Frame, curve: Curve, kind: str) -> list[str]:
    return [f'<polyline class="{kind}" points="{points}"/>' for points in polyline_runs(frame, curve)]


def loudness_overlay(before: Analysis, after: Analysis, *, length_s: float) -> str:
    """Return the short-term loudness of two files, the later one bold."""
    frame = _frame((before.short_term, after.short_term), height=OVERLAY_HEIGHT, length_s=length_s)
    parts = _ground(frame, "Short-term loudness, LUFS")
    parts += _line(frame, before.short_term, "wanted") + _line(frame, after.short_term, "level")
    x = WIDTH - MARGIN_RIGHT + 8
    parts.append(f'<text class="integrated-name" x="{x}" y="{frame.top + 12:.0f}">after</text>')
    parts.append(f'<text class="target-name" x="{x}" y="{frame.top + 28:.0f}">before</text>')
    parts.append(time_axis(frame))
    return drawn(frame.top + frame.height + AXIS_HEIGHT, "Short-term loudness before and after", parts)


def sequence_chart(songs: Sequence[Heard], album_lufs: float | None) -> str:
    """Return the songs of an album one after another: short-term loudness, and each song's own as a level line."""
    length_s = max(song.start_s + song.length_s for song in songs)
    frame = _frame([song.analysis.short_term for song in songs], height=SEQUENCE_HEIGHT, length_s=length_s)
    parts = _ground(frame, "Short-term loudness over the album, LUFS; the level line is each song's own")
    for number, song in enumerate(songs, 1):
        start, end = frame.x(song.start_s), frame.x(song.start_s + song.length_s)
        bottom = frame.top + frame.height
        parts.append(f'<line class="tick" x1="{start:.1f}" x2="{start:.1f}" y1="{frame.top}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{start + 4:.1f}" y="{bottom - 6:.1f}">{number}</text>')
        curve = song.analysis.short_term
        moved = Curve(song.start_s + curve.first_s, curve.step_s, curve.values)
        parts += _line(frame, moved, "momentary")
        numbers = song.analysis.measurements
        if numbers.HasField("integrated_lufs"):
            y = frame.y(numbers.integrated_lufs)
            parts.append(f'<line class="own" x1="{start:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if album_lufs is not None:
        parts.append(frame.line(album_lufs, "target"))
        words = f"album {album_lufs:.1f}".replace("-", "−")[:NAME_CHARS]
        x = WIDTH - MARGIN_RIGHT + 8
        parts.append(f'<text class="target-name" x="{x}" y="{frame.y(album_lufs) + 4:.1f}">{words}</text>')
    parts.append(time_axis(frame))
    return drawn(frame.top + frame.height + AXIS_HEIGHT, "Loudness over the album", parts)
