"""Places at which a test lets a process die, as a power cut would: inert unless the environment names one.

`TAPELOG_FAILPOINT=notify.after_post:3` kills the process, by SIGKILL, when it passes that place for the third time.
`render.upload@FOLDER` kills one process of many: the first that passes the place and finds no file of that name there.
No setting, file or request can arm one; where the variable is not set, passing a place is one comparison.
"""

import os
import re
import signal
from pathlib import Path
from typing import Final

VARIABLE: Final = "TAPELOG_FAILPOINT"
_FORM: Final = re.compile(r"(?P<name>[a-z]+\.[a-z_]+)(:(?P<count>[1-9][0-9]{0,5}))?(@(?P<folder>.+))?")


class _Armed:
    """The place that kills, how often it is still passed alive, and where the dead leave their mark."""

    def __init__(self, text: str) -> None:
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{VARIABLE}={text!r} is not of the form service.place, service.place:3 or either@FOLDER")
        self.name = found["name"]
        self.left = int(found["count"] or 1)
        self.mark = Path(found["folder"]) / self.name if found["folder"] else None

    def passed(self) -> None:
        """Die if this was the time."""
        self.left -= 1
        if self.left > 0 or (self.mark is None and self.left < 0):
            return
        if self.mark is not None:
            try:
                os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                return
        os.kill(os.getpid(), signal.SIGKILL)


_armed: Final = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def failpoint(name: str) -> None:
    """Pass a place; the process ends here if it is the armed one, and its time has come."""
    if _armed is not None and _armed.name == name:
        _armed.passed()
