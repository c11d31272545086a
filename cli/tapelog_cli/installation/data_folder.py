"""The data folder of a stack: private, and used by one stack at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tapelog_client.local import StackState

from tapelog_cli.errors import DataFolderInUse

LOCK_FILE: Final = "up.lock"
"""Held by `flock` while a stack runs, so that the kernel lets go of it whatever happens; holds the process number."""


class DataFolder:
    """Locks a data folder. Use as `with DataFolder(path) as folder`.

    Attributes
    ----------
    path : Path
        Absolute.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor = -1

    def __enter__(self) -> Self:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)  # one that was there may have been open to others
        descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataFolderInUse(self.path, int(holder) if holder.isdigit() else 0) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        StackState.remove(self.path)  # of a stack that was killed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        StackState.remove(self.path)
        os.close(self._descriptor)

    def folder(self, name: str) -> Path:
        """Return a private folder inside, made if missing."""
        made = self.path / name
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        return made

    def write_private(self, name: str, text: str) -> Path:
        """Write a file that only this user can read, and return its path."""
        path = self.path / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return path

    def __repr__(self) -> str:
        return f"DataFolder({str(self.path)!r})"
