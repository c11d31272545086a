"""Twin of ``waveform.c``."""

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.waveform import Buckets


def fill_buckets(samples: Float64s, kept: Buckets) -> None:
    """Take the next block, one sample after the other."""
    room = kept.low.shape[1]
    for column in samples.T:
        for channel, sample in enumerate(column.tolist()):
            low, high = kept.open[channel].tolist() if kept.clock[1] else (sample, sample)
            kept.open[channel] = min(sample, low), max(sample, high)
        kept.clock[1] += 1
        if kept.clock[1] < kept.clock[0]:
            continue
        kept.low[:, kept.clock[2]], kept.high[:, kept.clock[2]] = kept.open.T
        kept.clock[1] = 0
        kept.clock[2] += 1
        if kept.clock[2] == room:
            half = room // 2
            kept.low[:, :half] = kept.low.reshape(-1, half, 2).min(axis=2)
            kept.high[:, :half] = kept.high.reshape(-1, half, 2).max(axis=2)
            kept.clock[:] = 2 * kept.clock[0], 0, half
