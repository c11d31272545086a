"""Where one stem covers another, band by band while both play, and the cuts that give the covered one room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_desk.automix.bands import CENTRES_HZ, Floats
from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.cleaning import response
from tapelog_desk.automix.strip import Strip

CUT_MAX_DB: Final = 4.0
CUT_MIN_DB: Final = 1.0
"""A cut of less is not worth its place."""

CUT_Q: Final = 1.0
CUTS_MAX: Final = 2
"""Of one stem."""

APART: Final = 3
"""Bands between two cuts of one stem: an octave."""

SHARE_MIN: Final = 0.25
"""Share of the covered stem's playing time in which it has to be covered."""

RANGE_DB: Final = 20.0
"""A band of a stem counts where it is at most so far below the stem's strongest band in the same window."""

CORE_DB: Final = 12.0
"""The same, for what a stem is made of: only that is worth a cut elsewhere."""

RANK_MIN: Final = 4
"""Importance from which a stem is kept uncovered."""

FIRST_HZ: Final = 150.0
LAST_HZ: Final = 9_000.0
"""Outside of these a broad bell is the wrong tool: high-passes and shelves are the engineer's."""


@dataclass(frozen=True, slots=True)
class Cover:
    """One stem over another in one band.

    Attributes
    ----------
    masker, covered : int
        Their places in the list.
    band : int
        Index into `CENTRES_HZ`.
    excess_db : float
        How far the masker is above the covered stem there, mean over the windows in which it is.
    share : float
        Share of the covered stem's windows in which it is.
    """

    masker: int
    covered: int
    band: int
    excess_db: float
    share: float

    @property
    def weight(self) -> float:
        """How much it matters."""
        return self.share * min(self.excess_db, 12.0)


def counted(power: Floats, range_db: float = RANGE_DB) -> npt.NDArray[np.bool_]:
    """Return which cells ``[windows, BANDS]`` of a stem are heard by themselves.

    A cell counts within a range of the strongest band of its window, in windows within `RANGE_DB` of the loud ones.
    """
    level = power.sum(axis=1)
    loud = float(np.quantile(level[level > 0.0], 0.95)) if (level > 0.0).any() else 0.0
    floor = 10.0 ** (-range_db / 10.0)
    plays = level > max(loud * 10.0 ** (-RANGE_DB / 10.0), 1e-12)
    strong: npt.NDArray[np.bool_] = power > power.max(axis=1, keepdims=True) * floor
    both: npt.NDArray[np.bool_] = strong & plays[:, None]
    return both


def covers(powers: Sequence[Floats], ranks: Sequence[int]) -> list[Cover]:
    """Return where less important stems cover more important ones.

    Parameters
    ----------
    powers : sequence of ndarray [shape=(windows, BANDS)]
        Power of each stem as it stands in the mix.
    ranks : sequence of int
        Their importance.
    """
    found: list[Cover] = []
    heard = [counted(power, CORE_DB) for power in powers]
    inside = [band for band, centre in enumerate(CENTRES_HZ) if FIRST_HZ <= centre <= LAST_HZ]
    for covered, rank in enumerate(ranks):
        windows = int(heard[covered].any(axis=1).sum())
        if rank < RANK_MIN or windows < 4:
            continue
        for masker, other in enumerate(ranks):
            if other >= rank or masker == covered:
                continue
            both = min(len(powers[masker]), len(powers[covered]))
            above = heard[covered][:both] & (powers[masker][:both] > powers[covered][:both])
            for band in inside:
                cells = above[:, band]
                share = float(cells.sum()) / windows
                if share < SHARE_MIN:
                    continue
                ratio = powers[masker][:both, band][cells] / np.maximum(powers[covered][:both, band][cells], 1e-18)
                found.append(Cover(masker, covered, band, float((10.0 * np.log10(ratio)).mean()), share))
    return sorted(found, key=lambda cover: (-round(cover.weight, 6), cover.masker, cover.band, cover.covered))


def unmask(strips: Sequence[Strip], limits: Limits) -> None:
    """Cut the covering stems, with the faders as they stand, at most `CUT_MAX_DB` and `CUTS_MAX` times each.

    The masker's own strongest band is left alone: a cut there would take what it is made of.
    """
    powers = [
        strip.heard.bands * (10.0 ** (strip.gain_db / 10.0)) * (response(strip.high_pass_hz) if strip.high_pass_hz
                                                               else 1.0)
        for strip in strips
    ]  # fmt: skip
    strongest = [int(np.argmax(power.sum(axis=0))) for power in powers]
    taken: dict[int, list[int]] = {}
    for cover in covers(powers, [strip.role.rank for strip in strips]):
        strip, bands = strips[cover.masker], taken.setdefault(cover.masker, [])
        near = any(abs(cover.band - band) <= APART for band in bands)
        cut_db = min(round(0.5 * cover.excess_db, 1), CUT_MAX_DB)
        if len(bands) >= CUTS_MAX or near or cover.band == strongest[cover.masker] or cut_db < CUT_MIN_DB:
            continue
        refusal = limits.refuses(strip.words, "eq")
        if refusal is not None:
            strip.note("no equaliser", f"{refusal.constraint}: {refusal.statement}", "brief.forbids")
            bands += range(0, len(CENTRES_HZ), APART)
            continue
        bands.append(cover.band)
        frequency = float(round(CENTRES_HZ[cover.band]))
        strip.cuts.append((frequency, -cut_db))
        below = strips[cover.covered].id
        reason = (
            f"it covers {below} there by {cover.excess_db:.1f} dB in {cover.share:.0%} of the time {below} plays; "
            f"half of that, at most {CUT_MAX_DB:g} dB"
        )
        strip.note(f"bell {frequency:g} Hz {-cut_db:g} dB", reason, "eq.unmask",
                   excess_db=cover.excess_db, share=cover.share)  # fmt: skip
