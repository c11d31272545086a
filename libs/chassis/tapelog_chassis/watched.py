"""A file that others replace while we run."""

from pathlib import Path

_Stamp = tuple[int, int, int]


class WatchedFile:
    """Tells whether a file is another one than when it was last asked about; a missing one counts as unchanged.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = _stamp(path)

    def has_changed(self) -> bool:
        """Say whether it changed since the last call."""
        now = _stamp(self.path)
        if now is None or now == self._seen:
            return False
        self._seen = now
        return True

    def __repr__(self) -> str:
        return f"WatchedFile({str(self.path)!r})"


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
