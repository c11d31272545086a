"""Tracks with the same kind of chain, eight at a time: which of them go together, and their settings side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.graph.lines import BlockLines
from tapelog_dsp.graph.strip import Strip
from tapelog_dsp.kernels.call import Float64s, Int64s, UInt64s, address
from tapelog_dsp.kernels.lanes import COMPRESS, LANES, SECTIONS, run_strips
from tapelog_dsp.processors.base import LaneStage

LANES_MIN: Final = 2
"""A track alone is as fast without lanes."""

PADDING_MAX: Final = 6
"""Sections that a track may be filled up with: more would cost more than an own group."""

_THROUGH: Final = np.array([1.0, 0.0, 0.0, 0.0, 0.0])


def lane_groups(strips: Sequence[Strip]) -> tuple[list["LaneGroup"], list[Strip]]:
    """Return groups of at most eight strips, and the strips that run alone.

    The grouping is a matter of speed only: a track has the same bits in any group and alone.
    """
    kinds: dict[tuple[int, ...], list[tuple[list[int], Strip, list[_Merged]]]] = {}
    alone: list[Strip] = []
    for strip in strips:
        stages = strip.chain.lane_stages() if strip.placement is None else None
        if stages is None:
            alone.append(strip)
            continue
        merged = _merged(stages)
        shape = (strip.channels, *(stage.kind for stage in merged))
        sizes = [len(stage.numbers) if stage.kind == SECTIONS else 0 for stage in merged]
        kinds.setdefault(shape, []).append((sizes, strip, merged))
    groups: list[LaneGroup] = []
    for members in kinds.values():
        left = sorted(members, key=lambda member: member[0])
        while left:
            smallest = left[0][0]
            fit = [m for m in left[:LANES] if sum(m[0]) - sum(smallest) <= PADDING_MAX * max(len(smallest), 1)]
            # Sorted by the first cascade only: what fits is moved to the front, so that the rest follows it.
            left = [member for member in left if member not in fit]
            if len(fit) < LANES_MIN:
                alone += [strip for _, strip, _ in fit]
            else:
                groups.append(LaneGroup([(strip, stages) for _, strip, stages in fit]))
    return groups, alone


def _merged(stages: Sequence[LaneStage]) -> list["_Merged"]:
    """Return the stages with neighbouring cascades joined into one."""
    merged: list[_Merged] = []
    for stage in stages:
        if merged and stage.kind == SECTIONS == merged[-1].kind:
            merged[-1] = _Merged([*merged[-1].parts, stage])
        else:
            merged.append(_Merged([stage]))
    return merged


class _Merged:
    """One stage, or cascades that follow one another."""

    def __init__(self, parts: list[LaneStage]) -> None:
        self.parts = parts
        self.kind = parts[0].kind
        self.numbers = np.concatenate([part.numbers for part in parts])

    def write_back(self, state: Float64s) -> None:
        """Give each processor its own memory back: sections ``[sections, 2, channels]``, else numbers."""
        if self.kind != SECTIONS:
            self.parts[0].state[:] = state
            return
        first = 0
        for part in self.parts:
            count = len(part.numbers)
            part.state[:] = state[:, first : first + count]
            first += count


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the signals of a group stand in the lines of a block, as the kernel wants it."""

    inputs: UInt64s
    packed: Int64s
    outputs: UInt64s


class LaneGroup:
    """Up to eight tracks whose chains, faders and pans run in one call.

    Parameters
    ----------
    members : list of (Strip, stages)
        Strips of one channel count whose stages are of the same kinds.
    """

    def __init__(self, members: list[tuple[Strip, list[_Merged]]]) -> None:
        self.strips = [strip for strip, _ in members]
        self._stages = [stages for _, stages in members]
        self._channels = self.strips[0].channels
        program, numbers, states = [], [], []
        for columns in zip(*self._stages, strict=True):
            kind = columns[0].kind
            size = max(len(column.numbers) for column in columns) if kind == SECTIONS else 1
            program.append((kind, size))
            numbers.append(_side_by_side([column.numbers for column in columns], kind, size))
            states.append({SECTIONS: self._channels * size * 2, COMPRESS: 5}.get(kind, 0))
        self._program = np.array(program, dtype=np.int64).reshape(-1, 2)
        self._numbers = np.concatenate([part.ravel() for part in numbers]) if numbers else np.zeros(1)
        self._sizes = states
        self._state = np.zeros(max(sum(states), 1) * LANES)
        self._sides = np.zeros((LANES, 2))
        self._curves = np.zeros((LANES, 6), dtype=np.uint64)
        for lane, strip in enumerate(self.strips):
            self._sides[lane] = strip.sides
            if strip.fader.lane_curve is not None:
                self._curves[lane] = strip.fader.lane_curve.addresses()
        self._moving = [(lane, strip) for lane, strip in enumerate(self.strips) if strip.fader.lane_curve is None]
        self._frames = 0

    def __repr__(self) -> str:
        return f"LaneGroup({', '.join(strip.spec.id for strip in self.strips)})"

    def process(self, block: BlockLines) -> None:
        """Run every track of a block, from its inputs to after its fader."""
        places: _Places | None = block.kept.get(self)
        if places is None:
            places = block.kept[self] = self._places(block)
        curves, gains = self._curves, []
        if self._moving:
            curves = self._curves.copy()
            for lane, strip in self._moving:
                # The kernel reads them by address, so they are held until it has run.
                gains.append(np.broadcast_to(strip.fader.gains(block.start_frame, block.frames), block.frames).copy())
                curves[lane] = (0, address(gains[-1]), 0, 0, 0, 0)
        run_strips(
            program=self._program, numbers=self._numbers, state=self._state, inputs=places.inputs,
            packed=places.packed, curves=curves, sides=self._sides, outputs=places.outputs,
            start_frame=block.start_frame, frames=block.frames, tracks=len(self.strips),
        )  # fmt: skip
        self._frames += block.frames

    def _places(self, block: BlockLines) -> "_Places":
        inputs = np.zeros((self._channels, LANES), dtype=np.uint64)
        packed = np.zeros(LANES, dtype=np.int64)
        outputs = np.zeros((LANES, 4), dtype=np.uint64)
        for lane, strip in enumerate(self.strips):
            name = strip.spec.id
            if name in block.packed:
                packed[lane] = size = block.sample_bytes[name]
                inputs[:, lane] = [address(block.packed[name]) + size * channel for channel in range(self._channels)]
            else:
                inputs[:, lane] = [address(row) for row in block.inputs[name]]
            outputs[lane, :2] = [address(row) for row in block.post_fader[name]]
            if name in block.pre_fader:
                outputs[lane, 2:] = [address(row) for row in block.pre_fader[name]]
        return _Places(inputs, packed, outputs)

    def settle(self) -> None:
        """Write the lanes' memory back into the processors, for their telemetry."""
        for lane, (strip, stages) in enumerate(zip(self.strips, self._stages, strict=True)):
            first = 0
            for stage, size, (kind, count) in zip(stages, self._sizes, self._program.tolist(), strict=True):
                values = self._state[first * LANES : (first + size) * LANES].reshape(size, LANES)[:, lane]
                if kind == SECTIONS:
                    stage.write_back(values.reshape(self._channels, count, 2))
                elif size:
                    stage.write_back(values)
                first += size
            strip.chain.lanes_ran(self._frames)
        self._frames = 0

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = 0.0
        self._frames = 0


def _side_by_side(columns: list[Float64s], kind: int, size: int) -> Float64s:
    """Return one stage's numbers with eight lanes beside each other, cascades filled up, empty lanes like the first."""
    if kind == SECTIONS:
        columns = [np.concatenate([column, np.tile(_THROUGH, (size - len(column), 1))]) for column in columns]
    columns = [*columns, *columns[:1] * (LANES - len(columns))]
    return np.stack([column.ravel() for column in columns], axis=1)
