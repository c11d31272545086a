"""What a process needs before it loads NumPy, and for its memory: imported first by the package.

The core calls no BLAS in the sample path, yet OpenBLAS starts a thread per processor when NumPy is loaded, and those
spin before they sleep: 50 ms of processor time per process on two cores. A number of threads that is set already stays.
"""

import ctypes
import os
from typing import Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

TRIM_THRESHOLD_BYTES: Final = 64 * 1024 * 1024
"""Free memory that the C library keeps at the top of its heap instead of giving it back after every block."""

MAP_THRESHOLD_BYTES: Final = 4 * 1024 * 1024
"""From here on an allocation gets pages of its own: above every block of audio (2 channels of 65,536 doubles: 1 MB)."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_memory() -> None:
    """Let the C library reuse the memory of a block for the next one.

    By its own rules glibc returns each array above 128 KB to the system and fetches it again, zeroed page by page: a
    quarter of a mastering run was spent on page faults. Other C libraries have no such switch and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(_M_MMAP_THRESHOLD, MAP_THRESHOLD_BYTES)
