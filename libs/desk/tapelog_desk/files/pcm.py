"""Samples as bytes, and the digest that tells equal sound from equal files."""

import hashlib

import numpy as np
import numpy.typing as npt
from tapelog_dsp import pack_pcm
from tapelog_dsp.kernels.pcm import pack_floats as pack_float32

from tapelog_desk.files.decoders import Samples


def pack_integers(values: npt.NDArray[np.int32], sample_bytes: int) -> memoryview:
    """Return interleaved little-endian PCM of signed integers ``[channels, frames]``."""
    return pack_pcm(values, sample_bytes).data


def pack_floats(samples: Samples, bits: int) -> memoryview:
    """Return interleaved little-endian floats of 32 or 64 bits."""
    if bits == 32:
        return pack_float32(samples).data
    return np.ascontiguousarray(samples.T, dtype=f"<f{bits // 8}").reshape(-1).view(np.uint8).data


class SampleDigest:
    """SHA-256 over the samples as interleaved little-endian PCM, before any container.

    Parameters
    ----------
    bit_depth : int
        Of the file; 0 for codecs without one, whose decoded samples are digested as 32-bit floats.
    is_float : bool
        Whether samples are floats.
    """

    def __init__(self, bit_depth: int, *, is_float: bool) -> None:
        self._float_bits = (bit_depth or 32) if is_float or bit_depth == 0 else 0
        self._sample_bytes = (bit_depth + 7) // 8
        self._hash = hashlib.sha256()

    def add(self, samples: Samples) -> memoryview:
        """Take the next decoded block ``[channels, frames]`` and return it packed."""
        if self._float_bits:
            packed = pack_floats(samples, self._float_bits)
        else:
            scaled = np.rint(samples * float(1 << (8 * self._sample_bytes - 1)))
            packed = pack_integers(scaled.astype(np.int32), self._sample_bytes)
        self._hash.update(packed)
        return packed

    def add_bytes(self, packed: memoryview) -> None:
        """Take a block that is packed already."""
        self._hash.update(packed)

    def hexdigest(self) -> str:
        """Return the digest so far, lower-case hex."""
        return self._hash.hexdigest()
