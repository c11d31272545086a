"""An interactive zsh on a terminal of its own: what it offers for a command line."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Final

ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WAIT_S: Final = 20.0
SIZE: Final = struct.pack("HHHH", 400, 200, 0, 0)
LIST: Final = "\x04"
"""Ctrl-D at the end of a line lists the choices."""
TOLD: Final = "\x18d"
SET_UP: Final = """PROMPT=; unset zle_bracketed_paste; LISTMAX=9999; setopt no_beep; {setup}
told() {{ print -n 'TO''LD' }}; zle -N told; bindkey '^Xd' told; zle-line-init() {{ print -n 'REA''DY' }}; zle -N zle-line-init
"""  # noqa: E501 - zsh reads the set-up line by line: the editor is ready after the last


def offered(zsh: str, setup: str, line: str, folder: Path) -> str:
    """Return what zsh shows below a line when its completions are listed.

    Parameters
    ----------
    setup : str
        What the person has in their `.zshrc`.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, SIZE)
    try:
        with subprocess.Popen(
            [zsh, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=folder,
            env={**os.environ, "TERM": "xterm"},
        ) as shell:  # fmt: skip
            try:
                os.write(ours, SET_UP.format(setup=setup).encode())
                _until(ours, b"READY")
                os.write(ours, (line + LIST + TOLD).encode())
                return ESCAPE.sub("", _until(ours, b"TOLD")).partition("\n")[2]
            finally:
                shell.kill()
    finally:
        os.close(ours)
        os.close(theirs)


def _until(terminal: int, mark: bytes) -> str:
    said, end_s = b"", time.monotonic() + WAIT_S
    while mark not in said:
        readable, _, _ = select.select([terminal], [], [], max(end_s - time.monotonic(), 0))
        assert readable, said
        said += os.read(terminal, 65_536)
    return said.decode(errors="replace")
