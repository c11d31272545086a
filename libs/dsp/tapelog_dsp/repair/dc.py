"""DC offset: a mean that stays the same through loud and quiet, subtracted as one constant per channel.

An asymmetric wave (brass, a clipped amplifier) has a mean too, but it rises and falls with the music. So the means of
one-second segments must agree before anything is called DC; a constant then needs no filter and moves no phase.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.repair.report import Finding, RepairReport, confidence, untouched
from tapelog_dsp.repair.store import Store, as_store, blocks, difference, mended

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


def _parts(store: Store, segment: int) -> Iterator[Audio]:
    """Yield whole segments ``[channels, segments, segment]``."""
    step = max(store.block_frames // segment, 1) * segment
    whole = store.frames // segment * segment
    for start in range(0, whole, step):
        block = store.read(start, min(start + step, whole))
        yield block.reshape(store.channels, -1, segment)


def _offsets(store: Store, segment: int) -> list[tuple[float, float]]:
    """Return the offset of each channel and its steadiness: the offset over the spread of the segments' means.

    Segments count by the inverse of their power around the offset, so that quiet moments decide. The spread is the
    range between the tenth and the ninetieth percentile of the means.
    """
    means = np.concatenate([parts.sum(axis=2) / segment for parts in _parts(store, segment)], axis=1)
    middle = np.median(means, axis=1)[:, None, None]
    power = np.concatenate(
        [np.square(parts - middle).sum(axis=2) / segment for parts in _parts(store, segment)], axis=1
    )
    found = []
    for own, around in zip(means, power, strict=True):
        weights = 1.0 / (around + 1e-8)
        offset = float((weights * own).sum() / weights.sum())
        low, high = np.quantile(own, (0.1, 0.9))
        found.append((offset, abs(offset) / (float(high - low) + SPREAD_FLOOR)))
    return found


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
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: DcSettings | None = None) -> Finding:
    """Look for an offset in a store; see `detect`."""
    settings = settings or DcSettings()
    segment = sample_rate // SEGMENTS_PER_S
    if store.frames < SEGMENTS_MIN * segment:
        return Finding("dc", present=False, confidence=0.0)
    measured = _offsets(store, segment)
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
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), mend)


def mend(store: Store, sample_rate: int, finding: Finding) -> tuple[Store, RepairReport]:
    """Subtract the offsets that were found in a store; see `repair`."""
    del sample_rate
    if not finding.present:
        return store, untouched(finding, "no mean stays the same through loud and quiet")
    result = store.new(store.channels)
    for start, block in blocks(store):
        result.write(start, block - finding.detail[:, None])
    level_db = 20.0 * math.log10(float(np.abs(finding.detail).max()))
    return result, difference(store, result).report(finding, f"a constant of {level_db:.1f} dBFS subtracted")
