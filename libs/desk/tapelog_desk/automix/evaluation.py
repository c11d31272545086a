"""Objective features of a mix, by which a first mix is compared with an equal-loudness sum of the same stems.

They were written down before any figure of `roles.ROLES` was moved, and none of them is a listener: they find faults
(a buried voice, a lopsided picture, bass out of phase), not beauty.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.analysis import Progress
from tapelog_desk.automix.audition import Audition, Picture, audition
from tapelog_desk.automix.bands import CENTRES_HZ, Floats
from tapelog_desk.automix.levels import mean_lufs
from tapelog_desk.automix.masking import RANK_MIN, counted
from tapelog_desk.automix.roles import Role
from tapelog_desk.sources import Resolve

COVERED_DB: Final = 12.0
"""A cell this far under the rest is wholly covered; at the level of the rest it is not."""

LEAD_RANGE_LU: Final = (-3.0, 3.0)
"""Vocal against backing that the brief's rule of vocal presence takes as its example."""

PLR_RANGE_LU: Final = (9.0, 16.0)
"""Peak to loudness of an unmastered mix: less is squeezed, more leaves single hits sticking out. A house figure."""

SIDE_RANGE_DB: Final = (-18.0, -5.0)
"""Side against mid over all: less is mono, more falls apart in mono. A house figure."""

LOW_SIDE_MAX_DB: Final = -15.0
"""Side against mid below 140 Hz that a mono system still plays whole. A house figure."""

BALANCE_MAX_DB: Final = 0.5
"""Left against right that nobody notices. A house figure."""

TONE_BANDS: Final = slice(1, 27)
"""40 Hz to 13 kHz: where the spectrum of a mix is compared."""


@dataclass(frozen=True, slots=True)
class MixFeatures:
    """Features of a mix; less is better for each, and 0 is none of the fault. NaN is not measured.

    Attributes
    ----------
    covered_front : float
        How much of the important stems (rank 4 and above: lead, kick, snare, bass) is covered by the rest, 0 to 1.
    covered_all : float
        The same over all stems.
    tone_db : float
        Root mean square distance of the spectrum from the reference's, level taken away.
    lead_off_lu : float
        How far the lead against everything else, while it plays, is outside of `LEAD_RANGE_LU`.
    plr_off_lu : float
        How far peak to loudness is outside of `PLR_RANGE_LU`.
    balance_off_db : float
        How far left against right is beyond `BALANCE_MAX_DB`.
    side_off_db : float
        How far side against mid is outside of `SIDE_RANGE_DB`.
    low_side_off_db : float
        How far the side of the bass is above `LOW_SIDE_MAX_DB`.
    """

    covered_front: float
    covered_all: float
    tone_db: float
    lead_off_lu: float
    plr_off_lu: float
    balance_off_db: float
    side_off_db: float
    low_side_off_db: float


FEATURES: Final = tuple(field.name for field in fields(MixFeatures))


@dataclass(frozen=True, slots=True)
class Judged:
    """A mix that was measured.

    Attributes
    ----------
    features : MixFeatures
        Its faults.
    figures : dict of str to float
        What they were taken from, for people.
    """

    features: MixFeatures
    figures: dict[str, float]


def judge(
    recipe: pb.MixRecipe,
    resolve: Resolve,
    roles: Mapping[str, Role],
    *,
    reference_tone: Floats | None = None,
    progress: Progress | None = None,
) -> Judged:
    """Render a recipe and measure its features.

    Parameters
    ----------
    recipe : MixRecipe
        Valid, its tracks summed without bus processing that changes levels.
    resolve : callable
        Finds the file of a source.
    roles : mapping of str to Role
        By track.
    reference_tone : ndarray [shape=(BANDS,)], optional
        Level of each band in dB, as from `tone_of`; without it `tone_db` is NaN.
    progress : callable, optional
        Told the share that is done.
    """
    heard = audition(recipe, resolve, with_bands=True, progress=progress)
    front, everything = _covered(heard.tracks, roles)
    lead = _lead_to_rest(heard, roles)
    plr = heard.mix.peak_to_loudness_lu
    tone = math.nan
    if reference_tone is not None:
        off = (tone_of(heard.picture.bands) - reference_tone)[TONE_BANDS]
        tone = float(np.sqrt(((off - off.mean()) ** 2).mean()))
    picture = heard.picture
    features = MixFeatures(
        covered_front=front,
        covered_all=everything,
        tone_db=tone,
        lead_off_lu=_outside(lead, *LEAD_RANGE_LU),
        plr_off_lu=_outside(plr, *PLR_RANGE_LU),
        balance_off_db=_outside(picture.balance_db, -BALANCE_MAX_DB, BALANCE_MAX_DB),
        side_off_db=_outside(picture.width_db, *SIDE_RANGE_DB),
        low_side_off_db=_outside(picture.low_side_db, -math.inf, LOW_SIDE_MAX_DB),
    )
    figures = {
        "integrated_lufs": heard.mix.loudness.integrated_lufs,
        "true_peak_dbtp": heard.mix.true_peak.max_dbtp,
        "plr_lu": plr,
        "lead_to_rest_lu": lead,
        "balance_db": picture.balance_db,
        "side_db": picture.width_db,
        "low_side_db": picture.low_side_db,
    }
    return Judged(features, figures)


def tone_of(bands: Floats) -> Floats:
    """Return the level of each band ``[BANDS]`` in dB, mean over the windows within 20 dB of the loud ones."""
    level = bands.sum(axis=1)
    loud = bands[level > 0.01 * float(np.quantile(level, 0.95))]
    tone: Floats = 10.0 * np.log10(np.maximum(loud.mean(axis=0), 1e-15))
    return tone - float(tone[TONE_BANDS].mean())


def _outside(value: float, low: float, high: float) -> float:
    return value if math.isnan(value) else max(low - value, value - high, 0.0)


def _covered(tracks: Mapping[str, Picture], roles: Mapping[str, Role]) -> tuple[float, float]:
    """Return the covered share of the stems in front and of all, each stem weighing the same."""
    playing = {name: picture.bands for name, picture in tracks.items() if picture.loudness.integrated_lufs > -70.0}
    windows = max(len(bands) for bands in playing.values())
    total = np.zeros((windows, len(CENTRES_HZ)))
    for bands in playing.values():
        total[: len(bands)] += bands
    front: list[float] = []
    everything: list[float] = []
    for name, bands in playing.items():
        cells = counted(bands)
        own, rest = bands[cells], np.maximum(total[: len(bands)] - bands, 0.0)[cells]
        if not own.size:
            continue
        under = 10.0 * np.log10(np.maximum(rest, 1e-18) / own)
        weight = own**0.3
        share = float((np.clip(under / COVERED_DB, 0.0, 1.0) * weight).sum() / weight.sum())
        everything.append(share)
        if roles[name].rank >= RANK_MIN:
            front.append(share)
    return float(np.mean(front)) if front else math.nan, float(np.mean(everything))


def _lead_to_rest(heard: Audition, roles: Mapping[str, Role]) -> float:
    names = [name for name in heard.tracks if roles[name].name == "lead vocal"]
    names = names or [name for name in heard.tracks if "lead" in roles[name].tags]
    if not names or len(names) == len(heard.tracks):
        return math.nan
    steps = max(picture.loudness.power.size for picture in heard.tracks.values())
    front, rest = np.zeros(steps), np.zeros(steps)
    for name, picture in heard.tracks.items():
        if name in names:
            front += picture.loudness.at(0.0, steps)
        else:
            rest += picture.loudness.at(0.0, steps)
    against = mean_lufs(front) - mean_lufs(rest, front)
    return against if math.isfinite(against) else math.nan


def equal_loudness(recipe: pb.MixRecipe, loudness_lufs: Mapping[str, float]) -> pb.MixRecipe:
    """Return the sum that a first mix has to beat: every stem as loud as every other, and nothing else done.

    Parameters
    ----------
    recipe : MixRecipe
        Where the stems and the sample rate come from.
    loudness_lufs : mapping of str to float
        Gated loudness of each stem.
    """
    plain = pb.MixRecipe(sample_rate_hz=recipe.sample_rate_hz, pan_law=pb.PAN_LAW_MINUS_3_DB, mix_gain_db=-6.0)
    for track in recipe.tracks:
        loudness = loudness_lufs[track.id]
        gain = max(min(-26.0 - loudness, 24.0), -96.0) if loudness > -70.0 else 0.0
        plain.tracks.append(pb.RecipeTrack(id=track.id, source=track.source, gain_db=round(gain, 1)))
    return plain


def compare(one: MixFeatures, other: MixFeatures, *, slack: float = 0.005) -> dict[str, int]:
    """Return for each measured feature 1 where `one` is better, -1 where `other` is, 0 where they are even."""
    verdicts = {}
    for name in FEATURES:
        first, second = getattr(one, name), getattr(other, name)
        if not (math.isnan(first) or math.isnan(second)):
            verdicts[name] = 0 if abs(first - second) <= slack else (1 if first < second else -1)
    return verdicts


def table(rows: Sequence[tuple[str, Judged]]) -> str:
    """Return features and figures of several mixes side by side as text."""
    lines = ["mix".ljust(34) + "".join(name.rjust(16) for name in FEATURES)]
    for label, judged in rows:
        values = (getattr(judged.features, name) for name in FEATURES)
        lines.append(label.ljust(34) + "".join(("–" if math.isnan(v) else f"{v:.3f}").rjust(16) for v in values))
        lines.append("   " + ", ".join(f"{name} {value:.1f}" for name, value in judged.figures.items()))
    return "\n".join(lines)
