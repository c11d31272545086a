"""Places at which a test lets a process die, as a power cut would: inert unless the environment names one.

`TAPELOG_FAILPOINT=notify.after_post:3` kills the process, by SIGKILL, when it passes that place for the third time.
No setting, file or request can arm one; where the variable is not set, passing a place is one comparison.
"""

import os
import re
import signal
from typing import Final

VARIABLE: Final = "TAPELOG_FAILPOINT"
_FORM: Final = re.compile(r"(?P<name>[a-z]+\.[a-z_]+)(:(?P<count>[1-9][0-9]{0,5}))?")


class _Armed:
    """The place that kills, and how often it is still passed alive."""

    def __init__(self, text: str) -> None:
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{VARIABLE}={text!r} is not of the form service.place or service.place:3")
        self.name = found["name"]
        self.left = int(found["count"] or 1)


_armed: Final = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def failpoint(name: str) -> None:
    """Pass a place; the process ends here if it is the armed one, and its time has come."""
    if _armed is None or _armed.name != name:
        return
    _armed.left -= 1
    if not _armed.left:
        os.kill(os.getpid(), signal.SIGKILL)
