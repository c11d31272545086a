"""The next blocks made in a thread while the present one is used."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

BLOCKS_AHEAD: Final = 2
"""One that is being made and one that waits: enough for unequal blocks, and memory for two."""

_B = TypeVar("_B")


def ahead(blocks: Iterator[_B], *, threads: int = 2) -> Generator[_B, None, None]:
    """Yield what an iterator gives, which runs in a thread of its own, at most `BLOCKS_AHEAD` blocks in front.

    Nothing else may touch the iterator, or memory that it reuses, until this has ended or was closed: then it does not
    run any more. What it raises is raised here.

    Parameters
    ----------
    blocks : iterator
        None ends it too.
    threads : int
        With one nothing runs ahead: the blocks are passed on as they come.
    """
    if threads < 2:
        yield from blocks
        return
    with ThreadPoolExecutor(1, "ahead") as pool:
        waiting: deque[Future[_B | None]] = deque(pool.submit(next, blocks, None) for _ in range(BLOCKS_AHEAD))
        try:
            while (block := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, blocks, None))
                yield block
        finally:
            for future in waiting:
                future.cancel()
