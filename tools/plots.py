"""Line plots as small SVG files: no script, no font, no library."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 300
LEFT, RIGHT, TOP, BOTTOM = 62, 168, 34, 40
COLOURS: Final = ("#0b6e99", "#d1495b", "#3a7d44", "#8f5fbf", "#c77d0a", "#555555")


@dataclass(frozen=True)
class Axis:
    """A scale with its marks.

    Parameters
    ----------
    name : str
        What it shows, with its unit.
    low, high : float
        Its ends.
    marks : sequence of float
        Where lines and numbers stand.
    logarithmic : bool
        Whether it grows by factors.
    """

    name: str
    low: float
    high: float
    marks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one, kept within."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass
class Plot:
    """A drawing in the making."""

    title: str
    across: Axis
    up: Axis
    lines: list[tuple[str, list[float], list[float]]] = field(default_factory=list)

    def line(self, name: str, x: Iterable[float], y: Iterable[float]) -> None:
        """Add a curve."""
        self.lines.append((name, [float(value) for value in x], [float(value) for value in y]))

    def svg(self) -> str:
        """Return the file's text."""
        inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        face = 'font-family="sans-serif" font-size="11"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {face}>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{self.title}</text>',
        ]
        for mark in self.across.marks:
            x = LEFT + inner_w * self.across.share(mark)
            parts.append(f'<path d="M{x:.1f} {TOP}v{inner_h}" stroke="#e2e2e2"/>')
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 24}" text-anchor="middle">{_number(mark)}</text>')
        for mark in self.up.marks:
            y = TOP + inner_h * (1.0 - self.up.share(mark))
            parts.append(f'<path d="M{LEFT} {y:.1f}h{inner_w}" stroke="#e2e2e2"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(mark)}</text>')
        parts.append(
            f'<text x="{LEFT + inner_w / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{self.across.name}</text>'
        )
        parts.append(
            f'<text x="14" y="{TOP + inner_h / 2:.0f}" text-anchor="middle" '
            f'transform="rotate(-90 14 {TOP + inner_h / 2:.0f})">{self.up.name}</text>'
        )
        for place, (name, places, values) in enumerate(self.lines):
            colour = COLOURS[place % len(COLOURS)]
            points = " ".join(
                f"{LEFT + inner_w * self.across.share(a):.1f},{TOP + inner_h * (1.0 - self.up.share(b)):.1f}"
                for a, b in zip(places, values, strict=True)
            )
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
            parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 12 + 16 * place}" fill="{colour}">{name}</text>')
        return "\n".join([*parts, "</svg>", ""])


def _number(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"
