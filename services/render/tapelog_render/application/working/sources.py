"""What a render is made of: fetched, or read where it lies, and in either case proved to be what its name says."""

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tapelog_chassis.objects import (
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
)

from tapelog_render.application.ports import EngineFailure

PROVED_FOR_S: Final = 24 * 3600.0
"""How long a file counts as proved that has not been written since; a disk that decays shows within a day."""
PROVED_MAX: Final = 20_000
"""Files remembered, at about 200 bytes each: those of a thousand songs."""
BLOCK_BYTES: Final = 1024 * 1024

_State = tuple[int, int, int]
"""Number, length and time of the last change of a file: what no write leaves as it was."""


class ProvedFiles:
    """Remembers which files of a local store were proved to have the content that their name says."""

    def __init__(self, *, proved_for_s: float = PROVED_FOR_S) -> None:
        self._proved_for_s = proved_for_s
        self._proved: dict[str, tuple[_State, float]] = {}

    def __repr__(self) -> str:
        return f"ProvedFiles({len(self._proved)} files)"

    async def prove(self, sources: Mapping[str, Path]) -> None:
        """Hash each file that was not hashed lately, or has been written since; raises `EngineFailure`."""
        for sha256, path in sources.items():
            try:
                await asyncio.to_thread(self._prove, sha256, path)
            except FileNotFoundError as error:
                raise _missing(sha256) from error
            except OSError as error:
                raise EngineFailure("OBJECT_STORE_UNAVAILABLE", str(error), is_final=False) from error

    def _prove(self, sha256: str, path: Path) -> None:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            state = (found.st_ino, found.st_size, found.st_ctime_ns)
            known, proved_s = self._proved.pop(sha256, (None, 0.0))
            if known != state or time.monotonic() > proved_s + self._proved_for_s:
                digest, proved_s = hashlib.sha256(), time.monotonic()
                while block := file.read(BLOCK_BYTES):
                    digest.update(block)
                if digest.hexdigest() != sha256:
                    problem = str(ObjectCorruptError(sha256, digest.hexdigest()))
                    raise EngineFailure("SOURCE_CORRUPT", problem, is_final=False)
        self._proved[sha256] = (state, proved_s)
        while len(self._proved) > PROVED_MAX:
            del self._proved[next(iter(self._proved))]


async def fetch(objects: ObjectStore, assets: Sequence[str], folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return a file for every asset, and those among them that are still to be proved.

    In a local folder they are read where they lie, and proved while they are; from a bucket they come verified.

    Raises
    ------
    EngineFailure
    """
    sources, unproved = {}, {}
    for sha256 in assets:
        path = objects.local_path(sha256)
        if path is not None:
            unproved[sha256] = path
        else:
            path = folder / sha256
            await _fetch_to(objects, sha256, path)
        sources[sha256] = path
    return sources, unproved


async def _fetch_to(objects: ObjectStore, sha256: str, path: Path) -> None:
    try:
        await objects.fetch_to(sha256, path)
    except ObjectNotFoundError as error:
        raise _missing(sha256) from error
    except ObjectCorruptError as error:
        raise EngineFailure("SOURCE_CORRUPT", str(error), is_final=False) from error
    except ObjectStoreUnavailableError as error:
        raise EngineFailure("OBJECT_STORE_UNAVAILABLE", str(error), is_final=False) from error


def _missing(sha256: str) -> EngineFailure:
    return EngineFailure(
        "SOURCE_MISSING",
        f"asset {sha256} is not in the object store: upload it again, then ask for the render again",
        is_final=True,
    )
