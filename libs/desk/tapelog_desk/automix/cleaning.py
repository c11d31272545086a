"""High-pass filters: as high as the role allows and never into the stem's own sound."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from tapelog_desk.automix.bands import CENTRES_HZ, Floats
from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.strip import Strip

LOWEST_HZ: Final = 25.0
"""A filter below it would do nothing that can be heard."""

FUNDAMENTAL_SHARE: Final = 0.58
"""Of the lowest fundamental or band of the stem, where a cutoff may lie: 12 dB per octave then take 0.47 dB there."""

NOTHING_SHARE: Final = 1e-6
"""Share of the power below the cutoff under which there is nothing to take away (-60 dB)."""

LOSS_MAX_DB: Final = 1.0
"""What a stem may lose in all where bleed is expected; a stem that is nothing but its source loses far less."""

PITCHED: Final = 0.6
"""Harmonicity above which the measured fundamental is believed."""


def response(cutoff_hz: float) -> Floats:
    """Return the power response ``[BANDS]`` of a Butterworth high-pass of 12 dB per octave at the band centres."""
    ratio = (cutoff_hz / np.array(CENTRES_HZ)) ** 4
    answer: Floats = 1.0 / (1.0 + ratio)
    return answer


def clean(strips: Iterable[Strip], limits: Limits) -> None:
    """Give each strip the high-pass of its role where there is something below it."""
    for strip in strips:
        if not strip.heard.is_silent:
            _clean_one(strip, limits)


def _clean_one(strip: Strip, limits: Limits) -> None:
    total = strip.heard.bands.sum(axis=0)
    power = float(total.sum())
    if power <= 0.0:
        return
    below = np.cumsum(total) / power
    own_hz = float(CENTRES_HZ[int(np.argmax(below > strip.role.below_share))])
    guards = {"own energy": FUNDAMENTAL_SHARE * own_hz, "the role": strip.role.high_pass_hz}
    if strip.heard.harmonicity > PITCHED and strip.heard.pitch_low_hz > 0.0:
        guards["the lowest fundamental"] = FUNDAMENTAL_SHARE * strip.heard.pitch_low_hz
    by, cutoff = min(guards.items(), key=lambda item: item[1])
    cutoff = float(round(cutoff))
    kept = float((total * response(cutoff)).sum()) / power
    under = float(below[max(int(np.searchsorted(CENTRES_HZ, cutoff)) - 1, 0)])
    if cutoff < LOWEST_HZ or under < NOTHING_SHARE or kept < 10.0 ** (-LOSS_MAX_DB / 10.0):
        return
    refusal = limits.refuses(strip.words, "high_pass")
    if refusal is not None:
        strip.note("no high-pass", f"{refusal.constraint}: {refusal.statement}", "brief.forbids")
        return
    strip.high_pass_hz = cutoff
    loss = -10.0 * float(np.log10(kept))
    allowed = f"the role allows {strip.role.high_pass_hz:g} Hz, own energy begins in the band at {own_hz:.0f} Hz"
    reason = f"limited by {by}; {allowed}"
    strip.note(f"high-pass {cutoff:g} Hz", f"{reason}; takes {loss:.2f} dB", "highpass.role",
               own_energy_hz=own_hz, pitch_low_hz=strip.heard.pitch_low_hz, loss_db=loss)  # fmt: skip
