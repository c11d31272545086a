"""Door to ``pcm.c``: dithered rounding to whole numbers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import Float64s, address, function

Int32s = npt.NDArray[np.int32]

FLOATS: Final = -4
"""Instead of the bytes of a whole number: samples that are floats of 32 bits."""


def dither(samples: Float64s, scale: float, key: tuple[int, int], start_frame: int) -> tuple[Int32s, Float64s, int]:
    """Round one channel ``[frames]`` to steps of 1 / scale with triangular dither.

    Returns
    -------
    pcm : ndarray of int32 [shape=(frames,)]
        From -scale to scale - 1.
    real : ndarray of float64 [shape=(frames,)]
        pcm / scale.
    clipped : int
        How many samples did not fit.
    """
    pcm = np.empty(samples.size, dtype=np.int32)
    real = np.empty(samples.size)
    clipped: int = function("tl_dither", "pduulppl", "l")(
        address(samples), scale, *key, start_frame, address(pcm), address(real), samples.size
    )
    return pcm, real, clipped


def unpack_pcm(raw: bytes | bytearray | memoryview, sample_bytes: int, block: Float64s) -> None:
    """Write interleaved little-endian samples into planar ones, full scale 1.

    Parameters
    ----------
    raw : bytes-like
        ``channels * frames`` samples.
    sample_bytes : int
        2, 3 or 4 bytes to a whole number, or `FLOATS`.
    block : ndarray [shape=(channels, frames)]
        Where they go; a part of a longer block may be given.
    """
    channels, frames = block.shape
    source = np.frombuffer(raw, dtype=np.uint8)
    if source.size != channels * frames * abs(sample_bytes) or (frames and block.strides[1] != block.itemsize):
        raise ValueError(f"{source.size} bytes do not fill {block.shape} samples of {sample_bytes} bytes")
    if not frames:
        return
    function("tl_unpack", "pllpll")(
        source.ctypes.data, sample_bytes, channels, block.ctypes.data, block.strides[0] // block.itemsize, frames
    )


def pack_pcm(values: npt.NDArray[np.int32], sample_bytes: int) -> npt.NDArray[np.uint8]:
    """Return whole numbers ``[channels, frames]`` as interleaved little-endian bytes of 2, 3 or 4 to a sample."""
    channels, frames = values.shape
    raw = np.empty(channels * frames * sample_bytes, dtype=np.uint8)
    source = np.ascontiguousarray(values)  # held by its name: an address alone keeps no copy alive
    function("tl_pack", "pllpl")(address(source), sample_bytes, channels, address(raw), frames)
    return raw


def pack_floats(samples: Float64s) -> npt.NDArray[np.uint8]:
    """Return samples ``[channels, frames]`` as interleaved little-endian floats of 32 bits."""
    channels, frames = samples.shape
    raw = np.empty(4 * channels * frames, dtype=np.uint8)
    # Held by its name: an address alone keeps no copy alive. Rows may lie apart.
    source = samples if frames and samples.strides[1] == samples.itemsize else np.ascontiguousarray(samples)
    stride = source.strides[0] // source.itemsize
    function("tl_pack_floats", "pllpl")(source.ctypes.data, channels, stride, address(raw), frames)
    return raw


def shaped_dither(
    samples: Float64s, scale: float, key: tuple[int, int], start_frame: int, *, taps: Float64s, errors: Float64s
) -> tuple[Int32s, Float64s, int]:
    """Do the same with the error fed back through ``taps``; ``errors``, the newest first, move on in place."""
    pcm = np.empty(samples.size, dtype=np.int32)
    real = np.empty(samples.size)
    clipped: int = function("tl_shaped_dither", "pduulpplppl", "l")(
        address(samples), scale, *key, start_frame, address(taps), address(errors), taps.size, address(pcm),
        address(real), samples.size,
    )  # fmt: skip
    return pcm, real, clipped
