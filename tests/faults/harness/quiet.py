"""How long something would take on a machine that nobody else uses: the clock's time less the wait for a processor.

The kernel counts for every thread how long it was ready to run and did not (`/proc/PID/schedstat`, second number). A
process that starts takes several times as long on a machine that is shared, and that says nothing about it.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path


def waited_s(pid: int) -> float:
    """Return how long the process's busiest thread has waited for a processor; 0 where the kernel does not count."""
    delays = [0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            delays.append(int(path.read_text().split()[1]))
        except OSError:
            continue
    return max(delays) / 1e9


@dataclass(frozen=True)
class Lap:
    """What a stopwatch shows, in seconds: by the clock, and without the wait for a processor."""

    clock_s: float
    quiet_s: float


@dataclass
class Stopwatch:
    """Runs from its making on."""

    begun_s: float = field(default_factory=time.monotonic)
    own_s: float = field(default_factory=lambda: waited_s(os.getpid()))

    def lap(self, *pids: int) -> Lap:
        """Read it.

        Parameters
        ----------
        *pids : int
            Processes that were started since, and that had to get somewhere. Whoever waited longest counts, this
            process included: others may have waited at the same time.
        """
        clock_s = time.monotonic() - self.begun_s
        delay_s = max([waited_s(os.getpid()) - self.own_s, *(waited_s(pid) for pid in pids)])
        return Lap(clock_s, max(0.0, clock_s - delay_s))
