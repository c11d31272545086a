"""What worker and engine processes share: their names, and not outliving their parent."""

import ctypes
import os
import signal
import socket
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int, number: signal.Signals) -> bool:
    """Have the kernel send this process a signal when its parent ends; False if the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def worker_id(pid: int) -> str:
    """Return the id of the worker that is a process of this machine."""
    return f"wrk-{socket.gethostname()[:64]}-{pid}"
