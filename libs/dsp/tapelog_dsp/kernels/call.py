"""How the C functions are called: by address, unchecked, and without holding the interpreter while they run.

The doors stand in one module per family; each has a plain twin of the same name in `tapelog_dsp.kernels.twins`, equal
bit for bit.
"""

import ctypes
import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tapelog_dsp.kernels.loader import open_library

Float64s = npt.NDArray[np.float64]
Float32s = npt.NDArray[np.float32]
Int16s = npt.NDArray[np.int16]
Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]

_POINTER: Final = ctypes.c_void_p
_LONG: Final = ctypes.c_int64
_DOUBLE: Final = ctypes.c_double


@functools.cache
def function(name: str, signature: str, result: str = "") -> Any:
    """Look a C function up once.

    The signature spells its arguments: p(ointer), l(ong), u(nsigned long), d(ouble), f(loat).
    """
    kinds = {"p": _POINTER, "l": _LONG, "d": _DOUBLE, "f": ctypes.c_float, "u": ctypes.c_uint64}
    entry = getattr(open_library(), name)
    entry.argtypes = [kinds[letter] for letter in signature]
    entry.restype = kinds[result] if result else None
    return entry


def address(array: npt.NDArray[Any]) -> int:
    """Return where a C-contiguous array starts."""
    try:
        # A third of the time that NumPy's own way takes; it counts at a dozen arrays per strip and block.
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # an array is a buffer
    except (TypeError, ValueError):  # read-only or empty
        return int(array.ctypes.data)
