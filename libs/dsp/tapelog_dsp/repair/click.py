"""Clicks and crackle: short events that an autoregressive model of the audio around them cannot explain.

Detection: prediction residual of an AR model (order 32, 46 ms windows) against its robust spread, neighbours fused
(Godsill and Rayner, "Digital Audio Restoration", 1998, chapters 5 and 6). Three tests keep transients of music out:
an event is short; the residual just after it is as quiet as just before it (a drum goes on, a click does not); and a
filling made from both sides explains the samples after it (a note that starts there would not be explained).
A file is touched only when some events are beyond doubt (anchors); then weaker events count as well.
Filling: least-squares AR interpolation (Janssen, Veldhuis and Vries, IEEE Trans. ASSP 34(2), 1986).
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels import autoregression as ar
from tapelog_dsp.kernels.call import Float64s, Int64s
from tapelog_dsp.repair.report import Finding, RepairReport, Span, confidence, untouched
from tapelog_dsp.repair.runs import groups
from tapelog_dsp.repair.store import Store, as_store, copy, difference, mended, row_of
from tapelog_dsp.repair.windows import hann

WINDOW_S: Final = 0.0464
ORDER: Final = 128
CONTEXT_S: Final = 0.002  # what stands before and after an event has to be this long
FUSE_S: Final = 0.00035
LONGEST_S: Final = 0.0025
QUIETEST: Final = 1e-4  # a window that stays below -80 dBFS is not searched
FLOOR: Final = 1e-5  # added to every spread: a third of a 16-bit step, so that digital silence is not infinitely quiet
EDGE_SHARE: Final = 0.4  # an event reaches as far as the residual stays above this share of the threshold
PASSES: Final = 3
WINDOWS_AT_A_TIME: Final = 128
"""Searched before the next are read: 3 s."""

ANCHOR_SPREADS: Final = 50.0
ANCHOR_ISOLATION: Final = 30.0
ANCHOR_HEIGHT: Final = 0.5  # of the local level: a quieter click is masked, and no proof of a damaged file
ANCHORS_GATE: Final = 3


@dataclass(frozen=True, slots=True)
class ClickSettings:
    """What counts as a click in a file that has clicks.

    Parameters
    ----------
    threshold : float
        Residual over its robust spread, 4 to 50.
    isolation : float
        Residual over the level just before and just after, 3 to 50.
    explained : float
        How many times smaller the residual has to be after the filling, 1.5 to 20.
    """

    threshold: float = default("ClickSettings", "threshold")
    isolation: float = default("ClickSettings", "isolation")
    explained: float = default("ClickSettings", "explained")

    def __post_init__(self) -> None:
        declared(self)


@dataclass(frozen=True, slots=True)
class _Event:
    start: int
    end: int
    spreads: float
    isolation: float
    explained: float
    height: float
    filling: Float64s

    @property
    def is_anchor(self) -> bool:
        return self.spreads >= ANCHOR_SPREADS and self.isolation >= ANCHOR_ISOLATION and self.height >= ANCHOR_HEIGHT


class _Searcher:
    """Searches one channel; the windows stand on a grid that starts at frame 0."""

    def __init__(self, sample_rate: int, settings: ClickSettings) -> None:
        self.settings = settings
        self.length = 2 * round(0.5 * WINDOW_S * sample_rate)
        self.context = round(CONTEXT_S * sample_rate)
        self.fuse = round(FUSE_S * sample_rate)
        self.longest = round(LONGEST_S * sample_rate)
        self.margin = 4 * self.context + ORDER + self.longest

    def search(self, store: Store, channel: int) -> list[_Event]:
        reach, hop = self.length + self.margin, self.length // 2
        events: list[_Event] = []
        for begun in range(-hop // 2, store.frames, WINDOWS_AT_A_TIME * hop):
            wide = row_of(store, channel, begun - reach, begun + WINDOWS_AT_A_TIME * hop + reach)
            for start in range(begun, min(begun + WINDOWS_AT_A_TIME * hop, store.frames), hop):
                offset = start - self.margin
                place = offset - begun + reach
                for event in self._window(wide[place : place + self.length + 2 * self.margin]):
                    # The first and the last moments have no context on one side.
                    first, last = event.start + offset - self.margin, event.end + offset + self.margin
                    if first >= 0 and last <= store.frames:
                        events.append(replace(event, start=event.start + offset, end=event.end + offset))
        return events

    def _window(self, stretch: Float64s) -> list[_Event]:
        """Return the events whose peak lies in the middle half of the window; ``stretch`` has a margin around it."""
        middle = stretch[self.margin : self.margin + self.length]
        if np.abs(middle).max() < QUIETEST:
            return []
        correlation = ar.autocorrelation(middle * hann(self.length), ORDER)
        correlation[0] *= 1.0 + 1e-9
        model, _ = ar.levinson(correlation, ORDER)
        residual = np.abs(np.concatenate((np.zeros(ORDER), ar.residual(stretch, model))))
        spread = float(np.median(residual[self.margin : self.margin + self.length])) / 0.6745 + FLOOR
        low, high = self.margin + self.length // 4, self.margin + 3 * self.length // 4
        near = slice(low - self.longest, high + self.longest)
        hot = np.flatnonzero(residual[near] > EDGE_SHARE * self.settings.threshold * spread) + near.start
        events = []
        for group in groups(hot, self.fuse):
            event = self._judge(stretch, residual, model, spread=spread, start=int(group[0]), end=int(group[-1]) + 1)
            peak = int(group[0]) + int(np.argmax(residual[group[0] : group[-1] + 1]))
            if event is not None and low <= peak < high:
                events.append(event)
        return events

    def _judge(
        self, stretch: Float64s, residual: Float64s, model: Float64s, *, spread: float, start: int, end: int
    ) -> _Event | None:
        peak = float(residual[start:end].max())
        if peak < self.settings.threshold * spread or end - start > self.longest:
            return None
        around = (
            residual[start - self.context - 2 : start - 2],
            residual[end + 2 : end + 2 + self.context],
            residual[end + 2 + self.context : end + 2 + 4 * self.context],
        )
        level = max(math.sqrt(float(np.square(part).sum()) / part.size) for part in around) + FLOOR
        if peak < self.settings.isolation * level:
            return None
        first, last = start - 1, min(end + 2, stretch.size - ORDER)
        filled = stretch.copy()
        if not ar.fill(filled, model, np.arange(first, last, dtype=np.int64)):
            return None
        left = float(np.abs(ar.residual(filled[first - ORDER : last + ORDER], model)).max()) + 1e-12
        if peak < self.settings.explained * left:
            return None
        local = stretch[max(first - 200, 0) : last + 200]
        height = float(np.abs(filled[first:last] - stretch[first:last]).max())
        height /= math.sqrt(float(np.square(local).sum()) / local.size) + FLOOR
        return _Event(first, last, peak / spread, peak / level, peak / left, height, filled[first:last])


def detect(samples: Audio, sample_rate: int, settings: ClickSettings | None = None) -> Finding:
    """Look for clicks and crackle.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : ClickSettings, optional
        What counts as a click in a file that has clicks.

    Returns
    -------
    Finding
        Evidence: ``anchors`` (events beyond doubt: three open the gate), ``events``, ``per_second``. A span's strength
        is its residual over the robust spread.
    """
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: ClickSettings | None = None) -> Finding:
    """Look for clicks in a store; see `detect`."""
    searcher = _Searcher(sample_rate, settings or ClickSettings())
    found = [searcher.search(store, channel) for channel in range(store.channels)]
    anchors = sum(event.is_anchor for events in found for event in events)
    spans = [
        Span(channel, event.start, event.end - event.start, event.spreads)
        for channel, events in enumerate(found)
        for event in events
    ]
    present = anchors >= ANCHORS_GATE
    seconds = max(store.frames, 1) / sample_rate
    evidence = {"anchors": float(anchors), "events": float(len(spans)), "per_second": len(spans) / seconds}
    spans.sort(key=lambda span: (span.start_frame, span.channel))
    return Finding(
        "click", present, confidence(anchors, ANCHORS_GATE), evidence, tuple(spans) if present else (), detail=found
    )


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: ClickSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Fill the clicks; every sample outside them keeps its exact value.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : ClickSettings, optional
        What counts as a click.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    settings = settings or ClickSettings()
    acting = functools.partial(mend, settings=settings)
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), acting)


def mend(
    store: Store, sample_rate: int, finding: Finding, *, settings: ClickSettings | None = None
) -> tuple[Store, RepairReport]:
    """Fill the clicks of a store; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "no event stands out that could not be music")
    searcher = _Searcher(sample_rate, settings or ClickSettings())
    result = copy(store)
    count = 0
    for channel, events in enumerate(finding.detail):
        # A click spoils the model of its own window: once it is gone, its neighbours are seen and it is filled better.
        damaged: list[Int64s] = []
        for turn in range(PASSES):
            current = events if turn == 0 else searcher.search(result, channel)
            if not current:
                break
            count += len(current)
            for event in current:
                result.write(event.start, event.filling[None], channel=channel)
                damaged.append(np.arange(event.start, event.end, dtype=np.int64))
        if damaged:
            _refill(result, channel, np.unique(np.concatenate(damaged)), searcher.length)
    reason = f"{count} events filled, {finding.evidence['anchors']:.0f} of them beyond doubt"
    return result, difference(store, result).report(finding, reason, spans=count)


def _refill(store: Store, channel: int, positions: Int64s, length: int) -> None:
    """Fill all damaged samples once more, group by group, by models of the repaired audio."""
    for group in groups(positions, 2 * ORDER):
        centre = int(group[0] + group[-1]) // 2
        start = min(max(centre - length // 2, 0), max(store.frames - length, 0))
        if group[0] - ORDER < 0 or group[-1] + ORDER >= store.frames or store.frames < length:
            continue
        middle = row_of(store, channel, start, start + length)
        correlation = ar.autocorrelation(middle * hann(length), ORDER)
        correlation[0] *= 1.0 + 1e-9
        model, _ = ar.levinson(correlation, ORDER)
        first, last = int(group[0]) - ORDER, int(group[-1]) + ORDER + 1
        filled = row_of(store, channel, first, last).copy()
        if ar.fill(filled, model, group - first):
            store.write(first, filled[None], channel=channel)
