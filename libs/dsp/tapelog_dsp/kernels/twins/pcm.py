"""Twin of ``pcm.c``, on NumPy's own generator of the same name."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.pcm import Int32s


def dither(samples: Float64s, scale: float, key: tuple[int, int], start_frame: int) -> tuple[Int32s, Float64s, int]:
    """Round one channel with triangular dither out of Philox4x64-10."""
    generator = np.random.Philox(key=np.array(key, dtype=np.uint64), counter=0)
    words = generator.random_raw(start_frame + samples.size)[start_frame:]
    high = (words >> np.uint64(32)).astype(np.float64)
    low = (words & np.uint64(0xFFFFFFFF)).astype(np.float64)
    whole = np.floor(samples * scale + (high - low) / 4294967296.0 + 0.5)
    kept = np.clip(whole, -scale, scale - 1.0)
    return kept.astype(np.int32), kept * (1.0 / scale), int(np.count_nonzero(kept != whole))
