"""Profiles on demand: a signal, a file of folded stacks, and nothing in it but names of code."""

import asyncio
import os
import threading
from pathlib import Path

from tapelog_chassis.observability.profiling import KEPT_MAX, SIGNAL, Profiler, profiling_on_demand, sample
from tapelog_chassis.testing import eventually


def spin_for_the_profile(stop: threading.Event, secret: str) -> int:
    """Work until told to stop."""
    count = 0
    while not stop.is_set():
        count += len(secret)
    return count


async def test_a_signal_makes_a_profile_of_what_runs(tmp_path: Path) -> None:
    """The busy function is in it, the value that it works on is not; the file is this user's alone."""
    folder, stop = tmp_path / "profiles", threading.Event()
    busy = threading.Thread(target=spin_for_the_profile, args=(stop, "swordfish"), name="busy thread")
    busy.start()
    try:
        with profiling_on_demand(folder, "test", seconds=0.2):
            os.kill(os.getpid(), SIGNAL)
            os.kill(os.getpid(), SIGNAL)  # a second one while the first is made is nothing
            await eventually(lambda: bool(list(folder.glob("*.folded"))))
    finally:
        stop.set()
        busy.join()
    (path,) = folder.glob("*.folded")
    text = path.read_text()
    found = [line for line in text.splitlines() if "spin_for_the_profile" in line]
    assert found
    stack, _, count = found[0].rpartition(" ")
    assert stack.startswith("busy thread;")
    assert int(count) > 0
    assert "swordfish" not in text
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_old_profiles_go(tmp_path: Path) -> None:
    """A folder keeps the newest few."""
    for number in range(KEPT_MAX + 3):
        old = tmp_path / f"test-{number}.folded"
        old.touch()
        os.utime(old, (number, number))
    Profiler(tmp_path, "test", seconds=0.02).start()
    await eventually(lambda: len(list(tmp_path.glob("*.folded"))) == KEPT_MAX)
    assert not (tmp_path / "test-0.folded").exists()


def test_a_deep_stack_is_cut() -> None:
    """However deep, a line has a limit."""

    def deep(level: int) -> None:
        if level:
            deep(level - 1)
        else:
            asyncio.run(asyncio.sleep(0.1))

    thread = threading.Thread(target=deep, args=(400,), name="deep")
    thread.start()
    stacks = sample(0.05)
    thread.join()
    assert max(stack.count(";") for stack in stacks) <= 128
