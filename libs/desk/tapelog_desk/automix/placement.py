"""Where each stem stands between the loudspeakers."""

import math
import re
from collections.abc import Sequence
from typing import Final

from tapelog_desk.automix.naming import words_of
from tapelog_desk.automix.strip import Strip

PAIR_SPREAD_MIN: Final = 0.7
"""A left and a right belong far apart, whatever their role's spread."""

LOW_HZ: Final = 200.0
HIGH_HZ: Final = 2_000.0
"""Mono sources go out by their brightness: half as far at the first centroid, all the way from the second."""

_SIDE: Final = re.compile(r"(?:^| )(l|left|r|right)(?: |$)")


def side_of(strip: Strip) -> tuple[str, int] | None:
    """Return what a name says without its side, and -1 for left or 1 for right; None if it names no side."""
    for text in (words_of(strip.stem.path.stem), words_of(strip.stem.role)):
        matches = list(_SIDE.finditer(text))
        if matches:
            last = matches[-1]
            rest = re.sub(r"\b[0-9]+\b", "", text[: last.start()] + " " + text[last.end() :])
            return " ".join(rest.split()), -1 if last[1].startswith("l") else 1
    return None


def place(strips: Sequence[Strip]) -> None:
    """Give every strip its pan: pairs first, then the rest so that both sides weigh the same."""
    paired = _place_pairs(strips)
    weight = {-1: 0.0, 1: 0.0}
    for strip in paired:
        weight[-1 if strip.pan < 0 else 1] += _weight(strip)
    free: list[Strip] = []
    for strip in strips:
        if strip in paired or strip.heard.is_silent:
            continue
        if strip.role.is_centred or strip.role.spread == 0.0:
            strip.note("centre", f"a {strip.role.name} stays in the middle", "pan.centre")
        elif not strip.is_mono:
            strip.note("own stereo picture", f"side against mid {strip.heard.width_db:.1f} dB", "pan.stereo",
                       width_db=strip.heard.width_db, balance_db=strip.heard.balance_db)  # fmt: skip
        else:
            free.append(strip)
    for strip in sorted(free, key=lambda one: (-round(_weight(one), 9), one.id)):
        _spread(strip, weight)


def _place_pairs(strips: Sequence[Strip]) -> list[Strip]:
    sides: dict[str, dict[int, Strip]] = {}
    for strip in strips:
        side = side_of(strip)
        if side is not None and strip.is_mono and not strip.heard.is_silent:
            sides.setdefault(side[0], {})[side[1]] = strip
    paired: list[Strip] = []
    for both in sides.values():
        if len(both) < 2:
            continue
        for sign, strip in sorted(both.items()):
            strip.pan = sign * max(strip.role.spread, PAIR_SPREAD_MIN)
            strip.note(f"pan {strip.pan:+g}", f"one of a pair with {both[-sign].id}", "pan.pair")
            paired.append(strip)
    return paired


def _weight(strip: Strip) -> float:
    """Return what a stem weighs on its side: its power in the mix where it is not bass."""
    power = strip.heard.bands[:, 9:].sum() / max(float(strip.heard.bands.sum()), 1e-18)
    return float(10.0 ** ((strip.heard.integrated_lufs + strip.gain_db) / 10.0) * power * strip.heard.activity)


def _spread(strip: Strip, weight: dict[int, float]) -> None:
    octaves = math.log2(max(strip.heard.centroid_hz, 1.0) / LOW_HZ) / math.log2(HIGH_HZ / LOW_HZ)
    far = strip.role.spread * (0.5 + 0.5 * min(max(octaves, 0.0), 1.0))
    # Against the heavier side; where both weigh the same, to the left.
    side = 1 if weight[-1] > weight[1] else -1
    strip.pan = side * round(far, 2)
    weight[side] += _weight(strip) * abs(strip.pan)
    strip.note(f"pan {strip.pan:+g}", f"spread up to {strip.role.spread:g}, centroid {strip.heard.centroid_hz:.0f} Hz, "
               f"to the side that weighs less", "pan.spread", centroid_hz=strip.heard.centroid_hz)  # fmt: skip
