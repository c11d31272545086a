"""TPDF dither to 24 or 16 bit, noise shaped or not, keyed so that the same master always gets the same noise."""

import hashlib
import math
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels import pcm
from tapelog_dsp.kernels.pcm import Int32s

BIT_DEPTHS: Final = (16, 24)
DIGEST_BYTES: Final = 32

SHAPERS: Final[dict[str, tuple[float, ...]]] = {
    "none": (),
    "lipshitz-5": (2.033, -2.165, 1.959, -1.590, 0.6149),
    "f-weighted-9": (2.412, -3.370, 3.937, -4.174, 3.353, -2.205, 1.281, -0.569, 0.0847),
}
"""What of the last errors is taken off the next sample. The published sets for 44.1 kHz: S. P. Lipshitz, J. Vanderkooy,
R. A. Wannamaker, "Minimally Audible Noise Shaping", JAES 39(11), 1991, and R. A. Wannamaker, "Psychoacoustically
Optimal Noise Shaping", JAES 40(7/8), 1992."""

SHAPED_RATES_HZ: Final = (44_100, 48_000)
"""The shapes follow the ear at these rates; above them they would push the noise to where it is heard."""

ERROR_MAX_STEPS: Final = 1.5
"""Rounding is off by half a step at most, and its dither by one."""


class Dither:
    """The last step of a master: triangular dither of 2 steps peak to peak, then rounding.

    The noise of a sample depends on the digest, the channel and the sample's place in the song alone (Philox4x64-10,
    one 64-bit word per sample), so neither block size nor a restart can be seen in it. With a noise shaper the error
    of the samples before takes part as well, and the song has to be printed from its start.

    Parameters
    ----------
    bits : {16, 24}
        Word length.
    digest : bytes
        32 bytes that name the recipe.
    channels : int
        Of every block.
    shaping : {"none", "lipshitz-5", "f-weighted-9"}
        Where the noise goes: nowhere, or from 2 to 6 kHz up to where the ear is deaf.
    sample_rate : int, optional
        In Hz; needed with a noise shaper.

    Attributes
    ----------
    clipped_samples : int
        How many samples did not fit so far.
    headroom_db : float
        How far below full scale a signal has to stay so that no noise can clip it, 0 or less.

    Raises
    ------
    ParameterError
        Another word length or shaper, a digest of another length, or a shaper at a rate it is not made for.
    """

    def __init__(
        self, *, bits: int, digest: bytes, channels: int, shaping: str = "none", sample_rate: int | None = None
    ) -> None:
        if bits not in BIT_DEPTHS:
            raise ParameterError("Dither.bits", bits, "16 or 24")
        if len(digest) != DIGEST_BYTES:
            raise ParameterError("Dither.digest", f"{len(digest)} bytes", f"{DIGEST_BYTES} bytes")
        self.headroom_db = shaping_headroom_db(bits, shaping)
        if shaping != "none" and sample_rate not in SHAPED_RATES_HZ:
            allowed = " or ".join(str(rate) for rate in SHAPED_RATES_HZ)
            raise ParameterError("Dither.sample_rate", sample_rate, f"{allowed} Hz with noise shaping")
        self._scale = float(1 << (bits - 1))
        self._keys = [_key(digest, channel) for channel in range(channels)]
        self._taps = np.array(SHAPERS[shaping])
        self._errors = np.zeros((channels, self._taps.size))
        self._clock = 0
        self.clipped_samples = 0

    def process(self, samples: Audio) -> tuple[Int32s, Audio]:
        """Round the next block.

        Parameters
        ----------
        samples : ndarray [shape=(channels, frames)]
            Full scale 1.0.

        Returns
        -------
        pcm : ndarray of int32 [shape=(channels, frames)]
            Signed whole numbers of the chosen length.
        real : ndarray of float64 [shape=(channels, frames)]
            The floats they stand for: pcm / 2^(bits - 1).
        """
        whole = np.empty(samples.shape, dtype=np.int32)
        real = np.empty_like(samples)
        for channel, key in enumerate(self._keys):
            row = samples[channel]
            if self._taps.size:
                errors = self._errors[channel]
                result = pcm.shaped_dither(row, self._scale, key, self._clock, taps=self._taps, errors=errors)
            else:
                result = pcm.dither(row, self._scale, key, self._clock)
            whole[channel], real[channel], clipped = result
            self.clipped_samples += clipped
        self._clock += samples.shape[1]
        return whole, real


def shaping_headroom_db(bits: int, shaping: str) -> float:
    """Return the level in dBFS below which no noise of this word length and shaper can clip.

    Raises
    ------
    ParameterError
        No shaper has that name.
    """
    if shaping not in SHAPERS:
        raise ParameterError("Dither.shaping", shaping, f"one of {', '.join(SHAPERS)}")
    # One step more, because the largest whole number is one short of full scale.
    steps = ERROR_MAX_STEPS * (1.0 + math.fsum(abs(tap) for tap in SHAPERS[shaping])) + 1.0
    return 20.0 * math.log10(1.0 - steps / float(1 << (bits - 1)))


def _key(digest: bytes, channel: int) -> tuple[int, int]:
    """Return the generator's 128-bit key of one channel."""
    seed = hashlib.sha256(b"tapelog dither\0" + digest + channel.to_bytes(4, "little")).digest()
    return int.from_bytes(seed[:8], "little"), int.from_bytes(seed[8:16], "little")
