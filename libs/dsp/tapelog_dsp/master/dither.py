"""TPDF dither to 24 or 16 bit, keyed so that the same master always gets the same noise."""

import hashlib
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels import pcm
from tapelog_dsp.kernels.pcm import Int32s

BIT_DEPTHS: Final = (16, 24)
DIGEST_BYTES: Final = 32


class Dither:
    """The last step of a master: triangular dither of 2 steps peak to peak, then rounding.

    The noise of a sample depends on the digest, the channel and the sample's place in the song alone (Philox4x64-10,
    one 64-bit word per sample), so neither block size nor a restart can be seen in it.

    Parameters
    ----------
    bits : {16, 24}
        Word length.
    digest : bytes
        32 bytes that name the recipe.
    channels : int
        Of every block.

    Raises
    ------
    ParameterError
        Another word length, or a digest of another length.
    """

    def __init__(self, *, bits: int, digest: bytes, channels: int) -> None:
        if bits not in BIT_DEPTHS:
            raise ParameterError("Dither.bits", bits, "16 or 24")
        if len(digest) != DIGEST_BYTES:
            raise ParameterError("Dither.digest", f"{len(digest)} bytes", f"{DIGEST_BYTES} bytes")
        self._scale = float(1 << (bits - 1))
        self._keys = [_key(digest, channel) for channel in range(channels)]
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
            whole[channel], real[channel], clipped = pcm.dither(samples[channel], self._scale, key, self._clock)
            self.clipped_samples += clipped
        self._clock += samples.shape[1]
        return whole, real


def _key(digest: bytes, channel: int) -> tuple[int, int]:
    """Return the generator's 128-bit key of one channel."""
    seed = hashlib.sha256(b"tapelog dither\0" + digest + channel.to_bytes(4, "little")).digest()
    return int.from_bytes(seed[:8], "little"), int.from_bytes(seed[8:16], "little")
