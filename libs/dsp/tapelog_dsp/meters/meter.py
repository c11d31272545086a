"""Loudness and true peak in one pass."""

from dataclasses import dataclass

from tapelog_dsp.audio import Audio, valid_audio
from tapelog_dsp.meters.loudness import Loudness, LoudnessMeter
from tapelog_dsp.meters.truepeak import TruePeak, TruePeakMeter


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A programme's loudness and true peak.

    Parameters
    ----------
    frames : int
        How much was measured.
    loudness : Loudness
        Integrated, momentary, short-term, range.
    true_peak : TruePeak
        By three interpolators.
    """

    frames: int
    loudness: Loudness
    true_peak: TruePeak

    @property
    def peak_to_loudness_lu(self) -> float:
        """PLR: the largest true peak minus the integrated loudness."""
        return self.true_peak.max_dbtp - self.loudness.integrated_lufs


class Meter:
    """A streaming meter for everything a delivery is judged by.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1, 2, 3, 5 or 6.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._loudness = LoudnessMeter(sample_rate, channels)
        self._true_peak = TruePeakMeter(sample_rate, channels)
        self._frames = 0

    def add(self, samples: Audio) -> None:
        """Measure the next block.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)]
            float32 or float64.

        Raises
        ------
        AudioError
            The block has another shape or is not finite.
        """
        samples = valid_audio(samples, name="measured block", channels=self._channels)
        self._loudness.add(samples)
        self._true_peak.add(samples)
        self._frames += samples.shape[1]

    def result(self) -> Measurement:
        """Return the reading so far; measuring can go on."""
        return Measurement(self._frames, self._loudness.result(), self._true_peak.result())
