"""Loudness after ITU-R BS.1770-5 and EBU Tech 3341 / 3342: integrated, momentary, short-term, range."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.loudness import HOPS_PER_S, hop_energies
from tapelog_dsp.kernels.recursion import sos, sos_state
from tapelog_dsp.meters.energies import (
    HOPS_PER_STEP,
    MOMENTARY_HOPS,
    Energies,
    EnergyState,
    window_sums,
)
from tapelog_dsp.meters.weighting import CHANNEL_WEIGHTS, hop_weighting

OFFSET_LU: Final = -0.691
ABSOLUTE_GATE_LUFS: Final = -70.0
RELATIVE_GATE_LU: Final = -10.0
RANGE_GATE_LU: Final = -20.0
SHORT_TERM_HOPS: Final = 300
STEP_S: Final = 0.1
WARM_UP_S: Final = 1.0
"""The filters forget by 2000 dB within it; what differs afterwards is rounding, below 1e-9 LU."""


@dataclass(frozen=True, slots=True, eq=False)
class Loudness:
    """What the meter read.

    Parameters
    ----------
    integrated_lufs : float
        I, gated; minus infinity when nothing passes the absolute gate.
    momentary_max_lufs : float
        Largest M (400 ms), looked for every 10 ms.
    short_term_max_lufs : float
        Largest S (3 s), looked for every 100 ms; minus infinity below 3 s.
    range_lu : float
        LRA of Tech 3342; 0 when there are no two values to compare. It means little below a minute.
    momentary_lufs, short_term_lufs : ndarray [shape=(steps,)]
        M and S every 100 ms; the first M ends at 0.4 s, the first S at 3 s.
    """

    integrated_lufs: float
    momentary_max_lufs: float
    short_term_max_lufs: float
    range_lu: float
    momentary_lufs: Float64s
    short_term_lufs: Float64s


@dataclass(frozen=True, slots=True, eq=False)
class LoudnessState:
    """A measured part of a programme, for joining.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    weights : tuple of float
        Of the channels.
    first_frame, end_frame : int
        Where the part begins and ends.
    energies : EnergyState
        Weighted energy of every finished step.
    filters : ndarray [shape=(channels, 2, 2)], open_hop : ndarray [shape=(channels, frames)]
        The filters' memory before the unfinished hop at its end, and that hop's samples.
    """

    sample_rate: int
    weights: tuple[float, ...]
    first_frame: int
    end_frame: int
    energies: EnergyState
    filters: Float64s
    open_hop: Float64s


class LoudnessMeter:
    """A streaming meter; blocks of any length give the same reading.

    It keeps 8 bytes per 100 ms of programme (0.3 MB per hour). `weighting` and `memory` are its filter and what that
    keeps.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        1, 2, 3, 5 or 6, in the order of `CHANNEL_WEIGHTS`. A mono file is measured as one channel.
    first_frame : int
        Where this meter's part of a programme begins, on a step of 100 ms (whole seconds always are).
    before : ndarray [shape=(channels, frames)], optional
        What comes right before it, `WARM_UP_S` of it or all there is; it settles the filters and is not measured.

    Raises
    ------
    ParameterError
        A rate or channel count for which the measure is not defined, or a part that begins within a step.
    """

    def __init__(self, sample_rate: int, channels: int, *, first_frame: int = 0, before: Audio | None = None) -> None:
        self._rate = valid_sample_rate(sample_rate)
        if channels not in CHANNEL_WEIGHTS:
            raise ParameterError("LoudnessMeter.channels", channels, f"one of {sorted(CHANNEL_WEIGHTS)}")
        if not on_step(first_frame, sample_rate):
            raise ParameterError("LoudnessMeter.first_frame", first_frame, "on a step of 100 ms")
        self._weights = CHANNEL_WEIGHTS[channels]
        self.weighting = hop_weighting(sample_rate)
        self.memory = sos_state(2, channels)
        self._first = self._clock = first_frame
        self._open = np.empty((channels, self.weighting.longest))
        self._energies = Energies(self._hop_of(first_frame), sample_rate)
        if before is not None:
            sos(self.weighting.sections, self.memory, before)

    def _hop_of(self, frame: int) -> int:
        """Return how many hops have ended by a frame."""
        return (frame * HOPS_PER_S + HOPS_PER_S - 1) // self._rate

    def _start_of(self, hop: int) -> int:
        return hop * self._rate // HOPS_PER_S

    def add(self, samples: Audio) -> None:
        """Measure the next block ``[channels, frames]``."""
        frames, place = samples.shape[1], 0
        hop = self._hop_of(self._clock)
        begun = self._clock - self._start_of(hop)
        if begun:
            place = min(self._start_of(hop + 1) - self._clock, frames)
            self._open[:, begun : begun + place] = samples[:, :place]
            if self._clock + place == self._start_of(hop + 1):
                self._take(self._open, hop, 1)
                hop += 1
            else:
                self._clock += place
                return
        self._clock += frames
        whole = self._hop_of(self._clock) - hop
        if whole:
            self._take(samples[:, place:], hop, whole)
        rest = self._clock - self._start_of(hop + whole)
        self._open[:, :rest] = samples[:, frames - rest :]

    def whole_hops(self, frames: int) -> tuple[int, int, int]:
        """Return the next hop, how many are whole within the next frames, and their frames; none within a hop."""
        hop = self._hop_of(self._clock)
        if self._clock != self._start_of(hop):
            return hop, 0, 0
        hops = self._hop_of(self._clock + frames) - hop
        return hop, hops, self._start_of(hop + hops) - self._clock

    @property
    def is_within_hop(self) -> bool:
        """Whether a hop of 10 ms has begun and not ended."""
        return self._clock > self._start_of(self._hop_of(self._clock))

    def take(self, energies: Float64s, frames: int) -> None:
        """Take the energies ``[hops, channels]`` of the next frames, filtered with this meter's own memory."""
        self._keep(energies)
        self._clock += frames

    def _take(self, samples: Audio, first: int, hops: int) -> None:
        """Filter whole hops and keep their energy."""
        self._keep(hop_energies(self.weighting, self.memory, samples, first=first, hops=hops))

    def _keep(self, energies: Float64s) -> None:
        total = np.zeros(len(energies))
        for channel, weight in enumerate(self._weights):
            total += weight * energies[:, channel]
        self._energies.add(total)

    def state(self) -> "LoudnessState":
        """Return what another process needs to join this part to the one before it."""
        energies, filters, rest = self._energies.state(), self.memory.copy(), self._open.copy()
        return LoudnessState(self._rate, self._weights, self._first, self._clock, energies, filters, rest)

    def join(self, later: "LoudnessState") -> None:
        """Append the state of the part that follows, as if this meter had measured both; measuring goes on there.

        Raises
        ------
        ParameterError
            The other part does not begin where this one ends, or has another rate or channel count.
        """
        if (later.sample_rate, later.weights, later.first_frame) != (self._rate, self._weights, self._clock):
            limit = f"a part from frame {self._clock} on, of the same rate and channels"
            raise ParameterError("LoudnessMeter.join", f"a part from frame {later.first_frame} on", limit)
        self._energies.join(later.energies)
        self._clock, self.memory, self._open = later.end_frame, later.filters.copy(), later.open_hop.copy()

    def gating_blocks(self) -> Float64s:
        """Return the mean power of every gating block of 400 ms, 100 ms apart."""
        return self._powers(MOMENTARY_HOPS)

    def _powers(self, hops: int) -> Float64s:
        """Return the mean power of windows of so many hops, 100 ms apart."""
        powers = window_sums(self._energies.steps, hops // HOPS_PER_STEP)
        powers /= self._energies.frames(hops, len(powers))
        return powers

    def result(self) -> Loudness:
        """Return the reading so far; measuring can go on."""
        blocks, short = self.gating_blocks(), self._powers(SHORT_TERM_HOPS)
        return Loudness(
            integrated_lufs=_gated_lufs(blocks),
            momentary_max_lufs=_lufs(self._energies.loudest),
            short_term_max_lufs=_lufs(float(short.max(initial=0.0))),
            range_lu=_range_lu(short),
            momentary_lufs=_lufs_series(blocks),
            short_term_lufs=_lufs_series(short),
        )


def on_step(frame: int, sample_rate: int) -> bool:
    """Tell whether a step of 100 ms begins at this frame: step k does at floor(10 k * rate / 100)."""
    step = -(-frame * HOPS_PER_S // (HOPS_PER_STEP * sample_rate))
    return frame >= 0 and step * HOPS_PER_STEP * sample_rate // HOPS_PER_S == frame


def pooled_lufs(meters: Iterable[LoudnessMeter]) -> float:
    """Return the integrated loudness of several programmes as one, such as an album: their gating blocks are pooled."""
    blocks = [meter.gating_blocks() for meter in meters]
    return _gated_lufs(np.concatenate(blocks)) if blocks else -math.inf


def _lufs(power: float) -> float:
    return OFFSET_LU + 10.0 * math.log10(power) if power > 0.0 else -math.inf


def _lufs_series(powers: Float64s) -> Float64s:
    levels = np.full(powers.size, -np.inf)
    heard = powers > 0.0
    levels[heard] = OFFSET_LU + 10.0 * np.log10(powers[heard])
    return levels


def _power(lufs: float) -> float:
    return math.pow(10.0, (lufs - OFFSET_LU) / 10.0)


def _mean(powers: Float64s) -> float:
    return math.fsum(powers.tolist()) / powers.size if powers.size else 0.0


def _gated_lufs(blocks: Float64s) -> float:
    """Return the loudness of gating blocks after BS.1770-5, eq. (5) to (7)."""
    loud = blocks[blocks > _power(ABSOLUTE_GATE_LUFS)]
    gate = _mean(loud) * math.pow(10.0, RELATIVE_GATE_LU / 10.0)
    return _lufs(_mean(loud[loud > gate]))


def _range_lu(short_term: Float64s) -> float:
    """Return the loudness range after Tech 3342: the 95th minus the 10th percentile of what passes both gates."""
    loud = short_term[short_term >= _power(ABSOLUTE_GATE_LUFS)]
    loud = np.sort(loud[loud >= _mean(loud) * math.pow(10.0, RANGE_GATE_LU / 10.0)])
    if loud.size < 2:
        return 0.0
    low, high = (float(loud[math.floor((loud.size - 1) * share + 0.5)]) for share in (0.10, 0.95))
    return _lufs(high) - _lufs(low)
