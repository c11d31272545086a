"""Door to ``limiter.c``: the gain that keeps peaks below a ceiling."""

import numpy as np

from tapelog_dsp.kernels.call import Float32s, Float64s, Int64s, address, function

LIMITER_NUMBERS = 9
"""Clock, head and tail of both windows, fast and slow envelope, the sums of both boxes; the rings follow them."""


def limiter_state(shape: Int64s) -> Int64s:
    """Return the memory of a limiter at rest for a shape of (look-ahead window, hold window, first box, second box)."""
    ahead, hold, first, second = (int(length) for length in shape)
    return np.zeros(LIMITER_NUMBERS + 2 * ahead + 2 * hold + first + second, dtype=np.int64)


def limit(shape: Int64s, ceiling: float, factors: Float64s, state: Int64s, peaks: Float32s) -> Float64s:
    """Return the linear gain ``[frames]`` that brings ``peaks`` below the ceiling; the state moves on in place.

    ``factors`` are what is left of the fast envelope after one frame, and the slow one's steps up and down per frame.
    The gain belongs to the sample that entered (first box + second box - 2) frames and the dilation earlier: see
    `tapelog_dsp.processors.limiter`.
    """
    gains = np.empty(peaks.size)
    function("tl_limit", "pdppppl")(
        address(shape), ceiling, address(factors), address(state), address(peaks), address(gains), peaks.size
    )
    return gains
