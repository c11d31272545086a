"""What changed in the sound from one file to another."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tapelog_dsp.analysis.balance import balance

from tapelog_desk.report import words
from tapelog_desk.report.charts import Trace, frequency_chart
from tapelog_desk.report.heard import Heard
from tapelog_desk.report.timeline import loudness_overlay

MEASURED: Final = (
    ("integrated_lufs", "Integrated loudness", "LUFS", 2),
    ("true_peak_dbtp", "True peak", "dBTP", 2),
    ("loudness_range_lu", "Loudness range", "LU", 1),
    ("max_short_term_lufs", "Loudest 3 s", "LUFS", 1),
    ("max_momentary_lufs", "Loudest 400 ms", "LUFS", 1),
    ("sample_peak_dbfs", "Sample peak", "dBFS", 2),
)
DIFFERENCE_DB: Final = 9.0
"""Height of the tone picture to either side; more is drawn at the edge."""
TONE_HEIGHT: Final = 130


@dataclass(frozen=True, slots=True)
class Change:
    """A number of both.

    Attributes
    ----------
    name, unit : str
        What it is.
    before, after : float
        NaN where it does not exist.
    digits : int
        Behind the point.
    """

    name: str
    unit: str
    before: float
    after: float
    digits: int = 1

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """Name, before, after, difference and unit as texts."""
        changed = self.after - self.before
        moved = words.number(changed, self.digits, signed=True) if round(changed, self.digits) else "0"
        return (
            self.name,
            words.number(self.before, self.digits),
            words.number(self.after, self.digits),
            moved if math.isfinite(changed) else words.NOT_THERE,
            self.unit,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two files.

    Attributes
    ----------
    before, after : Heard
        The earlier and the later.
    changes : tuple of Change
        Their numbers.
    """

    before: Heard
    after: Heard
    changes: tuple[Change, ...]

    @property
    def same_samples(self) -> bool:
        """Whether both hold the same samples."""
        return self.before.analysis.audio.sample_digest == self.after.analysis.audio.sample_digest

    @property
    def words(self) -> str:
        """Say what to keep in mind."""
        if self.same_samples:
            return f"{self.before.title} has the same samples."
        louder = self.changes[0].after - self.changes[0].before
        if not math.isfinite(louder) or abs(louder) < 0.05:
            return f"Against {self.before.title}, equally loud."
        turned = self.after.title if louder > 0 else self.before.title
        return (
            f"Against {self.before.title}. For an even comparison turn {turned} down by {abs(louder):.1f} dB: "
            "the louder one seems better for being louder."
        )


def compare(before: Heard, after: Heard) -> Compared:
    """Return what changed from one file to another."""
    return Compared(before, after, tuple(_changes(before, after)))


def _changes(before: Heard, after: Heard) -> Iterator[Change]:
    was, now = before.analysis.measurements, after.analysis.measurements
    for name, title, unit, digits in MEASURED:
        old, new = (getattr(one, name) if one.HasField(name) else math.nan for one in (was, now))  # type: ignore[arg-type]
        yield Change(title, unit, old, new, digits)
    if before.checked is not None and after.checked is not None:
        old_one, new_one = before.checked.report, after.checked.report
        yield Change("PLR", "LU", old_one.plr_lu, new_one.plr_lu)
        yield Change("PSR, lowest tenth", "LU", old_one.psr_p10_lu, new_one.psr_p10_lu)
        yield Change("Correlation", "", old_one.levels.correlation, new_one.levels.correlation, 2)
        yield Change("Sides against the middle", "dB", old_one.levels.side_to_mid_db, new_one.levels.side_to_mid_db)
        yield Change("Lost in mono", "LU", old_one.mono.loudness_lost_lu, new_one.mono.loudness_lost_lu)
        yield Change("Quietest 0.4 s", "dBFS", old_one.levels.noise_floor_dbfs, new_one.levels.noise_floor_dbfs)
    yield Change("Length", "s", before.length_s, after.length_s, 3)


def pictures(compared: Compared) -> list[dict[str, str]]:
    """Return loudness of both over time, and what changed in tone; nothing for the same samples."""
    if compared.same_samples:
        return []
    before, after = compared.before, compared.after
    found = []
    if before.analysis.short_term.values and after.analysis.short_term.values:
        drawing = loudness_overlay(before.analysis, after.analysis, length_s=max(before.length_s, after.length_s))
        found.append({"title": "", "text": "", "drawing": drawing})
    if before.checked is not None and after.checked is not None:
        beside = balance(after.checked.report.spectrum, before.checked.report.spectrum, name="before")
        difference = [new - old for new, old in zip(beside.level_db, beside.reference_db, strict=True)]
        drawing = frequency_chart(
            beside.thirds_hz,
            (Trace("level", "after", difference), Trace("wanted", "before", [0.0] * len(difference))),
            title="Tone, after against before at the same level, dB per third octave",
            low=-DIFFERENCE_DB,
            high=DIFFERENCE_DB,
            height=TONE_HEIGHT,
        )
        found.append({"title": "", "text": "", "drawing": drawing})
    return found


def compared_json(compared: Compared) -> dict[str, Any]:
    """Return what changed as JSON values."""

    def plain(value: float) -> float | None:
        return round(value, 3) + 0.0 if math.isfinite(value) else None

    return {
        "before": compared.before.name,
        "same_samples": compared.same_samples,
        "changes": [
            {"name": one.name, "unit": one.unit, "before": plain(one.before), "after": plain(one.after)}
            for one in compared.changes
        ],
    }
