"""The load of the runs: events at a rate, on a port of their own."""

import asyncio
import socket
import time
from typing import Final

import pytest
from tapelog_notify.testing import Recorder


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


LATE_MAX_S: Final = 0.5
"""A run whose own appends came later than this says how busy the machine is, and nothing about the service."""


def require_quiet(late_s: float) -> None:
    """Skip the judgement of a run on a machine that could not even make the load; its figures were told."""
    if late_s > LATE_MAX_S:
        pytest.skip(f"appends came up to {late_s:.1f} s late: the machine is too busy for a judgement of times")


async def append_at(recorder: Recorder, rate_hz: float, songs: list[str], events: int) -> float:
    """Append to each song in turn at a rate in all; return how late the last one was."""
    began_s = time.monotonic()
    late_s = 0.0
    for number in range(events * len(songs)):
        due_s = began_s + number / rate_hz
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        await recorder.append(songs[number % len(songs)])
        late_s = max(late_s, time.monotonic() - due_s)
    return late_s
