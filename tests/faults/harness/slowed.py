"""A process that gets less of the processor than there is, so that its clients can ask five times as much as it can do.

gRPC's own clients need 0.2 ms a call: beside a service at full speed, on two cores, they would measure themselves.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

CPU: Final = Path("/sys/fs/cgroup/cpu")
PERIOD_US: Final = 10_000
"""Short, so that a share of a core is a slower core and not one that stands still at times."""


@contextlib.contextmanager
def share_of_a_core(pid: int, share: float) -> Iterator[None]:
    """Let a process, with all its threads, run for this share of each period; skips without a control group for it."""
    group = CPU / f"tapelog-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(round(share * PERIOD_US)))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"cannot make a control group of cgroup v1 for the processor: {error.strerror}")
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            (CPU / "cgroup.procs").write_text(str(pid))
        group.rmdir()
