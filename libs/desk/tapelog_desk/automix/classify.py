"""What a stem without a name probably is: a few plain scores from what was measured, and how sure they are.

A score is the geometric mean of soft yes-or-no answers, each from one measured figure. It is a rule of thumb that a
person can read and doubt, not a trained model: where the best score is low, or two are close, the answer is unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_desk.automix.bands import CENTRES_HZ
from tapelog_desk.automix.hearing import Heard

SCORE_MIN: Final = 0.45
"""Below it nothing fits well enough to be named."""

LEAD_MIN: Final = 0.08
"""A best score that leads the next by less is no answer."""

CONFIDENCE_MAX: Final = 0.9
"""By ear nothing is certain."""

SOFT_FLOOR: Final = 0.05
"""What a plain no contributes, so that one odd figure lowers a score and does not forbid it."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A role by ear.

    Attributes
    ----------
    name : str
        A name of `roles.ROLES`; ``unknown`` where the sound does not tell.
    confidence : float
        0 to 1: the best score times its lead over the next.
    scores : dict of str to float
        Every score, best first.
    """

    name: str
    confidence: float
    scores: dict[str, float]


def shares(heard: Heard) -> dict[str, float]:
    """Return the share of the power in five ranges."""
    total = heard.bands.sum(axis=0)
    total = total / max(float(total.sum()), 1e-18)
    centres = np.array(CENTRES_HZ)
    ranges = {"low": (0, 130), "bass": (0, 300), "body": (130, 1_000), "mid": (300, 3_500), "high": (3_500, 20_000)}
    return {name: float(total[(centres >= low) & (centres < high)].sum()) for name, (low, high) in ranges.items()}


def _above(value: float, no: float, yes: float) -> float:
    """Return 0 at and below `no`, 1 at and above `yes`, in a straight line between; `no` above `yes` turns it round."""
    return max(SOFT_FLOOR, min((value - no) / (yes - no), 1.0))


Score = Callable[[Heard, dict[str, float]], tuple[float, ...]]


def _kick(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(s["low"], 0.5, 0.8), _above(h.percussive, 0.2, 0.32), _above(h.crest_db, 8, 15),
            _above(h.centroid_hz, 700, 200))  # fmt: skip


def _snare(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(s["low"], 0.15, 0.03), _above(s["high"], 0.6, 0.4), _above(h.crest_db, 15, 20),
            _above(h.flatness, 0.005, 0.05), _above(h.harmonicity, 0.75, 0.5), _above(h.percussive, 0.15, 0.25),
            _above(h.brightness_swing, 1.1, 0.5))  # fmt: skip


def _cymbals(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(s["high"], 0.3, 0.6), _above(h.flatness, 0.05, 0.18), _above(h.harmonicity, 0.6, 0.35),
            _above(h.centroid_hz, 1_200, 3_000))  # fmt: skip


def _toms(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(s["bass"], 0.35, 0.65), _above(s["low"], 0.9, 0.7), _above(h.crest_db, 18, 23),
            _above(h.activity, 0.4, 0.25), _above(h.percussive, 0.1, 0.18), _above(h.centroid_hz, 700, 350),
            _above(h.spread_lu, 3, 8))  # fmt: skip


def _drums(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(h.brightness_swing, 0.4, 1.0), _above(h.flatness, 0.02, 0.08), _above(h.harmonicity, 0.7, 0.4),
            _above(h.crest_db, 13, 18), _above(s["low"], 0.0, 0.1), _above(h.onsets_per_s, 2, 4))  # fmt: skip


def _bass(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(s["bass"], 0.5, 0.85), _above(s["low"], 0.2, 0.5), _above(h.crest_db, 18, 13),
            _above(h.percussive, 0.28, 0.18), _above(h.harmonicity, 0.4, 0.65), _above(h.flatness, 0.02, 0.005),
            _above(h.centroid_hz, 300, 160))  # fmt: skip


def _voice(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(h.harmonicity, 0.4, 0.65), _above(h.brightness_swing, 0.25, 0.7), _above(h.on_grid, 0.9, 0.5),
            _above(s["low"], 0.1, 0.02), _above(h.pitch_hz, 70, 110), _above(h.pitch_hz, 900, 450),
            _above(h.flatness, 0.0005, 0.003), _above(h.flatness, 0.05, 0.02),
            _above(h.centroid_hz, 250, 400), _above(h.percussive, 0.3, 0.2))  # fmt: skip


def _instrument(h: Heard, s: dict[str, float]) -> tuple[float, ...]:
    return (_above(h.harmonicity, 0.4, 0.7), _above(h.on_grid, 0.45, 0.8), _above(h.flatness, 0.02, 0.003),
            _above(s["low"], 0.6, 0.25), _above(h.brightness_swing, 1.0, 0.5), _above(h.crest_db, 24, 19))  # fmt: skip


SCORES: Final[dict[str, Score]] = {
    "kick": _kick,
    "snare": _snare,
    "cymbals": _cymbals,
    "toms": _toms,
    "drum loop": _drums,
    "bass": _bass,
    "voice": _voice,
    "instrument": _instrument,
}
"""What can be told by ear at all. A lead, a piano or an effect is told by its name only."""


def guess_role(heard: Heard) -> Guess:
    """Return what a stem probably is."""
    if heard.is_silent:
        return Guess("unknown", 0.0, {})
    share = shares(heard)
    scores: dict[str, float] = {}
    for name, answers in SCORES.items():
        soft = np.array(answers(heard, share))
        scores[name] = float(np.exp(np.log(soft).mean()))
    scores = dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
    best, second = list(scores.values())[:2]
    confidence = round(min(best * (0.5 + best - second), CONFIDENCE_MAX), 2)
    if best < SCORE_MIN or best - second < LEAD_MIN:
        return Guess("unknown", confidence, scores)
    return Guess(next(iter(scores)), confidence, scores)
