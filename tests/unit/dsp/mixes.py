"""Mixes as a whole, for the tests of the mix graph."""

from typing import Any, Final

import numpy as np
from tapelog_dsp import ArrayReader, Audio, MixGraph, MixSpec, TrackSpec, render

RATE: Final = 48_000


def mixed(spec: MixSpec, recordings: dict[str, Audio], *, tap: str | None = None, block_frames: int = 512) -> Audio:
    """Return a whole mix, or one of its taps."""
    graph = MixGraph(spec, taps=(tap,) if tap else ())
    readers = {name: ArrayReader(samples) for name, samples in recordings.items()}
    blocks = list(render(graph, readers, block_frames=block_frames))
    return np.concatenate([block.taps[tap] if tap else block.mix for block in blocks], axis=1)


def one_track(**settings: Any) -> MixSpec:
    """Return a mix of one track called t."""
    return MixSpec(RATE, (TrackSpec("t", **settings),))
