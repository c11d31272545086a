"""Bars and colour: on a terminal only."""

import os
import pty
import subprocess
import sys

import pytest

PERCENT = """
from tapelog_cli.printed.transfers import percent_bar
with percent_bar("rendering mix-1", quiet={quiet}) as show:
    show(40.0)
"""
BYTES = """
from tapelog_client import Progress
from tapelog_cli.printed.transfers import bytes_bar
with bytes_bar("sending kick.wav", quiet={quiet}) as show:
    show(Progress("hash", 10, 1000))
    show(Progress("send", 500, 1000))
"""


def _on_a_terminal(code: str) -> str:
    """Run code whose standard error is a terminal; return what it drew there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, env=environment, text=True
    )
    os.close(theirs)
    drawn = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                part = terminal.read(4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            drawn += part
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    return drawn.decode()


@pytest.mark.parametrize(("code", "words"), [(PERCENT, "rendering mix-1"), (BYTES, "sending kick.wav")])
def test_a_terminal_shows_a_bar_with_the_time_left(code: str, words: str) -> None:
    """What is done, how much of it, and a clock; nothing on standard output."""
    drawn = _on_a_terminal(code.format(quiet=False))

    assert words in drawn
    assert "-:--:--" in drawn or "0:00:0" in drawn
    assert "\x1b[" in drawn


@pytest.mark.parametrize("code", [PERCENT, BYTES])
def test_nothing_is_drawn_for_programs_and_in_pipes(code: str) -> None:
    """With --json not even on a terminal, and without a terminal never."""
    assert _on_a_terminal(code.format(quiet=True)) == ""
    done = subprocess.run(
        [sys.executable, "-c", code.format(quiet=False)], capture_output=True, text=True, check=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("", "")
