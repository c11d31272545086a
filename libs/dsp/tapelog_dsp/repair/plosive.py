"""Plosives: breath that hits the microphone on P and B, a thump below 150 Hz in a voice that has little there.

Found where the low band suddenly outweighs everything else in a signal whose low band is otherwise quiet; a kick drum,
a bass or a full mix has its low band all the time or is nothing else, and is left alone. The repair takes the low band
out for as long as the thump lasts, with raised-cosine edges; everything else keeps its exact value.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.design.butterworth import butterworth
from tapelog_dsp.kernels import recursion
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.report import Finding, RepairReport, Span, confidence, untouched
from tapelog_dsp.repair.runs import runs
from tapelog_dsp.repair.store import Store, as_store, blocks, copy, difference, mended, row_of
from tapelog_dsp.repair.windows import hann

STEP_S: Final = 0.01
STEPS_AT_A_TIME: Final = 256
SHORTEST_S: Final = 0.02
LONGEST_S: Final = 0.25
FADE_S: Final = 0.02
QUIETEST: Final = 1e-5  # mean square of a thump: -50 dBFS
OVER_REST: Final = 4.0  # 6 dB over the rest of the spectrum
OVER_USUAL: Final = 100.0  # 20 dB over the low band's usual level
USUAL_SHARE: Final = 0.03  # a voice's low band lies at least 15 dB under the rest
LOW_TIME_MAX: Final = 0.08  # of the active time
ACTIVE_SHARE: Final = 0.2  # of the whole time: a drum stem is silent between its hits
ACTIVE_BELOW_LOUD: Final = 1e-4  # active: less than 40 dB under the loud moments
DEEP_HZ: Final = 80.0
"""A deep voice fills the usual low band; what is under this one is still none of its own."""

DEEP_SHARE: Final = 0.01
"""Of the usual level there: 20 dB under the rest, for toms and breakbeats have 14 to 19."""


@dataclass(frozen=True, slots=True)
class PlosiveSettings:
    """Where the thump ends and the voice begins.

    Parameters
    ----------
    crossover_hz : float
        80 to 200 Hz; for a deep voice `DEEP_HZ` is tried too.
    """

    crossover_hz: float = default("PlosiveSettings", "crossover_hz")

    def __post_init__(self) -> None:
        declared(self)


def _low_band(store: Store, channel: int, sample_rate: int, crossover_hz: float) -> Store:
    """Return the low band of a channel without delay: the filter runs forwards, then backwards."""
    sections = butterworth(crossover_hz, 12, sample_rate, highpass=False)
    low, state = store.new(1), recursion.sos_state(len(sections), 1)
    for start, block in blocks(store):
        low.write(start, recursion.sos(sections, state, np.ascontiguousarray(block[channel : channel + 1])))
    state = recursion.sos_state(len(sections), 1)
    step = store.block_frames
    for start in range((store.frames - 1) // step * step, -1, -step):
        forwards = low.read(start, min(start + step, store.frames))
        backwards = recursion.sos(sections, state, np.ascontiguousarray(forwards[:, ::-1]))
        low.write(start, backwards[:, ::-1])
    return low


def _powers(store: Store, low: Store, step: int) -> tuple[Float64s, Float64s]:
    """Return the mean square of whole steps of the low band, and of the rest."""
    parts: tuple[list[Float64s], list[Float64s]] = ([], [])
    for start in range(0, store.frames // step * step, STEPS_AT_A_TIME * step):
        stop = min(start + STEPS_AT_A_TIME * step, store.frames // step * step)
        below, whole = (one.read(start, stop)[0].reshape(-1, step) for one in (low, store))
        for part, values in zip(parts, (below, whole - below), strict=True):
            part.append(np.square(values).sum(axis=1) / step)
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def detect(samples: Audio, sample_rate: int, settings: PlosiveSettings | None = None) -> Finding:
    """Look for plosives.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : PlosiveSettings, optional
        Where the voice begins.

    Returns
    -------
    Finding
        Evidence: ``plosives``, ``low_band_share`` (usual power of the low band over the rest), ``low_time_share``. A
        span's strength is the low band's power over its usual one. ``detail`` is the crossover in Hz: the settings', or
        `DEEP_HZ` for a voice that is too deep for that.
    """
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: PlosiveSettings | None = None) -> Finding:
    """Look for plosives in a store; see `detect`."""
    crossover_hz = (settings or PlosiveSettings()).crossover_hz
    mono, heard = store.new(1), False
    for start, block in blocks(store):
        heard = heard or bool(block.any())
        mono.write(start, (block.sum(axis=0) / store.channels)[None])
    try:
        if mono.frames < 100 * round(STEP_S * sample_rate) or not heard:
            return Finding("plosive", present=False, confidence=0.0)
        found = _below(mono, sample_rate, crossover_hz, USUAL_SHARE)
        if found.present or crossover_hz <= DEEP_HZ:
            return found
        deep = _below(mono, sample_rate, DEEP_HZ, DEEP_SHARE)
        return deep if deep.present else found
    finally:
        mono.close()


def _below(mono: Store, sample_rate: int, crossover_hz: float, share_max: float) -> Finding:
    """Look for plosives below a crossover, in a voice that usually has so small a share there."""
    step = round(STEP_S * sample_rate)
    low = _low_band(mono, 0, sample_rate, crossover_hz)
    low_power, rest_power = _powers(mono, low, step)
    low.close()
    active = rest_power > ACTIVE_BELOW_LOUD * np.quantile(rest_power, 0.95)
    if not active.any():
        return Finding("plosive", present=False, confidence=0.0)
    usual = float(np.median(low_power[active]))
    share = usual / (float(np.median(rest_power[active])) + 1e-30)
    over = (low_power > OVER_REST * rest_power) & (low_power > OVER_USUAL * usual) & (low_power > QUIETEST)
    time_share = float(over.sum()) / float(active.sum())
    spans = tuple(
        Span(0, a * step, (b - a) * step, float(low_power[a:b].max()) / (usual + 1e-30))
        for a, b in runs(over)
        if SHORTEST_S <= (b - a) * STEP_S <= LONGEST_S
    )
    voice_like = share <= share_max and time_share <= LOW_TIME_MAX and float(active.mean()) >= ACTIVE_SHARE
    present = voice_like and bool(spans)
    evidence = {"plosives": float(len(spans)), "low_band_share": share, "low_time_share": time_share}
    sure = confidence(share_max / (share + 1e-9), 1.0) if present else 0.0
    return Finding("plosive", present, sure, evidence, spans if present else (), detail=crossover_hz)


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: PlosiveSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Take the low band out while a plosive lasts.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : PlosiveSettings, optional
        Where the voice begins.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), mend)


def mend(store: Store, sample_rate: int, finding: Finding) -> tuple[Store, RepairReport]:
    """Take the low band of a store out while a plosive lasts; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "no thump in a voice")
    fade = round(FADE_S * sample_rate)
    rise = hann(2 * fade)[:fade]
    places = [
        (max(0, s.start_frame - fade), min(store.frames, s.start_frame + s.length_frames + fade)) for s in finding.spans
    ]
    result = copy(store)
    for channel in range(store.channels):
        low = _low_band(store, channel, sample_rate, finding.detail)
        for start, end in _together(places):
            share = np.zeros(end - start)
            for first, last in (place for place in places if start <= place[0] < end):
                bump = np.ones(last - first)
                bump[:fade] = rise[: bump[:fade].size]
                bump[-fade:] = np.minimum(bump[-fade:], rise[::-1][-bump[-fade:].size :])
                own = share[first - start : last - start]
                np.maximum(own, bump, out=own)
            row = row_of(store, channel, start, end)
            lowered = row - share * low.read(start, end)[0]
            result.write(start, np.where(share > 0.0, lowered, row)[None], channel=channel)
        low.close()
    strongest_db = 10.0 * math.log10(max(span.strength for span in finding.spans))
    reason = f"{len(finding.spans)} plosives lowered, the strongest {strongest_db:.0f} dB over the voice's low band"
    return result, difference(store, result).report(finding, reason, spans=len(finding.spans))


def _together(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return places that overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in places:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
