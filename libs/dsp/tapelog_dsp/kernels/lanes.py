"""Doors to ``lanes.c`` and ``pair.c``: eight channel strips at once, or two."""

from typing import Final

from tapelog_dsp.kernels.call import Float64s, Int64s, UInt64s, address, function

LANES: Final = 8
"""Tracks that one call runs side by side: one vector of doubles on the widest processors."""

PAIR: Final = 2
"""Tracks that run faster with their sections beside each other than with each other."""

PACKED_MARGIN: Final = 8
"""Bytes before packed samples that belong to their memory: a word is read whole."""

SECTIONS, COMPRESS, SCALE = 0, 1, 2
"""Kinds of stages, as the kernel's program names them."""


def run_strips(
    *, program: Int64s, numbers: Float64s, state: Float64s, inputs: UInt64s, packed: Int64s, curves: UInt64s,
    sides: Float64s, outputs: UInt64s, start_frame: int, frames: int, tracks: int = LANES,
) -> None:  # fmt: skip
    """Run the chains, faders and pans of up to eight tracks; the bits are the same however many there are.

    Parameters
    ----------
    program : ndarray [shape=(stages, 2)]
        Kind of each stage, and of a cascade how many sections.
    numbers, state : ndarray
        What each stage needs and keeps, eight lanes beside each other per value; the state moves on in place.
    inputs : ndarray [shape=(channels, 8)], curves : ndarray [shape=(8, 6)], outputs : ndarray [shape=(8, 4)]
        Addresses: samples; fader curves (see `CurvePoints.addresses`); float32 rows after the fader left and right,
        before it left and right. 0 is nothing.
    packed : ndarray [shape=(8,)]
        Bytes of a whole number where a track's samples stand as in a file, 0 where they are float64; `PACKED_MARGIN`
        bytes before them can be read.
    sides : ndarray [shape=(8, 2)]
        Gains of pan and polarity.
    start_frame, frames : int
        Song time and length of the block.
    tracks : int
        How many lanes are used, the first ones.
    """
    function("tl_strip_pair" if tracks <= PAIR else "tl_strip_lanes", "plppppppplll")(
        address(program), len(program), address(numbers), address(state), address(inputs),
        address(packed), address(curves), address(sides), address(outputs), len(inputs), start_frame, frames,
    )  # fmt: skip
