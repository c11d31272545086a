"""Loudness drive: how far a master must be pushed into its limiter so that it reaches a target, or that it cannot."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.checks import declared
from tapelog_dsp.errors import AudioError, ParameterError
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.meters.meter import Measurement, Meter
from tapelog_dsp.processors.limiter import TruePeakLimiter
from tapelog_dsp.units import db_to_gain

AIM_LU: Final = 0.05
"""The search stops when it is this close; the tolerance asked for may be wider, never narrower."""

PASSES_MAX: Final = 8
"""Passes over the whole master, the first measurement included."""

REDUCTION_MAX_DB: Final = 12.0
"""By default the limiter may take no more off the highest peak; beyond it a master is broken, not loud."""

DRIVE_STEP_DB: Final = 0.001
"""The drive is a multiple of this, so that a last-bit difference of a logarithm cannot reach the audio."""

SLOPE_MIN: Final = 0.1
"""LU gained per dB of drive; a smaller estimate would throw the next guess too far."""

BlockSource = Callable[[], Iterator[Audio]]
"""Starts another pass over the same blocks ``[channels, frames]``."""


@dataclass(frozen=True, slots=True, eq=False)
class DriveSolution:
    """What the search found.

    Parameters
    ----------
    feasible : bool
        Whether the integrated loudness is within the tolerance of the target.
    drive_db : float
        Gain before the limiter; the best allowed one when not feasible.
    limit : str
        Empty, or what stands in the way, for a person to read.
    before, after : Measurement
        Of the master before the drive, and after drive and limiter.
    telemetry : mapping of str to float
        The limiter's figures in the last pass.
    passes : int
        How often the source was read.
    """

    feasible: bool
    drive_db: float
    limit: str
    before: Measurement
    after: Measurement
    telemetry: Mapping[str, float]
    passes: int


def limit_blocks(
    blocks: Iterable[Audio], *, sample_rate: int, drive_db: float = 0.0, limiter: TruePeakLimiter | None = None
) -> Iterator[Audio]:
    """Drive a master into its limiter.

    Parameters
    ----------
    blocks : iterable of ndarray [shape=(channels, frames)]
        The master before the limiter.
    sample_rate : int
        In Hz.
    drive_db : float
        Gain before the limiter.
    limiter : TruePeakLimiter, optional
        Its settings; by default -1 dBTP.

    Yields
    ------
    ndarray [shape=(channels, frames)]
        As long as the input in all, without latency; float64, ready to be dithered.
    """
    return _Pass(sample_rate, drive_db, limiter or TruePeakLimiter()).blocks(blocks)


def solve_drive(
    source: BlockSource,
    *,
    sample_rate: int,
    target_lufs: float,
    limiter: TruePeakLimiter | None = None,
    tolerance_lu: float = 0.1,
    reduction_max_db: float = REDUCTION_MAX_DB,
) -> DriveSolution:
    """Find the drive with which the limited master has the target's integrated loudness.

    Memory does not grow with the length but for the meter's 2.9 MB per hour. The loudness rises with the drive, so a
    secant kept inside the known bounds converges, mostly in three passes.

    Parameters
    ----------
    source : callable
        Starts another pass over the master before the limiter; every pass must give the same samples.
    sample_rate : int
        In Hz.
    target_lufs : float
        Integrated loudness to reach.
    limiter : TruePeakLimiter, optional
        Its settings; by default -1 dBTP.
    tolerance_lu : float
        Largest difference that counts as reached, 0.05 or more.
    reduction_max_db : float
        How much the limiter may take off the highest peak.

    Returns
    -------
    DriveSolution
        With ``feasible`` false and the reason when the target cannot be reached within the limits.

    Raises
    ------
    AudioError
        The source is empty or not finite.
    ParameterError
        A target or tolerance out of range.
    """
    search = _Search(sample_rate, target_lufs, limiter or TruePeakLimiter(), tolerance_lu, reduction_max_db)
    return search.run(source)


class _Pass:
    """One trip through drive and limiter."""

    def __init__(self, sample_rate: int, drive_db: float, limiter: TruePeakLimiter) -> None:
        self._rate = sample_rate
        self._gain = db_to_gain(drive_db)
        self._limiter = limiter
        self.telemetry: Mapping[str, float] = {}

    def blocks(self, source: Iterable[Audio]) -> Iterator[Audio]:
        checked = (valid_audio(block, name="master block") for block in source)
        first = next(checked, None)
        if first is None:
            return
        running = self._limiter.prepare(self._rate, first.shape[0])

        def driven() -> Iterator[Audio]:
            yield first * self._gain
            for block in checked:
                yield block * self._gain

        yield from run_aligned(running, driven())
        self.telemetry = running.telemetry()


@dataclass(frozen=True, slots=True)
class _Search:
    sample_rate: int
    target_lufs: float
    limiter: TruePeakLimiter
    tolerance_lu: float
    reduction_max_db: float

    def __post_init__(self) -> None:
        declared(self, "DriveSearch")
        if self.tolerance_lu < AIM_LU:
            raise ParameterError("tolerance_lu", self.tolerance_lu, f"{AIM_LU} LU or more")

    def run(self, source: BlockSource) -> DriveSolution:
        before = self._measure(source())
        loudness, peak = before.loudness.integrated_lufs, before.true_peak.max_dbtp
        if loudness == -math.inf:
            reason = "nothing in the master is louder than the absolute gate of -70 LUFS"
            return DriveSolution(
                feasible=False, drive_db=0.0, limit=reason, before=before, after=before, telemetry={}, passes=1
            )
        highest = floor_step(self.limiter.ceiling_dbtp - peak + self.reduction_max_db)
        points: list[tuple[float, float]] = []
        drive = min(step(self.target_lufs - loudness), highest)
        while True:
            trip = _Pass(self.sample_rate, drive, self.limiter)
            after = self._measure(trip.blocks(source()))
            error = after.loudness.integrated_lufs - self.target_lufs
            points.append((drive, error))
            following = min(next_drive(points), highest)
            close = abs(error) <= AIM_LU
            if close or following == drive or len(points) + 1 == PASSES_MAX:
                reason = (
                    "" if abs(error) <= self.tolerance_lu else self._reason(before, after, at_bound=drive == highest)
                )
                return DriveSolution(not reason, drive, reason, before, after, trip.telemetry, len(points) + 1)
            drive = following

    def _measure(self, blocks: Iterable[Audio]) -> Measurement:
        meter: Meter | None = None
        for block in blocks:
            if meter is None:
                meter = Meter(self.sample_rate, block.shape[0])
            meter.add(block)
        if meter is None:
            raise AudioError("the master's source gave no blocks")
        return meter.result()

    def _reason(self, before: Measurement, after: Measurement, *, at_bound: bool) -> str:
        reached = f"{after.loudness.integrated_lufs:.2f} LUFS under {self.limiter.ceiling_dbtp:g} dBTP"
        if at_bound:
            return (
                f"the limiter would take more than {self.reduction_max_db:g} dB off the highest peak; within that the "
                f"master reaches {reached} (its peaks are {before.peak_to_loudness_lu:.1f} LU above its loudness)"
            )
        return f"{PASSES_MAX} passes came no closer than {reached} to the target of {self.target_lufs:g} LUFS"


def next_drive(points: list[tuple[float, float]]) -> float:
    """Return the next drive to try from (drive, error) so far; without limiting the error follows it dB by dB."""
    too_soft = max((point for point in points if point[1] < 0.0), default=None)
    too_loud = min((point for point in points if point[1] >= 0.0), default=None)
    drive, error = points[-1]
    if too_soft is not None and too_loud is not None:
        slope = (too_loud[1] - too_soft[1]) / (too_loud[0] - too_soft[0])
        guess = step(too_soft[0] - too_soft[1] / max(slope, SLOPE_MIN))
        inside = too_soft[0] < guess < too_loud[0]
        return guess if inside else step(0.5 * (too_soft[0] + too_loud[0]))
    slope = 1.0
    if len(points) > 1 and drive != points[-2][0]:
        slope = (error - points[-2][1]) / (drive - points[-2][0])
    return step(drive - error / max(slope, SLOPE_MIN))


def step(drive_db: float) -> float:
    """Return the nearest multiple of `DRIVE_STEP_DB`."""
    return round(drive_db / DRIVE_STEP_DB) / round(1.0 / DRIVE_STEP_DB)


def floor_step(drive_db: float) -> float:
    """Return the multiple of `DRIVE_STEP_DB` at or below."""
    return math.floor(drive_db / DRIVE_STEP_DB) / round(1.0 / DRIVE_STEP_DB)
