"""Memory and descriptors of processes over time, and the straight line through them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import psutil

EVERY_S: Final = 5.0
MIB: Final = 1024**2


@dataclass
class Track:
    """What one process held over time."""

    at_min: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)

    def slope(self, values: list[float], after_min: float) -> float:
        """Return the slope of the least-squares line behind the warm-up, per minute."""
        points = [(at_min, value) for at_min, value in zip(self.at_min, values, strict=True) if at_min >= after_min]
        at_min, kept = (np.array(column) for column in zip(*points, strict=True))
        return float(np.polyfit(at_min, kept, 1)[0])

    def told(self, after_min: float) -> str:
        """Return the figures in a few words."""
        return (
            f"{self.rss_mib[0]:.0f} to {self.rss_mib[-1]:.0f} MiB, {self.slope(self.rss_mib, after_min):+.2f} MiB/min, "
            f"{self.descriptors[0]:.0f} to {self.descriptors[-1]:.0f} descriptors, "
            f"{self.slope(self.descriptors, after_min):+.2f}/min"
        )


async def sample(processes: Callable[[], Mapping[str, psutil.Process]], tracks: dict[str, Track]) -> None:
    """Sample for ever; a process that has just died is left out."""
    begun_s = time.monotonic()
    while True:
        for name, process in processes().items():
            try:
                with process.oneshot():
                    rss, descriptors = process.memory_info().rss, process.num_fds()
            except psutil.NoSuchProcess:
                continue
            track = tracks.setdefault(name, Track())
            track.at_min.append((time.monotonic() - begun_s) / 60)
            track.rss_mib.append(rss / MIB)
            track.descriptors.append(descriptors)
        await asyncio.sleep(EVERY_S)
