"""A child that must not outlive its parent."""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int, number: signal.Signals) -> bool:
    """Have the kernel send this process a signal when its parent ends; False if the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent
