"""The session of the workloads, the same as the peers': 32 tracks, 4 buses, a reverb on a send, a mastering chain.

Numbers of track i are functions of i, so the session needs no file. Every track: high-pass and four equaliser bands,
compressor, a fader move every second, pan, a send; the master: four bands, four-band compression, loudness, limiter.
"""

import math

import tapelog_dsp as dsp

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


def master() -> dsp.MasterSpec:
    """Return the mastering chain before loudness and limiter: an equaliser and four-band dynamics.

    The splits are a Linkwitz-Riley tree with all-passes, 15 sections against the peers' 14.
    """
    eq = dsp.ParametricEq(
        (dsp.HighPass(25.0), dsp.LowShelf(90.0, 1.0), dsp.Bell(300.0, -1.0, 0.8), dsp.HighShelf(10_000.0, 1.5))
    )
    bands = tuple(
        dsp.BandDynamics(threshold, ratio, attack, release, knee_db=6.0, gain_db=1.0)
        for threshold, ratio, attack, release in BANDS
    )
    return dsp.MasterSpec(RATE, (eq, dsp.Multiband(CROSSOVERS_HZ, bands)))
