"""Saturation: in time with everything else, and what it folds back."""

import numpy as np
import pytest
from tapelog_dsp import ArrayReader, MixGraph, MixSpec, Saturation, TrackSpec, render

RATE = 48_000


def test_the_whole_graph_is_in_time():
    """A quiet signal through the curve cancels the same signal on a dry track: latency is exact, to the last frame."""
    samples = 1e-4 * np.random.default_rng(2).standard_normal((2, 20_000))
    for oversampling in (1, 2, 4, 8):
        spec = MixSpec(
            RATE,
            (
                TrackSpec("wet", processors=(Saturation(12.0, oversampling=oversampling),)),
                TrackSpec("dry", polarity_inverted=True),
            ),
        )
        readers = {name: ArrayReader(samples) for name in ("wet", "dry")}
        mix = np.concatenate([block.mix for block in render(MixGraph(spec), readers)], axis=1)
        assert mix.shape[1] >= 20_000
        # What is left is the curve itself: (drive x)^3 / 3 of so quiet a signal, and the grid of float32.
        assert np.abs(mix).max() <= 1e-9


@pytest.mark.parametrize("oversampling", [1, 2, 4, 8])
def test_the_curve_acts_where_the_signal_is(oversampling: int):
    """The distortion of a slow tone is in phase with it: output equals tanh of the delayed input."""
    time = np.arange(8_000) / RATE
    tone = 0.5 * np.sin(2.0 * np.pi * 100.0 * time)[np.newaxis]
    running = Saturation(12.0, oversampling=oversampling).prepare(RATE, 1)
    got = running.process(tone, 0)[0, running.latency_frames + 200 :]
    drive = 10.0 ** (12.0 / 20.0)
    want = np.tanh(drive * tone[0]) / drive
    assert np.abs(got - want[200 : 200 + got.size]).max() <= 2e-4


def folded_db(oversampling: int, frequency: float, *, plain: bool = False) -> float:
    """Return the loudest component that is no harmonic of a driven tone, against the tone."""
    frames = RATE
    tone = 0.7 * np.sin(2.0 * np.pi * frequency * np.arange(2 * frames) / RATE)[np.newaxis]
    if plain:
        result = np.tanh(10.0 ** (18.0 / 20.0) * tone)
    else:
        result = Saturation(18.0, oversampling=oversampling).prepare(RATE, 1).process(tone, 0)
    spectrum = np.abs(np.fft.rfft(result[0, frames // 2 : frames // 2 + frames] * np.blackman(frames)))
    peak = spectrum[round(frequency)]
    for harmonic in range(1, int(RATE / 2 / frequency) + 1):
        place = round(harmonic * frequency)
        spectrum[max(place - 4, 0) : place + 5] = 0.0
    spectrum[:5] = 0.0
    return float(20.0 * np.log10(spectrum[:20_000].max() / peak))


def test_more_oversampling_folds_less_back():
    """The anti-derivative alone takes aliases down; oversampling takes them to where the ways up and down end."""
    frequency = 2_503.0
    plain = folded_db(1, frequency, plain=True)
    levels = [folded_db(oversampling, frequency) for oversampling in (1, 2, 4, 8)]
    assert levels[0] <= plain - 8.0
    assert levels[1] <= levels[0] - 20.0
    assert levels[2] <= levels[1] - 15.0
    assert max(levels[2:]) <= -105.0


def test_no_drive_is_no_change():
    """At 0 dB of drive the signal passes bit for bit and undelayed, at any oversampling."""
    samples = np.random.default_rng(1).standard_normal((2, 500))
    running = Saturation(0.0, 0.5, oversampling=8).prepare(RATE, 2)
    assert running.process(samples, 0) is samples
    assert running.latency_frames == 0
