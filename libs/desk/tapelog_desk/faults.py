"""Faults of a recording that a meter does not show: silent channels and clipping in the recording chain."""

from typing import Final

from tapelog_dsp.meters.fullscale import FullScaleMeter

SILENT_PEAK: Final = 10.0 ** (-90.0 / 20.0)
"""A channel that never exceeds it is silent."""

CLIP_RUN_FRAMES: Final = 3
"""Neighbouring samples at full scale that are no coincidence."""

FLOAT_PLATEAU: Final = 1e-6
"""Half the height of the band around full scale in which samples without a word length count as clipped; above it they
are merely loud."""


class FaultMeter(FullScaleMeter):
    """Counts clipped samples and finds silent channels; any block size gives the same result.

    Parameters
    ----------
    channels : int
        Of every block.
    bit_depth : int
        Word length of the recording; 0 or a float's length where it has no integer full scale.
    is_float : bool
        Whether its samples are floats.
    """

    def __init__(self, channels: int, bit_depth: int, *, is_float: bool) -> None:
        has_steps = bit_depth > 0 and not is_float
        low = 1.0 - 1.0 / (1 << (bit_depth - 1)) if has_steps else 1.0 - FLOAT_PLATEAU
        high = 1.0 if has_steps else 1.0 + FLOAT_PLATEAU
        super().__init__(channels, low=low, high=high, least=CLIP_RUN_FRAMES)

    def silent_channels(self) -> list[int]:
        """Return the channels, counted from 0, whose every sample is below -90 dBFS."""
        return [channel for channel, peak in enumerate(self.peaks) if peak < SILENT_PEAK]

    def sample_peak(self) -> float:
        """Return the largest magnitude so far."""
        return max(self.peaks, default=0.0)
