"""Hard clipping: found by its flat tops, rebuilt so that it agrees with every good sample.

A converter that clips writes the same value over and over; music touches its highest value once or twice. So the
detector looks at the highest and the lowest value of each channel and counts runs of at least three equal samples.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.clip_fill import rebuild
from tapelog_dsp.repair.report import Finding, RepairReport, Span, changed, confidence, untouched
from tapelog_dsp.repair.runs import runs

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


def _flat_tops(values: Float64s, flatness: float) -> tuple[float, list[tuple[int, int]]]:
    """Return the lowest value of the plateau at the top, and its runs (start, length) of three samples or more."""
    top = float(values.max())
    flat = [(start, end - start) for start, end in runs(values >= top - flatness) if end - start >= RUN_FRAMES]
    level = min((float(values[start : start + length].min()) for start, length in flat), default=math.inf)
    return level, flat


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
    settings = settings or ClipSettings()
    samples = valid_audio(samples)
    valid_sample_rate(sample_rate)
    levels = np.full((samples.shape[0], 2), math.inf)
    spans: list[Span] = []
    worst = 0
    for channel, row in enumerate(samples):
        if row.size < RUN_FRAMES:
            continue
        for polarity, sign in enumerate((1.0, -1.0)):
            for flatness in FLATNESSES:
                level, tops = _flat_tops(sign * row, flatness)
                if len(tops) >= settings.runs:
                    break
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
        evidence["clipped_fraction"] = sum(span.length_frames for span in spans) / samples.size
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
    samples = valid_audio(samples)
    finding = finding or detect(samples, sample_rate, settings)
    if not finding.present:
        return samples, untouched(finding, "the highest and lowest values form no plateaus")
    result = samples.copy()
    for channel, (high, low) in enumerate(finding.detail.tolist()):
        if math.isfinite(high) or math.isfinite(low):
            result[channel] = rebuild(samples[channel], high, low, sample_rate)
    peak_db = 20.0 * math.log10(float(np.abs(result).max()))
    reason = f"{len(finding.spans)} flat tops rebuilt; the highest peak is now {peak_db:+.1f} dBFS"
    return result, changed(finding, reason, samples, result, spans=len(finding.spans))
