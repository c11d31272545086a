"""The session of the workloads, the same as the peers': 32 tracks, 4 buses, a reverb on a send, a mastering chain.

Numbers of track i are functions of i, so the session needs no file. Every track: high-pass and four equaliser bands,
compressor, a fader move every second, pan, a send; the master: four bands, four-band compression, loudness, limiter.
"""

import math

import numpy as np
import tapelog_dsp as dsp
from tapelog_dsp.processors.base import Processor
from tapelog_dsp.processors.filters import SectionFilter

RATE = 48_000
TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
CROSSOVERS_HZ = (120.0, 1_000.0, 6_000.0)
BANDS = ((-22.0, 2.5, 20.0, 150.0), (-22.0, 2.0, 15.0, 120.0), (-26.0, 2.0, 8.0, 100.0), (-30.0, 2.0, 4.0, 80.0))
"""Threshold, ratio, attack and release of the four bands; knee 6 dB, make-up 1 dB."""


def track(i: int, seconds: int) -> dsp.TrackSpec:
    """Return strip i."""
    eq = (
        dsp.LowShelf(100.0 + 5 * (i % 7), 2.0 - i % 5),
        dsp.Bell(400.0 + 40 * (i % 11), -3.0 + i % 4, 1.0),
        dsp.Bell(2_500.0 + 100 * (i % 9), 1.5 - i % 3, 1.4),
        dsp.HighShelf(9_000.0 + 100 * (i % 5), 1.0 - 0.5 * (i % 3)),
    )
    compressor = dsp.Compressor(
        -24.0 + i % 6, 3.0 + 0.25 * (i % 4), 5.0 + i % 10, 80.0 + 5 * (i % 16), knee_db=6.0, makeup_db=2.0
    )
    moves = (dsp.GainPoint(k * RATE, 2.0 * math.sin(0.7 * k + i)) for k in range(seconds + 1))
    return dsp.TrackSpec(
        f"t{i}",
        channels=2 - i % 2,
        gain_db=-6.0 - i % 4,
        pan=((i * 7) % 17 - 8) / 8 * 0.8,
        processors=(dsp.HighPass(30.0 + 3 * (i % 31)), dsp.ParametricEq(eq), compressor),
        sends=(dsp.SendSpec("reverb", -14.0 - i % 5),),
        output_bus=f"bus{i % 4}",
        gain_automation=tuple(moves),
    )


def mix(tracks: int, seconds: int) -> dsp.MixSpec:
    """Return the whole session up to the mix node."""
    buses = [dsp.BusSpec(f"bus{k}", gain_db=gain) for k, gain in enumerate((0.0, -1.0, -0.5, -1.5))]
    buses.append(dsp.BusSpec("reverb", gain_db=-9.6, processors=(dsp.PlateReverb(decay_s=1.5),)))
    return dsp.MixSpec(RATE, tuple(track(i, seconds) for i in range(tracks)), tuple(buses), tail_s=0.0)


def _all_pass(frequency_hz: float) -> tuple[float, ...]:
    k = math.tan(math.pi * frequency_hz / RATE)
    d = 1.0 + math.sqrt(2.0) * k + k * k
    a1, a2 = 2.0 * (k * k - 1.0) / d, (1.0 - math.sqrt(2.0) * k + k * k) / d
    return (a2, a1, 1.0, a1, a2)


class MasterBus:
    """Four bands of equaliser, a Linkwitz-Riley tree with all-pass compensation (14 sections), four compressors."""

    def __init__(self) -> None:
        self._eq = dsp.ParametricEq(
            (dsp.HighPass(25.0), dsp.LowShelf(90.0, 1.0), dsp.Bell(300.0, -1.0, 0.8), dsp.HighShelf(10_000.0, 1.5))
        ).prepare(RATE, 2)
        low, middle, high = CROSSOVERS_HZ
        self._halves = [
            _filter((dsp.LowPass(middle), dsp.LowPass(middle)), high),
            _filter((dsp.HighPass(middle), dsp.HighPass(middle)), low),
        ]
        self._bands = [
            _filter((dsp.LowPass(low), dsp.LowPass(low))),
            _filter((dsp.HighPass(low), dsp.HighPass(low))),
            _filter((dsp.LowPass(high), dsp.LowPass(high))),
            _filter((dsp.HighPass(high), dsp.HighPass(high))),
        ]
        self._compressors = [
            dsp.Compressor(threshold, ratio, attack, release, knee_db=6.0, makeup_db=1.0).prepare(RATE, 2)
            for threshold, ratio, attack, release in BANDS
        ]

    def process(self, samples: dsp.Audio) -> dsp.Audio:
        """Return the next block."""
        shaped = self._eq.process(samples, 0)
        halves = [half.process(shaped, 0) for half in self._halves]
        total = None
        for place, (band, compressor) in enumerate(zip(self._bands, self._compressors, strict=True)):
            part = compressor.process(band.process(halves[place // 2], 0), 0)
            total = part if total is None else total + part
        return total


def _filter(bands: tuple[dsp.LowPass | dsp.HighPass, ...], all_pass_hz: float | None = None) -> Processor:
    sections = dsp.ParametricEq(bands).sections(RATE)
    if all_pass_hz is not None:
        sections = np.concatenate((sections, [_all_pass(all_pass_hz)]))
    return SectionFilter(sections, 2)
