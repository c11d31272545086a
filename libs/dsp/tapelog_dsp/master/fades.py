"""Fades at the start and the end of a master: a function of song time alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, one_of
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s

SHAPES: Final = ("linear", "smooth", "equal-power", "late")


@dataclass(frozen=True, slots=True)
class Fade:
    """How a song comes and goes.

    Parameters
    ----------
    in_s, out_s : float
        Lengths in seconds; 0 for none.
    shape : {"linear", "smooth", "equal-power", "late"}
        Of the gain over the share u of the fade: u; 3u^2 - 2u^3; sqrt(u); u^3, which stays low for long.
    """

    in_s: float = 0.0
    out_s: float = 0.0
    shape: str = "smooth"

    def __post_init__(self) -> None:
        declared(self)
        one_of(self, "shape", SHAPES)

    def frames(self, sample_rate: int, length_frames: int) -> tuple[int, int]:
        """Return how many frames the fades last, at the start and at the end.

        Raises
        ------
        ParameterError
            Together they are longer than the song.
        """
        rising, falling = round(self.in_s * sample_rate), round(self.out_s * sample_rate)
        if rising + falling > length_frames:
            limit = f"at most the song's {length_frames / sample_rate:.3f} s together"
            raise ParameterError("Fade", f"{self.in_s:g} s in and {self.out_s:g} s out", limit)
        return rising, falling

    def blocks(self, source: Iterable[Audio], *, sample_rate: int, length_frames: int) -> Iterator[Audio]:
        """Fade a stream whose length is known; outside the fades it passes bit for bit.

        Raises
        ------
        ParameterError
            The two fades together are longer than the song.
        """
        rising, falling = self.frames(sample_rate, length_frames)
        clock = 0
        for block in source:
            frames = np.arange(clock, clock + block.shape[1], dtype=np.float64)
            clock += block.shape[1]
            if clock - block.shape[1] >= rising and clock <= length_frames - falling:
                yield block
                continue
            gain = np.ones(frames.size)
            if rising:
                gain *= self._gain(np.minimum((frames + 0.5) / rising, 1.0))
            if falling:
                gain *= self._gain(np.clip((length_frames - frames - 0.5) / falling, 0.0, 1.0))
            yield block * gain

    def _gain(self, share: Float64s) -> Float64s:
        """Return the gain over the share of the fade that has passed; additions, products and roots only."""
        if self.shape == "linear":
            return share
        if self.shape == "smooth":
            return share * share * (3.0 - 2.0 * share)
        return np.sqrt(share) if self.shape == "equal-power" else share * share * share
