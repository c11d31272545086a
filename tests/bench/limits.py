"""What this machine can do at most, on one core and on all: ``limits.py`` prints GFLOP/s and GB/s.

Multiply-add: NumPy's matrix product, whose inner loop is nothing else (two operations each, fused where the processor
can; our kernels may not fuse, so half of it is their ceiling). Copy: arrays far larger than any cache.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is loaded: threads are ours

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIZE = 512
ROUNDS = 4
COPY_BYTES = 64 * 1024 * 1024
REPEATS = 15


def least_cpu_s(work: Callable[[int], None], threads: int) -> float:
    """Return the least processor time that the work took in each of so many threads side by side.

    Processor time, for on a machine that others use the clock counts their work too.
    """

    def timed(thread: int) -> float:
        times = []
        for _ in range(REPEATS):
            begun = time.thread_time()
            work(thread)
            times.append(time.thread_time() - begun)
        return min(times)

    with ThreadPoolExecutor(threads) as pool:
        return max(pool.map(timed, range(threads)))


def multiply_add(kind: type, threads: int) -> float:
    """Return GFLOP/s of matrix products, all threads together."""
    one = [np.ones((SIZE, SIZE), dtype=kind) for _ in range(threads)]
    out = [np.empty((SIZE, SIZE), dtype=kind) for _ in range(threads)]

    def work(thread: int) -> None:
        for _ in range(ROUNDS):
            np.matmul(one[thread], one[thread], out=out[thread])

    return 2.0 * SIZE**3 * ROUNDS * threads / least_cpu_s(work, threads) / 1e9


def copy(threads: int) -> float:
    """Return GB/s of copying, what is read and what is written both counted."""
    source = [np.ones(COPY_BYTES, dtype=np.uint8) for _ in range(threads)]
    target = [np.ones_like(one) for one in source]

    def work(thread: int) -> None:
        np.copyto(target[thread], source[thread])

    return 2.0 * COPY_BYTES * threads / least_cpu_s(work, threads) / 1e9


if __name__ == "__main__":
    for threads in sorted({1, os.cpu_count() or 1}):
        figures = (multiply_add(np.float32, threads), multiply_add(np.float64, threads), copy(threads))
        sys.stdout.write(f"{threads} " + " ".join(f"{figure:.1f}" for figure in figures) + "\n")
