"""The digests a file is known by, taken in a thread beside its measurement."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 1024 * 1024


def _digests(path: Path, samples: tuple[int, int] | None, stop: threading.Event) -> tuple[str, str]:
    """Return the SHA-256 of a file, and of the samples in it where they need no decoding, else nothing."""
    whole, inner = hashlib.sha256(), hashlib.sha256()
    first, end = (samples[0], sum(samples)) if samples else (0, 0)
    place, buffer = 0, memoryview(bytearray(_READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while not stop.is_set() and (got := file.readinto(buffer)):
            whole.update(buffer[:got])
            inner.update(buffer[max(first - place, 0) : max(min(end - place, got), 0)])
            place += got
    return whole.hexdigest(), inner.hexdigest() if samples else ""


@contextmanager
def identified(path: Path, samples: tuple[int, int] | None) -> Iterator["Future[tuple[str, str]]"]:
    """Give the digests of a file in the making; leaving by an error ends the reading at once.

    Parameters
    ----------
    path : Path
        The file.
    samples : (int, int), optional
        First byte and length of its samples, as `AudioReader.plain_bytes` has them.

    Yields
    ------
    Future of (str, str)
        Digest of the file; digest of its samples, empty where they must be decoded for it.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1, "identity") as pool:
        try:
            yield pool.submit(_digests, path, samples, stop)
        except BaseException:
            stop.set()
            raise
