"""Doors to ``effects.c``: feedback delay and plate reverb."""

from dataclasses import dataclass

import numpy as np

from tapelog_dsp.kernels.call import Float64s, Int64s, address, function


@dataclass(slots=True)
class DelayMemory:
    """What a feedback delay keeps.

    Parameters
    ----------
    ring : ndarray [shape=(channels, length)]
        The delay line.
    filters : ndarray [shape=(channels, 2)]
        Low-pass and high-pass in the feedback path.
    clock : int
        Position in the ring.
    """

    ring: Float64s
    filters: Float64s
    clock: int = 0

    @classmethod
    def at_rest(cls, channels: int, length: int) -> "DelayMemory":
        """Return a silent memory for a delay of ``length`` frames."""
        return cls(np.zeros((channels, length)), np.zeros((channels, 2)))


@dataclass(frozen=True, slots=True)
class DelaySettings:
    """Factors of a feedback delay; the filters are one-pole factors b, low-pass 1 and high-pass 0 are open."""

    feedback: float
    lowpass: float
    highpass: float
    wet: float
    dry: float
    ping_pong: bool = False


def delay(settings: DelaySettings, memory: DelayMemory, samples: Float64s) -> Float64s:
    """Return ``[channels, frames]`` with echoes; the memory moves on in place."""
    result = np.empty_like(samples)
    channels, frames = samples.shape
    length = memory.ring.shape[1]
    function("tl_delay", "pplldddddppll")(
        address(memory.ring), address(memory.filters), length, memory.clock, settings.feedback, settings.lowpass,
        settings.highpass, settings.wet, settings.dry, address(samples), address(result),
        -channels if settings.ping_pong else channels, frames,
    )  # fmt: skip
    memory.clock = (memory.clock + frames) % length
    return result


@dataclass(frozen=True, slots=True)
class PlateSettings:
    """Lengths of a plate.

    Parameters
    ----------
    delays : ndarray [shape=(13,)]
        Four input diffusers, four lines of the left tank, four of the right one, pre-delay, in frames.
    taps : ndarray [shape=(2, 7)]
        Output taps of each side in frames.
    lengths : ndarray [shape=(13,)]
        Room of each line.
    """

    delays: Int64s
    taps: Int64s
    lengths: Int64s


@dataclass(frozen=True, slots=True)
class PlateMemory:
    """What a plate keeps: write positions, all lines one after another, and nine poles."""

    positions: Int64s
    lines: Float64s
    poles: Float64s

    @classmethod
    def at_rest(cls, settings: PlateSettings, predelay_frames: float) -> "PlateMemory":
        """Return a silent memory; the swing starts at its turning point."""
        poles = np.zeros(9)
        poles[6] = 1.0
        poles[8] = predelay_frames
        return cls(np.zeros(13, dtype=np.int64), np.zeros(int(settings.lengths.sum())), poles)


def plate(
    settings: PlateSettings, ends: tuple[Float64s, Float64s], place: tuple[int, int], memory: PlateMemory,
    samples: Float64s,
) -> Float64s:  # fmt: skip
    """Return the reverberated ``[channels, frames]``; the memory moves on in place.

    Parameters
    ----------
    settings : PlateSettings
        Lengths.
    ends : tuple of ndarray [shape=(10,)]
        bandwidth, low cut, decay, damping, excursion in frames, cosine and sine of the swing per frame, wet, dry,
        pre-delay in frames: at the ends of the cell that the block lies in; the same array where nothing moves.
    place : tuple of int
        Frames of the cell that have passed, and its length.
    memory : PlateMemory
        Carried from block to block.
    samples : ndarray [shape=(channels, frames)]
        The block.
    """
    result = np.empty_like(samples)
    function("tl_plate", "ppllppppppppll")(
        address(ends[0]), address(ends[1]), *place, address(settings.delays), address(settings.taps),
        address(settings.lengths), address(memory.positions), address(memory.lines), address(memory.poles),
        address(samples), address(result), *samples.shape,
    )  # fmt: skip
    return result


@dataclass(frozen=True, slots=True)
class RoomMemory:
    """What a room keeps: positions, all lines one after another, and ten poles."""

    positions: Int64s
    lines: Float64s
    poles: Float64s

    @classmethod
    def at_rest(cls, lengths: Int64s, predelay_frames: float) -> "RoomMemory":
        """Return a silent memory for lines of these lengths."""
        poles = np.zeros(10)
        poles[9] = predelay_frames
        return cls(np.zeros(13, dtype=np.int64), np.zeros(int(lengths.sum())), poles)


def room(
    ends: tuple[Float64s, Float64s], place: tuple[int, int], lengths: Int64s, memory: RoomMemory, samples: Float64s
) -> Float64s:
    """Return the reverberated ``[channels, frames]``; the memory moves on in place.

    ends: low cut, damping, wet, dry, eight decays, pre-delay in frames, as for `plate`; lengths in frames: four
    diffusers, eight loops, the longest pre-delay and two more.
    """
    result = np.empty_like(samples)
    function("tl_room", "ppllppppppll")(
        address(ends[0]), address(ends[1]), *place, address(lengths), address(memory.positions), address(memory.lines),
        address(memory.poles), address(samples), address(result), *samples.shape,
    )  # fmt: skip
    return result
