"""Door to ``pcm.c``: dithered rounding to whole numbers."""

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import Float64s, address, function

Int32s = npt.NDArray[np.int32]


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
