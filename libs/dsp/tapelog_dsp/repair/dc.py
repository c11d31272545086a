"""DC offset: a mean that stays the same through loud and quiet, subtracted as one constant per channel.

An asymmetric wave (brass, a clipped amplifier) has a mean too, but it rises and falls with the music. So the means of
one-second segments must agree before anything is called DC; a constant then needs no filter and moves no phase.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.report import Finding, RepairReport, changed, confidence, untouched

SEGMENTS_PER_S: Final = 4
SEGMENTS_MIN: Final = 8
STEADINESS_GATE: Final = 3.0  # offset over the spread of its segments; asymmetric music measured 0.6 at most
SPREAD_FLOOR: Final = 1e-6


@dataclass(frozen=True, slots=True)
class DcSettings:
    """What is too small to be touched.

    Parameters
    ----------
    smallest : float
        An offset below this is left alone, 0.0001 to 0.1 of full scale.
    """

    smallest: float = default("DcSettings", "smallest")

    def __post_init__(self) -> None:
        declared(self)


def _offset(row: Float64s, segment: int) -> tuple[float, float]:
    """Return the offset of a channel and its steadiness: the offset over the spread of the segments' means.

    Segments count by the inverse of their power around the offset, so that quiet moments decide. The spread is the
    range between the tenth and the ninetieth percentile of the means.
    """
    parts = row[: row.size // segment * segment].reshape(-1, segment)
    means = parts.sum(axis=1) / segment
    power = np.square(parts - np.median(means)).sum(axis=1) / segment
    weights = 1.0 / (power + 1e-8)
    offset = float((weights * means).sum() / weights.sum())
    low, high = np.quantile(means, (0.1, 0.9))
    return offset, abs(offset) / (float(high - low) + SPREAD_FLOOR)


def detect(samples: Audio, sample_rate: int, settings: DcSettings | None = None) -> Finding:
    """Look for an offset.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : DcSettings, optional
        What is too small.

    Returns
    -------
    Finding
        Evidence: ``offset`` (largest, of full scale), ``steadiness``. ``detail`` holds the offsets ``[channels]``, 0
        where there is none. Audio under 2 s is never changed.
    """
    settings = settings or DcSettings()
    samples = valid_audio(samples)
    valid_sample_rate(sample_rate)
    segment = sample_rate // SEGMENTS_PER_S
    if samples.shape[1] < SEGMENTS_MIN * segment:
        return Finding("dc", present=False, confidence=0.0)
    measured = [_offset(row, segment) for row in samples]
    there = [abs(offset) >= settings.smallest and steady >= STEADINESS_GATE for offset, steady in measured]
    worst = max(range(len(measured)), key=lambda channel: (there[channel], abs(measured[channel][0])))
    offset, steady = measured[worst]
    evidence = {"offset": offset, "steadiness": steady}
    sure = min(confidence(steady, STEADINESS_GATE), confidence(abs(offset), settings.smallest))
    offsets = np.array([value if found else 0.0 for (value, _), found in zip(measured, there, strict=True)])
    return Finding("dc", any(there), sure, evidence, detail=offsets)


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: DcSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Subtract the offsets that were found.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : DcSettings, optional
        What is too small.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    samples = valid_audio(samples)
    finding = finding or detect(samples, sample_rate, settings)
    if not finding.present:
        return samples, untouched(finding, "no mean stays the same through loud and quiet")
    result = samples - finding.detail[:, None]
    level_db = 20.0 * math.log10(float(np.abs(finding.detail).max()))
    return result, changed(finding, f"a constant of {level_db:.1f} dBFS subtracted", samples, result)
