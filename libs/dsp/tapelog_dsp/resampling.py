"""Sample-rate conversion by soxr's best filter, streaming, exact in length and in time."""

import numpy as np

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate


def resampled_frames(frames: int, input_rate: int, output_rate: int) -> int:
    """Return how many frames a recording has at another rate: to the nearest whole one, halves up."""
    return (2 * frames * output_rate + input_rate) // (2 * input_rate)


class Resampler:
    """A streaming converter; blocks of any length give the same samples, and the first sample stays in its place.

    Parameters
    ----------
    input_rate, output_rate : int
        In Hz.
    channels : int
        Of every block.
    """

    def __init__(self, input_rate: int, output_rate: int, channels: int) -> None:
        import soxr  # few recordings need it, and every command would wait for it

        self._rates = valid_sample_rate(input_rate), valid_sample_rate(output_rate)
        self._channels = channels
        self._stream = soxr.ResampleStream(input_rate, output_rate, channels, dtype="float64", quality="VHQ")
        self._taken = 0
        self._given = 0

    def process(self, samples: Audio) -> Audio:
        """Return what is ready after the next block; the converter holds some back until it is flushed."""
        samples = valid_audio(samples, name="block to resample", channels=self._channels)
        self._taken += samples.shape[1]
        return self._checked(self._convert(samples, last=False))

    def flush(self) -> Audio:
        """Return the rest: in all exactly `resampled_frames` of what went in."""
        rest = self._convert(np.empty((self._channels, 0)), last=True)
        missing = resampled_frames(self._taken, *self._rates) - self._given
        whole = np.zeros((self._channels, max(missing, 0)))
        kept = min(rest.shape[1], whole.shape[1])
        whole[:, :kept] = rest[:, :kept]
        self._given += whole.shape[1]
        return whole

    def _convert(self, samples: Audio, *, last: bool) -> Audio:
        if self._rates[0] == self._rates[1]:
            return samples
        interleaved = self._stream.resample_chunk(np.ascontiguousarray(samples.T), last=last)
        return np.ascontiguousarray(interleaved.reshape(-1, self._channels).T)

    def _checked(self, samples: Audio) -> Audio:
        room = resampled_frames(self._taken, *self._rates) - self._given
        samples = samples[:, : max(room, 0)]
        self._given += samples.shape[1]
        return samples


def resample(samples: Audio, input_rate: int, output_rate: int) -> Audio:
    """Return a whole recording ``[channels, frames]`` at another rate.

    Raises
    ------
    AudioError
        The samples have the wrong shape or are not finite.
    ParameterError
        A rate for which the core is not defined.
    """
    converter = Resampler(input_rate, output_rate, samples.shape[0])
    return np.concatenate((converter.process(samples), converter.flush()), axis=1)
