"""What platforms do to a master: the gain of their normalisation, and where its peaks end up."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tapelog_dsp.meters.meter import Measurement
from tapelog_dsp.targets import Target, load_targets


@dataclass(frozen=True, slots=True)
class PlatformPreview:
    """One platform's treatment of one master.

    Parameters
    ----------
    name, title, status : str
        Of the target; status says whether the platform itself publishes its figures.
    target_lufs : float
        What it normalises to.
    gain_db : float
        What it applies; 0 where it only turns down and the master is softer.
    held_back_db : float
        Gain that it leaves out so that the peaks stay under its ceiling.
    limiter_db : float
        What its limiter takes off the highest peak, where it has one.
    loudness_lufs, true_peak_dbtp : float
        Of what is heard.
    """

    name: str
    title: str
    status: str
    target_lufs: float
    gain_db: float
    held_back_db: float
    limiter_db: float
    loudness_lufs: float
    true_peak_dbtp: float


def preview(measurement: Measurement, target: Target) -> PlatformPreview | None:
    """Return what a platform does; None where it does not normalise, or the master is silent."""
    loudness, peak = measurement.loudness.integrated_lufs, measurement.true_peak.max_dbtp
    if target.integrated_lufs is None or target.normalisation == "none" or not math.isfinite(loudness):
        return None
    gain, held_back, limited = target.integrated_lufs - loudness, 0.0, 0.0
    if gain > 0.0:
        room = max(target.true_peak_dbtp - peak, 0.0)
        if target.normalisation == "down":
            gain = 0.0
        elif target.positive_gain == "limiter":
            limited = max(gain - room, 0.0)
        else:
            held_back = max(gain - room, 0.0)
            gain -= held_back
    return PlatformPreview(
        name=target.name,
        title=target.title,
        status=target.status,
        target_lufs=target.integrated_lufs,
        gain_db=gain,
        held_back_db=held_back,
        limiter_db=limited,
        loudness_lufs=loudness + gain,
        true_peak_dbtp=peak + gain - limited,
    )


def previews(measurement: Measurement, targets: Iterable[Target] | None = None) -> tuple[PlatformPreview, ...]:
    """Return what every platform that normalises does, of all targets by default."""
    chosen = load_targets().values() if targets is None else targets
    found = (preview(measurement, target) for target in chosen)
    return tuple(one for one in found if one is not None)
