"""Door to ``checksum.c``: whether kept samples are still what they were."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.call import address, function


def checksum(data: npt.NDArray[Any], seed: int = 0) -> int:
    """Return 64 bits that change with any word of an array's bytes; those of the array before it are the seed."""
    plain = data if data.flags.c_contiguous else np.ascontiguousarray(data)
    return int(function("tl_checksum", "plu", "u")(address(plain), plain.nbytes, seed))
