"""Door to ``waveform.c``: the overview of a signal."""

from dataclasses import dataclass

from tapelog_dsp.kernels.call import Float64s, Int64s, address, function


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """What the overview keeps, moved on in place.

    Parameters
    ----------
    clock : ndarray of int64 [shape=(3,)]
        Frames of a bucket, frames in the one that is open, and finished buckets.
    open : ndarray [shape=(channels, 2)]
        Lowest and highest sample of the open bucket, where it has any.
    low, high : ndarray [shape=(channels, room)]
        The finished ones; room for an even number, joined in pairs when they are as many.
    """

    clock: Int64s
    open: Float64s
    low: Float64s
    high: Float64s

    def addresses(self) -> tuple[int, ...]:
        """Return where they stand and how many find room, in the kernels' order."""
        arrays = (self.clock, self.open, self.low, self.high)
        return (*(address(array) for array in arrays), self.low.shape[1])


def fill_buckets(samples: Float64s, kept: Buckets) -> None:
    """Take the next block ``[channels, frames]``, each row contiguous."""
    channels, frames = samples.shape
    if frames:
        function("tl_waveform", "plllppppl")(
            samples.ctypes.data, channels, samples.strides[0] // samples.itemsize, frames, *kept.addresses()
        )
