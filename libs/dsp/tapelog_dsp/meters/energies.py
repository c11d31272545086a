"""What a loudness meter keeps of a programme: energy per 100 ms, and the loudest 400 ms looked for every 10 ms."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.loudness import HOPS_PER_S

HOPS_PER_STEP: Final = 10
"""Hops of 10 ms per step of 100 ms: gating blocks and series go by steps."""

MOMENTARY_HOPS: Final = 40
STRETCH_HOPS: Final = 16_384
"""Hops taken at a time: those of an hour at once would take 20 MB."""

WAITING_HOPS: Final = 1_024
"""Hops that are collected before anything is done with them: each time costs as much as the sums of a thousand."""


@dataclass(frozen=True, slots=True, eq=False)
class EnergyState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    steps : ndarray [shape=(steps,)]
        Energy of every finished step.
    count : int
        Finished hops.
    head, tail : ndarray [shape=(at most 39,)]
        The first and the last hops.
    loudest : float
        The largest mean power of 400 ms.
    """

    steps: Float64s
    count: int
    head: Float64s
    tail: Float64s
    loudest: float


class Energies:
    """Hops in, steps out: 0.3 MB per hour of programme.

    Parameters
    ----------
    first_hop : int
        Number of the first hop on the programme's clock, a multiple of `HOPS_PER_STEP`.
    rate : int
        Sample rate in Hz.
    """

    def __init__(self, first_hop: int, rate: int) -> None:
        self._first, self._rate = first_hop, rate
        self._room = np.empty(1024)
        self._filled = 0
        self._waiting: list[Float64s] = []
        self._waiting_hops = 0
        self._count = 0
        self._loudest = 0.0
        self._head = self._tail = np.empty(0)

    @property
    def steps(self) -> Float64s:
        """Energy of every finished step."""
        self._settle()
        return self._room[: self._filled]

    @property
    def loudest(self) -> float:
        """The largest mean power of 400 ms."""
        self._settle()
        return self._loudest

    def add(self, hops: Float64s) -> None:
        """Take the energies of the next hops."""
        self._waiting.append(hops)
        self._waiting_hops += hops.size
        if self._waiting_hops >= WAITING_HOPS:
            self._settle()

    def _settle(self) -> None:
        """Work through what was collected."""
        if not self._waiting:
            return
        hops = np.concatenate(self._waiting)
        self._waiting, self._waiting_hops = [], 0
        for first in range(0, hops.size, STRETCH_HOPS):
            self._add(hops[first : first + STRETCH_HOPS])

    def _add(self, hops: Float64s) -> None:
        joined = np.concatenate((self._tail, hops))
        begun = self._count - self._tail.size
        self._look(joined, begun)
        step, end = self._count // HOPS_PER_STEP, (self._count + hops.size) // HOPS_PER_STEP
        self._keep(step_sums(joined[step * HOPS_PER_STEP - begun : end * HOPS_PER_STEP - begun]))
        if self._head.size < MOMENTARY_HOPS - 1:
            self._head = np.concatenate((self._head, hops))[: MOMENTARY_HOPS - 1]
        self._count += hops.size
        self._tail = joined[-(MOMENTARY_HOPS - 1) :].copy()

    def _look(self, hops: Float64s, begun: int) -> None:
        """Look for the loudest 400 ms within hops that begin `begun` hops after the first."""
        powers = window_sums(hops, MOMENTARY_HOPS)
        if powers.size:
            powers /= self.frames(MOMENTARY_HOPS, powers.size, begun=begun, every=1)
            self._loudest = max(self._loudest, float(powers.max()))

    def _keep(self, steps: Float64s) -> None:
        needed = self._filled + steps.size
        if needed > self._room.size:
            # What is not written yet takes no memory, so only the steps themselves count.
            grown = np.empty(max(needed, 2 * self._room.size))
            grown[: self._filled] = self._room[: self._filled]
            self._room = grown
        self._room[self._filled : needed] = steps
        self._filled = needed

    def frames(self, hops: int, windows: int, *, begun: int = 0, every: int = HOPS_PER_STEP) -> Float64s:
        """Return how many frames each window of ``hops`` hops covers, for windows that start ``every`` so many hops."""
        starts = self._first + begun + np.arange(windows, dtype=np.int64) * every
        covered = (starts + hops) * self._rate // HOPS_PER_S - starts * self._rate // HOPS_PER_S
        return covered.astype(np.float64)

    def state(self) -> EnergyState:
        """Return what another part needs to be joined with this one."""
        self._settle()
        return EnergyState(self.steps.copy(), self._count, self._head, self._tail, self.loudest)

    def join(self, later: EnergyState) -> None:
        """Append a part that begins where this one ends, on a step."""
        self._settle()
        self._look(np.concatenate((self._tail, later.head)), self._count - self._tail.size)
        self._loudest = max(self._loudest, later.loudest)
        self._keep(later.steps)
        if self._head.size < MOMENTARY_HOPS - 1:
            self._head = np.concatenate((self._head, later.head))[: MOMENTARY_HOPS - 1]
        self._tail = np.concatenate((self._tail, later.tail))[-(MOMENTARY_HOPS - 1) :]
        self._count += later.count


def step_sums(hops: Float64s) -> Float64s:
    """Return the sum of every whole step of hops, added in order, as `window_sums` would."""
    steps = len(hops) // HOPS_PER_STEP
    total = hops[: steps * HOPS_PER_STEP : HOPS_PER_STEP].copy()
    for offset in range(1, HOPS_PER_STEP):
        total += hops[offset : steps * HOPS_PER_STEP : HOPS_PER_STEP]
    return total


def window_sums(values: Float64s, length: int) -> Float64s:
    """Return the sum of every ``length`` neighbours, added in order, so that every machine gets the same bits."""
    windows = len(values) - length + 1
    if windows < 1:
        return np.empty(0)
    total = values[:windows].copy()
    for offset in range(1, length):
        total += values[offset : offset + windows]
    return total
