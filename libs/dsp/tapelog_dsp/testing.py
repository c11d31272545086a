"""Signals for tests: the tones of the standards, a programme with transients, and what tortures a limiter."""

import math
from collections.abc import Callable, Iterable

import numpy as np

from tapelog_dsp.audio import Audio


def tone(
    segments: Iterable[tuple[float, float]],
    *,
    sample_rate: int = 48_000,
    frequency_hz: float = 1_000.0,
    channels: int = 2,
) -> Audio:
    """Return a sine in phase on all channels, in segments of (seconds, peak level in dBFS)."""
    parts = []
    for seconds, level_db in segments:
        phase = 2.0 * math.pi * frequency_hz / sample_rate * np.arange(round(seconds * sample_rate))
        parts.append(10.0 ** (level_db / 20.0) * np.sin(phase))
    return np.tile(np.concatenate(parts), (channels, 1))


def silence(seconds: float, *, sample_rate: int = 48_000, channels: int = 2) -> Audio:
    """Return digital silence."""
    return np.zeros((channels, round(seconds * sample_rate)))


def programme(seconds: float, *, sample_rate: int = 48_000, seed: int = 1770) -> Audio:
    """Return a stereo programme with drums, bass and pads; its highest peak is full scale, its crest factor is high."""
    random = np.random.default_rng(seed)
    frames = round(seconds * sample_rate)
    time = np.arange(frames) / sample_rate
    result: Audio = 0.05 * random.standard_normal((2, frames))
    result += 0.1 * np.sin(2.0 * math.pi * np.array([[220.0], [331.0]]) * time)
    for beat in range(int(seconds * 4.0)):
        start = beat * sample_rate // 4
        later = time[: frames - start]
        sweep = 2.0 * math.pi * (50.0 * later - 2.0 * np.exp(-40.0 * later))
        result[:, start:] += np.exp(-18.0 * later) * np.sin(sweep)
        if beat % 2:
            result[:, start:] += 0.35 * np.exp(-30.0 * later) * random.standard_normal((2, frames - start))
    result /= np.abs(result).max()
    return result


def intersample_torture(*, sample_rate: int = 48_000, seed: int = 2) -> Audio:
    """Return bursts at simple fractions of the sample rate, at 45 degrees, up to 3.5 dB over full scale."""
    random = np.random.default_rng(seed)
    result = np.zeros((2, 4 * sample_rate))
    for start in range(1000, result.shape[1] - 1000, 3000):
        length = int(random.integers(20, 800))
        cycles = random.choice([1 / 4, 1 / 6, 1 / 3, 1 / 8, 11 / 48, 7 / 48])
        burst = np.sin(2.0 * math.pi * cycles * np.arange(length) + 0.25 * math.pi)
        result[:, start : start + length] += burst * random.uniform(0.5, 1.5)
    return result


def quarter_rate_bursts(*, sample_rate: int = 48_000, seed: int = 3) -> Audio:
    """Return bursts at a quarter of the sample rate at 45 degrees: +3 dBTP behind samples of 0 dBFS."""
    random = np.random.default_rng(seed)
    result = np.zeros((2, 3 * sample_rate))
    for start in range(500, result.shape[1] - 500, 2000):
        length = int(random.integers(4, 200))
        result[:, start : start + length] = math.sqrt(2.0) * np.sin(0.5 * math.pi * np.arange(length) + 0.25 * math.pi)
    return result


def random_impulses(*, sample_rate: int = 48_000, seed: int = 4) -> Audio:
    """Return impulses of +-2 at random places."""
    random = np.random.default_rng(seed)
    result = np.zeros((2, 3 * sample_rate))
    places = random.integers(0, result.shape[1], 2000)
    result[random.integers(0, 2, 2000), places] = random.choice([-2.0, 2.0], 2000)
    return result


def top_octave_tones(*, sample_rate: int = 48_000) -> Audio:
    """Return faded tones from 20 to 22 kHz, 1.6 dB over full scale."""
    length = round(0.25 * sample_rate)
    ramp = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / 200.0)
    parts = []
    for index, frequency in enumerate(np.linspace(20_000.0, 22_000.0, 11)):
        wave = 1.2 * ramp * np.sin(2.0 * math.pi * frequency / sample_rate * np.arange(length) + index)
        parts.append(wave)
    return np.tile(np.concatenate(parts), (2, 1))


TORTURE: dict[str, Callable[[], Audio]] = {
    "programme 9 dB over": lambda: programme(4.0) * 10.0 ** (9.0 / 20.0),
    "inter-sample torture": intersample_torture,
    "quarter-rate bursts": quarter_rate_bursts,
    "random impulses": random_impulses,
    "20-22 kHz tones": top_octave_tones,
}
"""What a limiter has to hold its ceiling on."""
