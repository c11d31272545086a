"""What must not be used again: sign-in codes that were used, and sessions that were ended."""

import json
from pathlib import Path
from typing import Final

import structlog
from tapelog_chassis.clock import Clock

ENTRIES_MAX: Final = 10_000
"""Entries live until what they end would have expired by itself; so many in twelve hours are an attack, not people."""

_log = structlog.get_logger(__name__)


class Spent:
    """Remembers until a time, over restarts; at most `ENTRIES_MAX`, the ones that expire first give way.

    Parameters
    ----------
    path : Path
        One JSON pair a line: entry, Unix time at which it expires.
    clock : Clock
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._until_s: dict[str, float] = {}
        if path.exists():
            self._until_s = dict(json.loads(line) for line in path.read_text().splitlines())
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __contains__(self, entry: str) -> bool:
        return entry in self._until_s

    def add(self, entry: str, until_s: float) -> bool:
        """Remember an entry until a Unix time, on disk before this returns; False when it was there already."""
        if entry in self._until_s:
            return False
        now_s = self._clock.now().timestamp()
        kept = {name: until for name, until in self._until_s.items() if until > now_s}
        if len(kept) >= ENTRIES_MAX:
            _log.warning("spent sign-ins are full; the oldest give way", limit=ENTRIES_MAX)
            kept = dict(sorted(kept.items(), key=lambda item: item[1])[1:])
        kept[entry] = until_s
        self._until_s = kept
        part = self._path.with_suffix(".part")
        part.write_text("".join(json.dumps([name, until]) + "\n" for name, until in kept.items()))
        part.chmod(0o600)
        part.replace(self._path)
        return True
