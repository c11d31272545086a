"""Dropouts and silence: places where the signal is cut to nothing and comes back.

A dropout is digital silence of 1 to 250 ms that begins and ends at full level; an edit fades, a pause is longer. Short
ones are filled by a long autoregressive model (order 512 at 44.1 kHz, from 93 ms on both sides; Janssen, Veldhuis and
Vries 1986; the least-squares filling decays towards the middle of a gap that is too long for it, so it does not invent
energy). Long ones are reported only.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels import autoregression as ar
from tapelog_dsp.repair.report import Finding, RepairReport, Span, untouched
from tapelog_dsp.repair.runs import runs
from tapelog_dsp.repair.store import ArrayStore, Store, as_store, copy, difference, mended, padded, row_of
from tapelog_dsp.repair.windows import hann

ZERO: Final = 0.5 / 32768.0  # what a 16-bit file calls zero
SHORTEST_S: Final = 0.001
LONGEST_S: Final = 0.25
EDGE_S: Final = 0.002
AROUND_S: Final = 0.02
EDGE_LEVEL: Final = 0.003  # -50 dBFS
EDGE_SHARE: Final = 0.3  # of the level around: an edit's fade is below it
CONTEXT_S: Final = 0.093
ORDER_S: Final = 0.0116
SILENCE_STEP_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class DropoutSettings:
    """What is filled.

    Parameters
    ----------
    longest_fill_ms : float
        Longer dropouts are reported and left alone, 1 to 60 ms.
    """

    longest_fill_ms: float = default("DropoutSettings", "longest_fill_ms")

    def __post_init__(self) -> None:
        declared(self)


def _rms(part: Audio) -> float:
    return math.sqrt(float(np.square(part).sum()) / max(part.size, 1))


def detect(samples: Audio, sample_rate: int, settings: DropoutSettings | None = None) -> Finding:
    """Look for dropouts, which hit all channels at once.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : DropoutSettings, optional
        What would be filled; the detector finds longer ones too.

    Returns
    -------
    Finding
        Evidence: ``dropouts``, ``longest_ms``. A span's channel is 0, its strength the level around it over 0.003.
    """
    del settings
    return look(as_store(samples, sample_rate), sample_rate)


def look(store: Store, sample_rate: int) -> Finding:
    """Look for dropouts in a store; see `detect`."""
    spans = [span for start in range(0, store.frames, store.block_frames) for span in _spans(store, start, sample_rate)]
    longest = max((span.length_frames for span in spans), default=0)
    evidence = {"dropouts": float(len(spans)), "longest_ms": 1_000.0 * longest / sample_rate}
    return Finding("dropout", bool(spans), 1.0 if spans else 0.0, evidence, tuple(spans))


def _spans(store: Store, begun: int, sample_rate: int) -> Iterator[Span]:
    """Yield the dropouts that begin within the block from `begun` on."""
    edge, around = round(EDGE_S * sample_rate), round(AROUND_S * sample_rate)
    margin, reach = round(CONTEXT_S * sample_rate) // 2, math.ceil(2.0 * LONGEST_S * sample_rate)
    first = begun - around - 1
    samples = padded(store, first, begun + store.block_frames + reach)
    for start, end in runs((np.abs(samples) <= ZERO).all(axis=0)):
        if not SHORTEST_S * sample_rate <= end - start <= LONGEST_S * sample_rate:
            continue
        if not begun <= first + start < begun + store.block_frames:
            continue
        if first + start < margin or first + end > store.frames - margin:
            continue
        before, after = _rms(samples[:, start - edge : start]), _rms(samples[:, end : end + edge])
        wide = _rms(samples[:, start - around : start]), _rms(samples[:, end : end + around])
        if min(before, after) >= EDGE_LEVEL and before >= EDGE_SHARE * wide[0] and after >= EDGE_SHARE * wide[1]:
            yield Span(0, first + start, end - start, min(before, after) / EDGE_LEVEL)


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: DropoutSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Fill the short dropouts.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : DropoutSettings, optional
        What is filled.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    longest_fill_ms = (settings or DropoutSettings()).longest_fill_ms
    acting = functools.partial(mend, longest_fill_ms=longest_fill_ms)
    return mended(samples, sample_rate, finding or detect(samples, sample_rate), acting)


def mend(
    store: Store,
    sample_rate: int,
    finding: Finding,
    *,
    longest_fill_ms: float = default("DropoutSettings", "longest_fill_ms"),
) -> tuple[Store, RepairReport]:
    """Fill the short dropouts of a store; see `repair`."""
    short = [s for s in finding.spans if s.length_frames <= longest_fill_ms * 1e-3 * sample_rate]
    if not short:
        found = f"{len(finding.spans)} dropouts, all too long to fill" if finding.spans else "no dropouts"
        return store, untouched(finding, found)
    result = copy(store)
    filled = 0
    for span in short:
        done = [
            _fill(result, channel, span.start_frame, span.length_frames, sample_rate)
            for channel in range(store.channels)
        ]
        filled += any(done)
    reason = f"{filled} of {len(finding.spans)} dropouts filled"
    return result, difference(store, result).report(finding, reason, spans=filled)


def _fill(store: Store, channel: int, start: int, length: int, sample_rate: int) -> bool:
    context, order = round(CONTEXT_S * sample_rate), round(ORDER_S * sample_rate)
    first, last = max(0, start - context), min(store.frames, start + length + context)
    stretch = row_of(store, channel, first, last).copy()
    before, after = stretch[: start - first], stretch[start + length - first :]
    if min(before.size, after.size) <= order:
        return False
    # The halves of a window that are largest at the gap.
    rising, falling = hann(2 * before.size)[: before.size], hann(2 * after.size)[after.size :]
    correlation = ar.autocorrelation(before * rising, order) + ar.autocorrelation(after * falling, order)
    if correlation[0] <= 0.0:
        return False
    correlation[0] *= 1.0 + 1e-7
    model, _ = ar.levinson(correlation, order)
    if not ar.fill(stretch, model, np.arange(start - first, start - first + length, dtype=np.int64)):
        return False
    store.write(start, stretch[None, start - first : start - first + length], channel=channel)
    return True


def find_silences(
    samples: Audio, sample_rate: int, *, threshold_dbfs: float = -70.0, shortest_s: float = 0.5
) -> tuple[Span, ...]:
    """Return the stretches in which every 10 ms, on all channels, stay below a level.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    threshold_dbfs : float
        Root-mean-square level of 10 ms.
    shortest_s : float
        Shorter pauses are not returned.

    Returns
    -------
    tuple of Span
        On channel 0; the strength is the stretch's root-mean-square level, linear.
    """
    return silences(ArrayStore(valid_audio(samples)), sample_rate, threshold_dbfs=threshold_dbfs, shortest_s=shortest_s)


def silences(
    store: Store, sample_rate: int, *, threshold_dbfs: float = -70.0, shortest_s: float = 0.5
) -> tuple[Span, ...]:
    """Return the silent stretches of a store; see `find_silences`."""
    step = round(SILENCE_STEP_S * sample_rate)
    whole, length = store.frames // step * step, max(store.block_frames // step, 1) * step
    found = []
    for start in range(0, whole, length):
        parts = store.read(start, min(start + length, whole)).reshape(store.channels, -1, step)
        found.append(np.square(parts).sum(axis=2).max(axis=0, initial=0.0) / step)
    power = np.concatenate(found) if found else np.zeros(0)
    spans = []
    for start, end in runs(power < 10.0 ** (threshold_dbfs / 10.0)):
        if (end - start) * step >= shortest_s * sample_rate:
            level = math.sqrt(float(power[start:end].sum()) / (end - start))
            spans.append(Span(0, start * step, (end - start) * step, level))
    return tuple(spans)
