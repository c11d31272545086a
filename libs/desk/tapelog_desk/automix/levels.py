"""Faders: from the loudness of each stem where it plays to the loudness its role asks for."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tapelog_desk.automix.bands import Floats
from tapelog_desk.automix.roles import FAMILY_MAX_LU
from tapelog_desk.automix.strip import Strip

REFERENCE_LUFS: Final = -24.0
"""Loudness of the lead on its track; the mix then lands near -20 LUFS by itself."""

LEAD_LOW_LU: Final = -2.0
LEAD_HIGH_LU: Final = 0.0
"""The lead against everything else, while it plays."""

LEAD_MOVE_MAX_DB: Final = 6.0
FADER_LOW_DB: Final = -60.0
FADER_HIGH_DB: Final = 24.0


class Loudness:
    """What a stem's loudness is over time at a fader of 0 dB.

    Parameters
    ----------
    integrated_lufs : float
        Gated.
    momentary_lufs : ndarray [shape=(steps,)]
        Every 100 ms.
    """

    def __init__(self, integrated_lufs: float, momentary_lufs: Floats) -> None:
        self.integrated_lufs = integrated_lufs
        gate = max(integrated_lufs - 20.0, -70.0)
        heard = momentary_lufs > gate
        self.power = np.where(heard, 10.0 ** (np.where(heard, momentary_lufs, 0.0) / 10.0), 0.0)

    def at(self, gain_db: float, steps: int) -> Floats:
        """Return the power in each step at a fader's position, filled up with silence."""
        power = np.zeros(steps)
        power[: min(self.power.size, steps)] = self.power[:steps]
        louder: Floats = power * 10.0 ** (gain_db / 10.0)
        return louder


def mean_lufs(power: Floats, where: Floats | None = None) -> float:
    """Return the loudness of powers where something plays (or where another does); minus infinity for nothing."""
    chosen = power[(power if where is None else where) > 0.0]
    mean = float(chosen.mean()) if chosen.size else 0.0
    return 10.0 * math.log10(mean) if mean > 0.0 else -math.inf


def set_faders(strips: Sequence[Strip], loudness: Mapping[str, Loudness]) -> None:
    """Set every fader: role, then sharing among stems of a role, then families, then the lead against the rest.

    Parameters
    ----------
    strips : sequence of Strip
        Their faders are set; their moves are noted.
    loudness : mapping of str to Loudness
        By track, as it leaves its chain and pan at a fader of 0 dB.
    """
    playing = [strip for strip in strips if loudness[strip.id].integrated_lufs > -70.0]
    for strip in strips:
        if strip not in playing:
            strip.gain_db = 0.0
            strip.note("fader 0 dB", "nothing of it passes the loudness gate: it is silent", "level.silent")
    steps = max((loudness[strip.id].power.size for strip in playing), default=0)
    for strip in playing:
        _by_role(strip, playing, loudness, steps)
    for family, highest in FAMILY_MAX_LU.items():
        _by_family([strip for strip in playing if strip.role.family == family], highest, loudness, steps)
    _lead(playing, loudness, steps)
    for strip in playing:
        strip.gain_db = max(min(round(strip.gain_db, 1), FADER_HIGH_DB), FADER_LOW_DB)
        lands = loudness[strip.id].integrated_lufs + strip.gain_db
        reason = f"so that it is at {lands:.1f} LUFS where it plays{', before its cuts' if strip.cuts else ''}"
        strip.note(f"fader {strip.gain_db:+.1f} dB", reason, "level.role",
                   loudness_lufs=loudness[strip.id].integrated_lufs, lands_lufs=lands)  # fmt: skip


def _by_role(strip: Strip, playing: Sequence[Strip], loudness: Mapping[str, Loudness], steps: int) -> None:
    own = loudness[strip.id]
    together = np.zeros(steps)
    for other in playing:
        if other.role is strip.role:
            together += loudness[other.id].at(0.0, steps) > 0.0
    count = float(together[own.at(0.0, steps) > 0.0].mean()) if own.power.any() else 1.0
    share_db = 10.0 * math.log10(max(count, 1.0))
    strip.gain_db = REFERENCE_LUFS + strip.role.target_lu - share_db - own.integrated_lufs
    strip.note(f"aim {strip.role.target_lu:+g} LU against the lead", f"a {strip.role.name}'s loudness; measured "
               f"{own.integrated_lufs:.1f} LUFS where it plays", "level.role",
               loudness_lufs=own.integrated_lufs)  # fmt: skip
    if share_db >= 0.5:
        strip.note(f"{-share_db:.1f} dB", f"{count:.1f} stems of the role {strip.role.name} play at once on average",
                   "level.share", stems_at_once=count)  # fmt: skip


def _by_family(family: Sequence[Strip], highest_lu: float, loudness: Mapping[str, Loudness], steps: int) -> None:
    # A lead instrument is the lead, not part of its family's backing.
    backing = [strip for strip in family if "lead" not in strip.role.tags]
    if len(backing) < 2:
        return
    total = np.zeros(steps)
    for strip in backing:
        total += loudness[strip.id].at(strip.gain_db, steps)
    found = mean_lufs(total) - REFERENCE_LUFS
    over = found - highest_lu
    if over < 0.5:
        return
    for strip in backing:
        strip.gain_db -= over
        together = f"all {len(backing)} stems of {strip.role.family} together are at {found:+.1f} LU "
        strip.note(f"{-over:.1f} dB", f"{together}"
                   f"against the lead, at most {highest_lu:+g} is wanted", "level.family", family_lu=found)  # fmt: skip


def _lead(playing: Sequence[Strip], loudness: Mapping[str, Loudness], steps: int) -> None:
    vocal = [strip for strip in playing if strip.role.name == "lead vocal"]
    leads = vocal or [strip for strip in playing if "lead" in strip.role.tags]
    if not leads or len(leads) == len(playing):
        return
    front, back = np.zeros(steps), np.zeros(steps)
    for strip in playing:
        power = loudness[strip.id].at(strip.gain_db, steps)
        if strip in leads:
            front += power
        else:
            back += power
    against = mean_lufs(front) - mean_lufs(back, front)
    if not math.isfinite(against):
        return
    move = min(max(against, LEAD_LOW_LU), LEAD_HIGH_LU) - against
    move = max(min(move, LEAD_MOVE_MAX_DB), -LEAD_MOVE_MAX_DB)
    for strip in leads:
        strip.gain_db += move
        reason = (
            f"it stands {against:+.1f} LU against everything else while it plays; "
            f"{LEAD_LOW_LU:+g} to {LEAD_HIGH_LU:+g} is wanted"
        )
        strip.note(f"{move:+.1f} dB", reason, "level.lead", lead_to_backing_lu=against)
