"""Convolution reverb against the plain sum, in every wiring of an impulse response."""

import numpy as np
import pytest
from scipy.signal import fftconvolve
from tapelog_dsp import (
    ArrayReader,
    Audio,
    AudioError,
    BusSpec,
    ConvolutionReverb,
    DspError,
    Impulse,
    MixGraph,
    MixSpec,
    ParameterError,
    SendSpec,
    TrackSpec,
    render,
)
from tapelog_dsp.kernels import convolve
from tapelog_dsp.kernels.twins import convolve as plain_convolve
from tapelog_dsp.processors.convolution import IMPULSE_FRAMES_MAX, partition_frames

RATE = 48_000


def response(channels: int, frames: int, seed: int = 4) -> Audio:
    """Return decaying noise."""
    return np.random.default_rng(seed).standard_normal((channels, frames)) * np.exp(-np.arange(frames) / (frames / 5.0))


def summed(samples: Audio, taps: Audio) -> Audio:
    """Return what four responses make of a stereo signal, by SciPy."""
    ways = [taps[0], 0 * taps[0], 0 * taps[0], taps[-1]] if len(taps) < 4 else list(taps)
    left = fftconvolve(samples[0], ways[0]) + fftconvolve(samples[-1], ways[2])
    right = fftconvolve(samples[0], ways[1]) + fftconvolve(samples[-1], ways[3])
    return np.stack([left, right])


@pytest.mark.usefixtures("each_isa")
@pytest.mark.parametrize("crossed", [True, False])
def test_products_equal_their_twin(random: np.random.Generator, crossed: bool):
    """The sum over partitions equals its twin bit for bit, wherever the ring stands."""
    past, straight = random.standard_normal((5, 2, 2, 64)), random.standard_normal((5, 2, 64))
    other = random.standard_normal((5, 2, 64)) if crossed else None
    for newest in (0, 3, 4):
        got = convolve.convolve(past, newest, straight, other)
        want = plain_convolve.convolve(past, newest, straight, other)
        assert np.stack(got).tobytes() == np.stack(want).tobytes()


@pytest.mark.parametrize("frames", [1, 700, 1_024, 1_025, 40_000, 70_001])
@pytest.mark.parametrize("ways", [1, 2, 4])
def test_it_is_the_convolution(ways: int, frames: int):
    """Mono, stereo and true-stereo responses of any length give the plain sum within 1e-14 of the largest sample."""
    taps = response(ways, frames)
    samples = np.random.default_rng(1).standard_normal((2, 3_000))
    running = ConvolutionReverb(Impulse(taps, RATE), normalise=False).prepare(RATE, 2)
    fed = np.concatenate((samples, np.zeros((2, running.latency_frames + running.tail_frames))), axis=1)
    got = running.process(fed, 0)[:, running.latency_frames :]
    want = summed(samples, taps)
    assert np.abs(got[:, : want.shape[1]] - want).max() <= 1e-14 * np.abs(want).max()
    assert np.abs(got[:, 3_000 + running.tail_frames :]).max(initial=0.0) <= 1e-14 * np.abs(want).max()


@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_cannot_be_seen(channels: int):
    """Any cutting into blocks gives the same bits, and so does a second use after a reset."""
    spec = ConvolutionReverb(Impulse(response(4, 5_000), RATE), 3.0, 0.4, -2.0)
    samples, random = np.random.default_rng(2).standard_normal((channels, 12_000)), np.random.default_rng(3)
    running = spec.prepare(RATE, channels)
    whole = running.process(samples, 0)
    for _ in range(2):
        running.reset()
        parts, start = [], 0
        while start < samples.shape[1]:
            stop = min(start + int(random.integers(1, 3_000)), samples.shape[1])
            parts.append(running.process(np.ascontiguousarray(samples[:, start:stop]), start))
            start = stop
        assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


def test_mono_takes_the_left_way():
    """A mono strip hears both inputs at the left output: what a stereo strip gives there for equal channels."""
    spec = ConvolutionReverb(Impulse(response(4, 900), RATE))
    samples = np.random.default_rng(2).standard_normal((1, 4_000))
    mono = spec.prepare(RATE, 1).process(samples, 0)
    stereo = spec.prepare(RATE, 2).process(np.repeat(samples, 2, axis=0), 0)
    assert np.abs(mono[0] - stereo[0]).max() <= 1e-13


def test_a_click_on_a_send_keeps_its_time_and_its_tail():
    """On a return the response begins at the click plus the pre-delay, to the frame, and is rendered to its end."""
    taps = response(2, 6_000) * 0.1
    taps[:, 0] = 0.9
    click = np.zeros((2, 5_000))
    click[:, 1_000] = 1.0
    spec = MixSpec(
        RATE,
        (TrackSpec("t", sends=(SendSpec("room"),), output_bus="off"),),
        (
            BusSpec("room", processors=(ConvolutionReverb(Impulse(taps, RATE), 10.0, normalise=False),)),
            BusSpec("off", -144.0),
        ),
    )
    mix = np.concatenate([block.mix for block in render(MixGraph(spec), {"t": ArrayReader(click)})], axis=1)
    start = 1_000 + 480
    assert mix.shape[1] >= 5_000
    assert np.abs(mix[:, :start]).max() <= 1e-9
    assert np.abs(mix[:, start : start + 3_500] - taps[:, :3_500]).max() <= 1e-7


def test_normalised_noise_keeps_its_level():
    """White noise through a normalised response keeps its loudness on the louder side, at any level of the response."""
    noise = np.random.default_rng(8).standard_normal((2, 200_000))
    for ways in (1, 2, 4):
        running = ConvolutionReverb(Impulse(response(ways, 4_000) * 37.0, RATE)).prepare(RATE, 2)
        wet = running.process(noise, 0)[:, 20_000:]
        assert abs(20.0 * np.log10(max(np.sqrt((row * row).mean()) for row in wet))) <= 0.1


def test_it_is_converted_to_the_session_rate():
    """A response at another rate sounds the same: same level, same length in seconds."""
    time = np.arange(44_100) / 44_100
    taps = (np.exp(-time / 0.1) * np.sin(2.0 * np.pi * 700.0 * time))[np.newaxis]
    converted = Impulse(taps, 44_100).at_rate(RATE)
    assert converted.shape == (1, RATE)
    tone = np.exp(-2j * np.pi * 700.0 * np.arange(RATE) / RATE)
    assert abs(abs(converted[0] @ tone) / abs(taps[0] @ np.exp(-2j * np.pi * 700.0 * time)) - 1.0) <= 1e-3


def test_no_mix_is_no_change():
    """Without any mix the signal passes bit for bit and undelayed."""
    samples = np.ones((2, 100))
    running = ConvolutionReverb(Impulse(np.ones((1, 9)), RATE), mix=0.0).prepare(RATE, 2)
    assert running.process(samples, 0) is samples
    assert running.latency_frames == 0


def test_what_is_no_impulse_response():
    """Wrong channels, silence, not-a-number and responses beyond the limit are refused with the limit."""
    for samples, error in (
        (np.ones((3, 10)), ParameterError),
        (np.zeros((1, 10)), ParameterError),
        (np.full((1, 10), np.nan), AudioError),
    ):
        with pytest.raises(error):
            Impulse(samples, RATE)
    long = Impulse(np.ones((1, IMPULSE_FRAMES_MAX // 2 + 1)), RATE)
    with pytest.raises(DspError, match=r"at most 1048576 frames, 10\.9 s"):
        ConvolutionReverb(long).prepare(2 * RATE, 2)
    assert partition_frames(100) == 1_024
    assert partition_frames(IMPULSE_FRAMES_MAX) == 8_192
