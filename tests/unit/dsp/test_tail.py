"""The end of a mix: declared, or where it stays below -100 dBFS."""

from typing import Any

import numpy as np
import pytest
from tapelog_dsp import (
    ArrayReader,
    BusSpec,
    Delay,
    MixGraph,
    MixSpec,
    PlateReverb,
    ProcessorSpec,
    SendSpec,
    TrackSpec,
    render,
)
from tapelog_dsp.graph.tail import TAIL_GRID_FRAMES, TAIL_THRESHOLD

RATE = 8_000


def mixed(effect: ProcessorSpec, *, block_frames: int = 600, **settings: Any):
    """Return a whole mix, or one of its taps."""
    tracks = (TrackSpec("t", sends=(SendSpec("fx"),)),)
    spec = MixSpec(RATE, tracks, (BusSpec("fx", processors=(effect,)),), **settings)
    samples = np.zeros((2, 1_000))
    samples[:, 500] = 0.5
    blocks = render(MixGraph(spec), {"t": ArrayReader(samples)}, block_frames=block_frames)
    return np.concatenate([block.mix for block in blocks], axis=1)


def test_echoes_are_rendered_until_they_cannot_be_heard():
    """Every echo above -100 dBFS is there, across silent gaps; after the last one the mix ends on the grid."""
    result = mixed(Delay(300.0, 0.5))
    echoes = np.flatnonzero(np.abs(result[0]) >= TAIL_THRESHOLD)
    assert echoes.tolist() == [500, *range(2_900, 500 + 2_400 * 17, 2_400)]
    assert (result.shape[1] - 1_000) % TAIL_GRID_FRAMES == 0
    assert 0 < result.shape[1] - echoes[-1] <= TAIL_GRID_FRAMES


@pytest.mark.parametrize("block_frames", [1, 97, 5_000])
def test_the_end_does_not_depend_on_blocks(block_frames: int):
    """The tail ends at the same frame with the same bits for any block size."""
    effect = PlateReverb(decay_s=0.2, predelay_ms=10.0)
    assert (mixed(effect, block_frames=block_frames) == mixed(effect)).all()


def test_declared_tail():
    """A declared tail has that length, whether it is heard or not."""
    assert mixed(Delay(300.0, 0.5), tail_s=1.5).shape[1] == 1_000 + 12_000
    assert mixed(Delay(1.0, 0.0), tail_s=0.0).shape[1] == 1_000


def test_a_plate_rings_out():
    """The plate's tail lasts about as long as its decay says: 60 dB in the decay time."""
    result = mixed(PlateReverb(decay_s=1.0, damping_hz=3_900.0, bandwidth_hz=3_900.0, lowcut_hz=10.0))
    energy = np.square(result).sum(axis=0)[600:]
    left_db = 10.0 * np.log10(np.cumsum(energy[::-1])[::-1] / energy.sum())
    decay = 2.0 * (np.argmax(left_db < -35.0) - np.argmax(left_db < -5.0)) / RATE
    assert decay == pytest.approx(1.0, rel=0.15)
