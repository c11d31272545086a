"""Curves as SVG, drawn by hand: a page that needs no script and no network."""

from collections.abc import Iterable, Sequence
from typing import Final

WIDTH: Final = 960
COLUMNS_MAX: Final = 960
"""One a pixel."""
WAVE_HEIGHT: Final = 140
LOUDNESS_HEIGHT: Final = 160
LOUDNESS_TOP_LUFS: Final = -5.0
LOUDNESS_BOTTOM_LUFS: Final = -35.0
GRID_LUFS: Final = (-10, -15, -20, -25, -30)


def waveform(low: Sequence[Sequence[float]], high: Sequence[Sequence[float]]) -> str:
    """Return the outline of a waveform, all channels together.

    Parameters
    ----------
    low, high : sequence of sequence of float
        Lowest and highest sample of each bucket, by channel, -1 to 1.
    """
    together = list(
        zip((min(column) for column in zip(*low, strict=True)), map(max, zip(*high, strict=True)), strict=True)
    )
    width = -(-len(together) // COLUMNS_MAX) or 1
    groups = [together[begin : begin + width] for begin in range(0, len(together), width)]
    peaks = [(min(low for low, _ in group), max(high for _, high in group)) for group in groups]
    middle = WAVE_HEIGHT / 2
    step = WIDTH / max(len(peaks), 1)
    top = [f"{index * step:.1f},{middle - high * middle:.1f}" for index, (_, high) in enumerate(peaks)]
    bottom = [f"{index * step:.1f},{middle - low * middle:.1f}" for index, (low, _) in enumerate(peaks)]
    points = " ".join([*top, *reversed(bottom)])
    return _svg(WAVE_HEIGHT, "waveform", f'<polygon class="wave" points="{points}"/>')


def loudness(
    values_lufs: Sequence[float | None], *, first_s: float, step_s: float, length_s: float, integrated_lufs: float
) -> str:
    """Return loudness over time, with the integrated loudness as a line.

    Parameters
    ----------
    values_lufs : sequence of float or None
        None where it is silent.
    first_s, step_s, length_s : float
        Time of the first value, time between values, and of the whole width.
    """
    timed = [((first_s + index * step_s) / length_s * WIDTH, value) for index, value in enumerate(values_lufs)]
    grid = "".join(
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{_y(level):.1f}" y2="{_y(level):.1f}"/>'
        f'<text x="4" y="{_y(level) - 3:.1f}">{level} LUFS</text>'
        for level in GRID_LUFS
    )
    curves = "".join(f'<polyline class="curve" points="{points}"/>' for points in _runs(timed))
    target = f'<line class="target" x1="0" x2="{WIDTH}" y1="{_y(integrated_lufs):.1f}" y2="{_y(integrated_lufs):.1f}"/>'
    return _svg(LOUDNESS_HEIGHT, "short-term loudness over time", grid + target + curves)


def _runs(timed: Sequence[tuple[float, float | None]]) -> Iterable[str]:
    """Yield the points of each unbroken run; silence breaks the curve."""
    run: list[str] = []
    for x, value in [*timed, (WIDTH, None)]:
        if value is not None:
            run.append(f"{x:.1f},{_y(value):.1f}")
        elif run:
            yield " ".join(run)
            run = []


def _y(level_lufs: float) -> float:
    level = min(max(level_lufs, LOUDNESS_BOTTOM_LUFS), LOUDNESS_TOP_LUFS)
    return (LOUDNESS_TOP_LUFS - level) / (LOUDNESS_TOP_LUFS - LOUDNESS_BOTTOM_LUFS) * LOUDNESS_HEIGHT


def _svg(height: int, label: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{inside}</svg>'
