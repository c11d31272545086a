"""The mix bus: its highest peaks, and its fader."""

import math
from collections.abc import Sequence
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.errors import BriefError
from tapelog_desk.automix.strip import Move, Strip

LOUDNESS_LUFS: Final = -20.0
TRUE_PEAK_MAX_DBTP: Final = -6.0
"""Of a first mix without a brief: room for the engineer, and for mastering."""

MIX_GAIN_LOW_DB: Final = -60.0
MIX_GAIN_HIGH_DB: Final = 24.0
MARGIN_DB: Final = 0.05
"""Below a peak limit, so that the rounding of the fader to 0.1 dB cannot pass it."""

TAME_RATIO: Final = 4.0
TAME_ATTACK_MS: Final = 0.2
TAME_RELEASE_MS: Final = 60.0
TAME_MAX_DB: Final = 4.0
TAME_MIN_DB: Final = 0.5
"""How much a compressor may take off the highest peak, and what is not worth one."""


def tame(heard: dsp.Measurement, strips: Sequence[Strip], limits: Limits) -> tuple[list[pb.Processor], list[Move]]:
    """Return a compressor for the highest peaks where they keep the mix from its loudness, and why.

    Parameters
    ----------
    heard : Measurement
        The mix without it, its fader at 0 dB.
    strips : sequence of Strip
        Whose sound it would be.
    limits : Limits
        The brief.
    """
    peak, loudness = heard.true_peak.max_dbtp, heard.loudness.integrated_lufs
    wanted = TRUE_PEAK_MAX_DBTP - LOUDNESS_LUFS
    over = peak - loudness - wanted
    if over < TAME_MIN_DB:
        return [], []
    refusal = limits.refuses_on_mix([strip.words for strip in strips], "compressor")
    if refusal is not None:
        return [], [Move("mix", "no compressor", f"{refusal.constraint}: {refusal.statement}", "brief.forbids")]
    reduction = min(over, TAME_MAX_DB)
    threshold = max(min(round(peak - reduction * TAME_RATIO / (TAME_RATIO - 1.0), 1), 0.0), -80.0)
    compressor = pb.Compressor(
        threshold_db=threshold, ratio=TAME_RATIO, attack_ms=TAME_ATTACK_MS, release_ms=TAME_RELEASE_MS
    )
    reason = (
        f"the highest peak is {peak - loudness:.1f} dB over the loudness, {wanted:g} is wanted; "
        f"about {reduction:.1f} dB off it"
    )
    move = Move("mix", f"compressor {TAME_RATIO:g}:1 at {threshold:g} dB", reason, "comp.mix",
                {"peak_to_loudness_lu": round(peak - loudness, 2)})  # fmt: skip
    return [pb.Processor(compressor=compressor)], [move]


def mix_fader(loudness: float, peak: float, range_lu: float, limits: Limits) -> tuple[float, list[Move]]:
    """Return the mix's fader and why.

    Raises
    ------
    BriefError
        Loudness and peak that the brief asks for exclude each other, or the mix moves less than it asks for.
    """
    low, high = limits.loudness()
    asked_peak = limits.true_peak_max()
    ceiling = min(TRUE_PEAK_MAX_DBTP, math.inf if asked_peak is None else asked_peak)
    aim = min(max(LOUDNESS_LUFS, -math.inf if low is None else low), math.inf if high is None else high)
    gain = min(aim - loudness, ceiling - MARGIN_DB - peak)
    if low is not None and loudness + gain < low:
        # The brief's loudness goes before the house's headroom, never before the brief's own ceiling.
        ceiling = -1.0 if asked_peak is None else asked_peak
        gain = min(low + MARGIN_DB - loudness, ceiling - MARGIN_DB - peak)
    gain = max(min(math.floor(gain * 10.0) / 10.0, MIX_GAIN_HIGH_DB), MIX_GAIN_LOW_DB)
    if low is not None and low - 0.1 <= loudness + gain < low:
        gain = round(gain + 0.1, 1)
    broken = [
        f"{loudness + gain:.1f} LUFS at {peak + gain:.1f} dBTP, asked are at least {low} LUFS"
        if low is not None and loudness + gain < low
        else "",
        f"{loudness + gain:.1f} LUFS, asked are at most {high}" if high is not None and loudness + gain > high else "",
        f"{peak + gain:.1f} dBTP, asked are at most {asked_peak}"
        if asked_peak is not None and peak + gain > asked_peak
        else "",
        f"a loudness range of {range_lu:.1f} LU, asked are at least {limits.range_min_lu():g}"
        if range_lu < limits.range_min_lu()
        else "",
    ]
    if any(broken):
        remedy = "compress by hand, or amend the brief"
        raise BriefError("BRIEF_UNMET", f"the mix has {'; '.join(filter(None, broken))}", remedy)
    by = "the aim" if loudness + gain > aim - 0.15 else f"its peaks: {peak + gain:.1f} dBTP, at most {ceiling:g}"
    reason = f"{loudness + gain:.1f} LUFS and {peak + gain:.1f} dBTP; {aim:g} LUFS is the aim, limited by {by}"
    measured = {"integrated_lufs": round(loudness, 2), "true_peak_dbtp": round(peak, 2)}
    rule = "mix.headroom" if (low, high, asked_peak) == (None, None, None) else "brief.limits"
    return gain, [Move("mix", f"mix fader {gain:+.1f} dB", reason, rule, measured)]
