"""Clicks and crackle: short events that an autoregressive model of the audio around them cannot explain.

Detection: prediction residual of an AR model (order 32, 46 ms windows) against its robust spread, neighbours fused
(Godsill and Rayner, "Digital Audio Restoration", 1998, chapters 5 and 6). Three tests keep transients of music out:
an event is short; the residual just after it is as quiet as just before it (a drum goes on, a click does not); and a
filling made from both sides explains the samples after it (a note that starts there would not be explained).
A file is touched only when some events are beyond doubt (anchors); then weaker events count as well.
Filling: least-squares AR interpolation (Janssen, Veldhuis and Vries, IEEE Trans. ASSP 34(2), 1986).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels import autoregression as ar
from tapelog_dsp.kernels.call import Float64s, Int64s
from tapelog_dsp.repair.report import Finding, RepairReport, Span, changed, confidence, untouched
from tapelog_dsp.repair.runs import groups
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

    def search(self, row: Float64s) -> list[_Event]:
        reach = self.length + self.margin
        padded = np.concatenate((np.zeros(reach), row, np.zeros(reach + self.length)))
        hop = self.length // 2
        events: list[_Event] = []
        for start in range(-hop // 2, row.size, hop):
            stretch = padded[start + reach - self.margin : start + reach + self.length + self.margin]
            for event in self._window(stretch):
                offset = start - self.margin
                # The first and the last moments have no context on one side.
                first, last = event.start + offset - self.margin, event.end + offset + self.margin
                if first >= 0 and last <= row.size:
                    events.append(
                        _Event(
                            event.start + offset, event.end + offset, event.spreads, event.isolation,
                            event.explained, event.height, event.filling,
                        )
                    )  # fmt: skip
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
    settings = settings or ClickSettings()
    samples = valid_audio(samples)
    valid_sample_rate(sample_rate)
    searcher = _Searcher(sample_rate, settings)
    found = [searcher.search(row) for row in samples]
    anchors = sum(event.is_anchor for events in found for event in events)
    spans = [
        Span(channel, event.start, event.end - event.start, event.spreads)
        for channel, events in enumerate(found)
        for event in events
    ]
    present = anchors >= ANCHORS_GATE
    seconds = max(samples.shape[1], 1) / sample_rate
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
    samples = valid_audio(samples)
    settings = settings or ClickSettings()
    finding = finding or detect(samples, sample_rate, settings)
    if not finding.present:
        return samples, untouched(finding, "no event stands out that could not be music")
    searcher = _Searcher(sample_rate, settings)
    result = samples.copy()
    count = 0
    for row, events in zip(result, finding.detail, strict=True):
        # A click spoils the model of its own window: once it is gone, its neighbours are seen and it is filled better.
        damaged = np.zeros(row.size, dtype=bool)
        for turn in range(PASSES):
            current = events if turn == 0 else searcher.search(row)
            if not current:
                break
            count += len(current)
            for event in current:
                row[event.start : event.end] = event.filling
                damaged[event.start : event.end] = True
        _refill(row, np.flatnonzero(damaged), searcher.length)
    reason = f"{count} events filled, {finding.evidence['anchors']:.0f} of them beyond doubt"
    return result, changed(finding, reason, samples, result, spans=count)


def _refill(row: Float64s, positions: Int64s, length: int) -> None:
    """Fill all damaged samples once more, group by group, by models of the repaired audio."""
    for group in groups(positions, 2 * ORDER):
        centre = int(group[0] + group[-1]) // 2
        start = min(max(centre - length // 2, 0), max(row.size - length, 0))
        middle = row[start : start + length]
        if group[0] - ORDER < 0 or group[-1] + ORDER >= row.size or middle.size < length:
            continue
        correlation = ar.autocorrelation(middle * hann(length), ORDER)
        correlation[0] *= 1.0 + 1e-9
        model, _ = ar.levinson(correlation, ORDER)
        first, last = int(group[0]) - ORDER, int(group[-1]) + ORDER + 1
        filled = row[first:last].copy()
        if ar.fill(filled, model, group - first):
            row[first:last] = filled
