"""What the kernel says of processes that it ended because memory ran out, in the control group that this one is in.

Sources: Linux Documentation/admin-guide/cgroup-v2.rst (memory.events) and cgroup-v1/memory.rst (memory.oom_control).
"""

from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")
FIRST_TO_GO: Final = 1000
"""Of a process that the kernel should end before any other: the engine, and not the worker that can tell why."""


def kills_so_far() -> int:
    """Return how many processes of this control group the kernel has ended for memory; 0 where it does not say."""
    for file in _counters():
        try:
            words = file.read_text().split()
        except OSError:
            continue
        if "oom_kill" in words:
            return int(words[words.index("oom_kill") + 1])
    return 0


def _counters() -> list[Path]:
    try:
        lines = OWN.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            # A container sees its own group as the root of what is mounted.
            found += [CGROUPS / "memory" / path.lstrip("/"), CGROUPS / "memory"]
        elif not controllers:
            found += [CGROUPS / path.lstrip("/"), CGROUPS / "unified" / path.lstrip("/"), CGROUPS]
    return [folder / name for folder in found for name in ("memory.events", "memory.oom_control")]


def go_first() -> None:
    """Ask the kernel to end this process before others when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    except OSError:
        return  # without it the kernel chooses by size
