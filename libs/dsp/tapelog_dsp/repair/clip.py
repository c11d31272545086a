"""Hard clipping: found by its flat tops, rebuilt so that it agrees with every good sample.

A converter that clips writes the same value over and over; music touches its highest value once or twice. So the
detector looks at the highest and the lowest value of each channel and counts runs of at least three equal samples.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.clip_fill import rebuilt
from tapelog_dsp.repair.report import Finding, RepairReport, Span, confidence, untouched
from tapelog_dsp.repair.runs import runs
from tapelog_dsp.repair.store import Store, as_store, blocks, copy, difference, mended

RUN_FRAMES: Final = 3
FLATNESSES: Final = (1e-9, 2.5 / 32768.0)
"""How much a plateau may waver: not at all, or else by the dither of a 16-bit file."""

LOWEST_LEVEL: Final = 0.01  # -40 dBFS: below it "equal values" are the steps of the format
LONGEST_S: Final = 0.01  # a longer plateau is a square wave or a switch, not a clipped peak


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """When flat tops count as clipping.

    Parameters
    ----------
    runs : int
        Flat tops of at least three samples that one polarity of one channel must have, 2 to 1000.
    """

    runs: int = int(default("ClipSettings", "runs"))

    def __post_init__(self) -> None:
        declared(self)


class _FlatTops:
    """Runs of a channel's highest values, of one polarity, over blocks."""

    def __init__(self, lowest: float) -> None:
        self._lowest = lowest
        self._runs: list[tuple[int, int, float]] = []

    def add(self, start: int, values: Float64s) -> None:
        """Take the next block; a run that goes on from the one before is one run."""
        for first, last in runs(values >= self._lowest):
            begun, ended, least = start + first, start + last, float(values[first:last].min())
            if self._runs and self._runs[-1][1] == begun:
                begun, _, before = self._runs.pop()
                least = min(least, before)
            elif self._runs and self._runs[-1][1] - self._runs[-1][0] < RUN_FRAMES:
                self._runs.pop()
            self._runs.append((begun, ended, least))

    def result(self) -> tuple[float, list[tuple[int, int]]]:
        """Return the lowest value of the plateau, and its runs (start, length) of three samples or more."""
        flat = [(begun, ended, least) for begun, ended, least in self._runs if ended - begun >= RUN_FRAMES]
        return min((least for *_, least in flat), default=math.inf), [
            (begun, ended - begun) for begun, ended, _ in flat
        ]


def _plateaus(store: Store) -> Iterator[tuple[int, int, list[tuple[float, list[tuple[int, int]]]]]]:
    """Yield channel, polarity, and the plateau's level and runs for each flatness."""
    highest, lowest = np.full(store.channels, -math.inf), np.full(store.channels, math.inf)
    for _, block in blocks(store):
        np.maximum(highest, block.max(axis=1), out=highest)
        np.minimum(lowest, block.min(axis=1), out=lowest)
    tops = {
        (channel, polarity): [_FlatTops(float(top[channel]) - flatness) for flatness in FLATNESSES]
        for polarity, top in enumerate((highest, -lowest))
        for channel in range(store.channels)
    }
    for start, block in blocks(store):
        for (channel, polarity), each in tops.items():
            values = -block[channel] if polarity else block[channel]
            for one in each:
                one.add(start, values)
    for channel, polarity in sorted(tops):
        yield channel, polarity, [one.result() for one in tops[channel, polarity]]


def detect(samples: Audio, sample_rate: int, settings: ClipSettings | None = None) -> Finding:
    """Look for flat tops on each polarity of each channel.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : ClipSettings, optional
        When flat tops count.

    Returns
    -------
    Finding
        Evidence: ``runs`` on the worst polarity, ``clipped_fraction`` of all samples, ``level_dbfs`` of the lowest
        clipping level. A span's strength is its level. ``detail`` holds the levels ``[channels, (high, low)]``.
    """
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: ClipSettings | None = None) -> Finding:
    """Look for flat tops in a store; see `detect`."""
    settings = settings or ClipSettings()
    levels = np.full((store.channels, 2), math.inf)
    spans: list[Span] = []
    worst = 0
    for channel, polarity, found in _plateaus(store) if store.frames >= RUN_FRAMES else ():
        level, tops = next((one for one in found if len(one[1]) >= settings.runs), found[-1])
        longest = max((n for _, n in tops), default=0)
        if level == math.inf or level < LOWEST_LEVEL or longest > LONGEST_S * sample_rate:
            continue
        worst = max(worst, len(tops))
        if len(tops) >= settings.runs:
            levels[channel, polarity] = level
            spans += [Span(channel, start, length, level) for start, length in tops]
    present = bool(spans)
    evidence = {"runs": float(worst)}
    if present:
        evidence["clipped_fraction"] = sum(span.length_frames for span in spans) / (store.channels * store.frames)
        evidence["level_dbfs"] = 20.0 * math.log10(min(span.strength for span in spans))
    levels[:, 1] *= -1.0
    spans.sort(key=lambda span: (span.start_frame, span.channel))
    return Finding("clip", present, confidence(worst, settings.runs), evidence, tuple(spans), detail=levels)


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: ClipSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Rebuild clipped peaks; every other sample keeps its exact value.

    The result goes beyond the clipping level by design, also beyond full scale: the report's reason names the peak.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : ClipSettings, optional
        When flat tops count.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), mend)


def mend(store: Store, sample_rate: int, finding: Finding) -> tuple[Store, RepairReport]:
    """Rebuild the clipped peaks of a store; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "the highest and lowest values form no plateaus")
    result = copy(store)
    for channel, (high, low) in enumerate(finding.detail.tolist()):
        if math.isfinite(high) or math.isfinite(low):
            for start, row in rebuilt(store, channel, high, low, sample_rate):
                result.write(start, row[None], channel=channel)
    made = difference(store, result)
    reason = f"{len(finding.spans)} flat tops rebuilt; the highest peak is now {20.0 * math.log10(made.peak):+.1f} dBFS"
    return result, made.report(finding, reason, spans=len(finding.spans))
