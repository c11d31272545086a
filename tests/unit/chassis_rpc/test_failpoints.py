"""Places at which a process can be made to die."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from tapelog_chassis.failpoints import failpoint
for number in range(3):
    failpoint("notify.after_post")
    print(number, flush=True)
"""


@pytest.mark.parametrize(
    ("armed", "printed", "code"),
    [
        ("", "0\n1\n2\n", 0),
        ("notify.before_post", "0\n1\n2\n", 0),
        ("notify.after_post", "", -signal.SIGKILL),
        ("notify.after_post:3", "0\n1\n", -signal.SIGKILL),
        ("notify.after_post:4", "0\n1\n2\n", 0),
        ("after post", "", 1),
    ],
)
def test_a_process_dies_where_it_is_armed_and_nowhere_else(armed: str, printed: str, code: int) -> None:
    """By SIGKILL, at the named place, the so-manieth time; a name that is none is told at the start."""
    environment = {**os.environ, "TAPELOG_FAILPOINT": armed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == (printed, code)
