"""Places at which a test may have a process die, as a power cut would: `TAPELOG_FAILPOINT=name` in its environment.

Without the variable a failpoint is a comparison with None. With `name:FOLDER` each process that comes there dies until
FOLDER holds as many files as `name:FOLDER:TIMES` says (1 by default), so that a restarted process gets past it.
"""

import os
import signal
from pathlib import Path
from typing import Final

VARIABLE: Final = "TAPELOG_FAILPOINT"

_NAME, _, _REST = os.environ.get(VARIABLE, "").partition(":")
_ARMED: Final = _NAME or None
_FOLDER, _, _TIMES = _REST.partition(":")


def failpoint(name: str) -> None:
    """Die here by SIGKILL if a test asks for it."""
    if name == _ARMED:
        _die(name)


def _die(name: str) -> None:
    if _FOLDER:
        for count in range(int(_TIMES or 1)):
            try:
                os.close(os.open(Path(_FOLDER) / f"{name}-{count}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            break
        else:
            return
    os.kill(os.getpid(), signal.SIGKILL)
