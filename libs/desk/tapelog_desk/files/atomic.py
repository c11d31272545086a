"""Files that appear whole or not at all: written beside their place, synced, renamed."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from tapelog_desk.errors import OutputError

_READ_BYTES: Final = 1024 * 1024


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the error for a file that cannot be written."""
    problem = f"{path} cannot be written: {error.strerror or error}"
    return OutputError(
        "OUTPUT_NOT_WRITABLE", problem, "check the folder, its rights and the free space", file=path.name
    )


def partial_path(path: Path) -> Path:
    """Return a name beside a file for its unfinished content."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def commit(partial: Path, path: Path) -> None:
    """Make unfinished content durable and give it its name, replacing what was there."""
    try:
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only if the block ends well.

    Raises
    ------
    OutputError
        It cannot be written; nothing is left behind.
    """
    partial = partial_path(path)
    try:
        with partial.open("xb") as file:
            yield file
        commit(partial, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
