"""Compressors, where the level of a stem wanders more than its role should, or its hits stand far over its body."""

from collections.abc import Iterable
from typing import Final

from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.strip import Strip

REDUCTION_MAX_DB: Final = 4.0
"""Aim at loud passages of what is played or sung: a first mix is not squeezed."""

HIT_REDUCTION_MAX_DB: Final = 6.0
"""Aim at loud hits: their peaks are what stands between the mix and its loudness."""


def level_out(strips: Iterable[Strip], limits: Limits) -> None:
    """Give a compressor to each strip whose role calls for one and whose measure says so."""
    for strip in strips:
        if not strip.heard.is_silent and strip.role.dynamics.ratio > 1.0:
            _level_one(strip, limits)


def _level_one(strip: Strip, limits: Limits) -> None:
    role, own, heard = strip.role, strip.role.dynamics, strip.heard
    over_lu, over_db = heard.spread_lu - own.spread_max_lu, heard.crest_db - own.crest_max_db
    if over_lu <= 0.0 and over_db <= 0.0:
        return
    refusal = limits.refuses(strip.words, "compressor")
    if refusal is not None:
        strip.note("no compressor", f"{refusal.constraint}: {refusal.statement}", "brief.forbids")
        return
    is_hit = over_lu <= 0.0
    highest = HIT_REDUCTION_MAX_DB if is_hit else REDUCTION_MAX_DB
    reduction = min(1.5 + 0.5 * (over_db if is_hit else over_lu), highest)
    # A peak that is x over the threshold comes out x / ratio over it.
    threshold = heard.loud_peak_dbfs - reduction * own.ratio / (own.ratio - 1.0)
    strip.threshold_db = max(min(round(threshold, 1), 0.0), -80.0)
    if not is_hit:
        reason = f"its level wanders by {heard.spread_lu:.1f} LU, {own.spread_max_lu:g} is wanted of a {role.name}"
        rule = "comp.spread"
    else:
        reason = f"its hits are {heard.crest_db:.1f} dB over its body, {own.crest_max_db:g} is wanted of a {role.name}"
        rule = "comp.crest"
    strip.note(f"compressor {own.ratio:g}:1 at {strip.threshold_db:g} dB",
               f"{reason}; about {reduction:.1f} dB off the loud peaks ({heard.loud_peak_dbfs:.1f} dBFS)", rule,
               spread_lu=heard.spread_lu, crest_db=heard.crest_db, loud_peak_dbfs=heard.loud_peak_dbfs)  # fmt: skip
