"""Follow mains hum through a stretch of audio: its frequency over time, and each harmonic's amplitude over time.

A hum is one moving phase and constant amplitudes; music is neither. So everything is estimated by weighted least
squares on short windows around each harmonic, and a window's weight is the inverse of the power found beside the
harmonic (+-9 and +-14 Hz), plus what the model did not explain: pauses decide, loud music is nearly ignored.
All arithmetic is on separate real and imaginary parts: NumPy's complex product may be fused on some processors.
"""

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.kernels import mains
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.repair.windows import gaussian, hann

BASE_RATE_HZ: Final = 400
"""Rate of the demodulated harmonics: half of it is the largest offset from a harmonic that is still seen."""

WINDOW_BLOCKS: Final = 128  # 0.32 s: its main lobe (+-6.25 Hz) stays clear of the side bands below
HOP_BLOCKS: Final = 64
SIDE_OFFSETS_HZ: Final = (9.0, 14.0)
TRACK_HARMONICS: Final = (1, 1, 2, 2, 4, 4, 8, mains.HARMONICS_MAX, mains.HARMONICS_MAX)
"""How many harmonics each pass listens to: low ones first, they wrap last."""

TRACK_SIGMA_S: Final = (1.0, *[0.7] * (len(TRACK_HARMONICS) - 1))
"""How smooth the phase is held to be, pass by pass; what a pass smooths away the next one sees again."""

DOUBT: Final = 10.0  # signal-to-noise ratio at which a window's phase counts half
AMPLITUDE_SIGMA_S: Final = 6.0
POWER_FLOOR: Final = 1e-14  # -140 dBFS: digital silence beside a harmonic must not give an infinite weight


@dataclass(frozen=True, slots=True)
class HumTrack:
    """A hum followed through one stretch.

    Parameters
    ----------
    turns : ndarray [shape=(frames,)]
        Phase of the first harmonic, in turns.
    amplitudes : ndarray [shape=(channels, windows, harmonics, 2)]
        Real and imaginary amplitude around each window.
    mean : ndarray [shape=(channels, harmonics, 2)], variance : ndarray [shape=(channels, harmonics)]
        Amplitude over the whole stretch, and the variance of that estimate.
    reliable, absent : ndarray [shape=(channels, harmonics)]
        Windows in which the hum, as estimated, would stand 10 dB clear of everything beside it; and those among them in
        which it does not: a hum is in every one, a bass note is not.
    hop : int
        Frames from window to window.
    """

    turns: Float64s
    amplitudes: Float64s
    mean: Float64s
    variance: Float64s
    reliable: Float64s
    absent: Float64s
    hop: int


def block_frames(sample_rate: int) -> int:
    """Return how many frames one demodulated value covers."""
    return round(sample_rate / BASE_RATE_HZ)


@functools.lru_cache(maxsize=16)
def _turned_windows(block_s: float) -> tuple[tuple[Float64s, Float64s], ...]:
    """Return cosine and sine parts of the window, turned by 0 and by each side offset."""
    window = hann(WINDOW_BLOCKS)
    parts = []
    for offset in (0.0, *SIDE_OFFSETS_HZ):
        angles = [2.0 * math.pi * offset * block_s * j for j in range(WINDOW_BLOCKS)]
        cosine = window * np.array([math.cos(angle) for angle in angles])
        sine = window * np.array([math.sin(angle) for angle in angles])
        parts.append((cosine[:, None], sine[:, None]))
    return tuple(parts)


def _observe(samples: Audio, turns: Float64s, harmonics: int, block: int, sample_rate: int) -> tuple[Float64s, ...]:
    """Return per channel, window and harmonic: real part, imaginary part, and the power beside the harmonic."""
    scale = 2.0 / (block * WINDOW_BLOCKS * 0.5)
    parts: tuple[list[Float64s], ...] = ([], [], [])
    for channel in samples:
        z = mains.demodulate(np.ascontiguousarray(channel), turns, harmonics=harmonics, block=block) * scale
        starts = range(0, z.shape[0] - WINDOW_BLOCKS + 1, HOP_BLOCKS)
        observed = np.array([_window_sums(z[start : start + WINDOW_BLOCKS], block / sample_rate) for start in starts])
        for part, values in zip(parts, np.moveaxis(observed, 1, 0), strict=True):
            part.append(values)
    return tuple(np.array(part) for part in parts)


def _window_sums(z: Float64s, block_s: float) -> tuple[Float64s, Float64s, Float64s]:
    real, imaginary = z[:, :, 0], z[:, :, 1]
    (centre, _), *sides = _turned_windows(block_s)
    power = np.zeros(z.shape[1])
    for cosine, sine in sides:
        a, b = (real * cosine).sum(axis=0), (real * sine).sum(axis=0)
        c, d = (imaginary * cosine).sum(axis=0), (imaginary * sine).sum(axis=0)
        power += (a + d) ** 2 + (c - b) ** 2 + (a - d) ** 2 + (c + b) ** 2
    mean = np.maximum(power / (2 * len(sides)), POWER_FLOOR)
    return (real * centre).sum(axis=0), (imaginary * centre).sum(axis=0), mean


def _amplitudes(real: Float64s, imaginary: Float64s, beside: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Return the weighted mean amplitude (real, imaginary) over the windows, and the weights."""
    weights = 1.0 / beside
    for _ in range(5):
        total = weights.sum(axis=1)
        a, b = (weights * real).sum(axis=1) / total, (weights * imaginary).sum(axis=1) / total
        unexplained = (real - a[:, None]) ** 2 + (imaginary - b[:, None]) ** 2
        weights = 1.0 / (beside + unexplained)
    return a, b, weights


def _phase_error(real: Float64s, imaginary: Float64s, beside: Float64s, sigma: float) -> Float64s:
    """Return the error of the phase track at each window, in turns: a local line through what the harmonics say."""
    a, b, weights = _amplitudes(real, imaginary, beside)
    order = np.arange(1, real.shape[2] + 1)
    size = np.maximum(np.sqrt((a**2 + b**2)[:, None] * (real**2 + imaginary**2)), 1e-30)
    sine = (imaginary * a[:, None] - real * b[:, None]) / size  # of the angle, which is small once the track is close
    trust = weights * (a**2 + b**2)[:, None] * order
    pull, mass = (trust * sine).sum(axis=(0, 2)), (trust * order).sum(axis=(0, 2))
    pull *= mass / (mass + DOUBT)
    return _local_line(pull, mass, sigma) / (2.0 * math.pi)


def _local_line(pull: Float64s, mass: Float64s, sigma: float) -> Float64s:
    """Fit a weighted line around each point (Gaussian weights in time) and return its value there."""
    radius = math.ceil(4.0 * sigma)
    m0, m1, m2, p0, p1 = (np.zeros(mass.size) for _ in range(5))
    bell = gaussian(sigma, radius)
    for d in range(-min(radius, mass.size - 1), min(radius, mass.size - 1) + 1):
        here = slice(max(0, -d), mass.size - max(0, d))
        there = slice(max(0, d), mass.size - max(0, -d))
        g = bell[abs(d)]
        m0[here] += g * mass[there]
        m1[here] += g * d * mass[there]
        m2[here] += g * d * d * mass[there]
        p0[here] += g * pull[there]
        p1[here] += g * d * pull[there]
    spread = m0 * m2 - m1 * m1
    safe = spread > 1e-9 * m0 * m0
    return np.where(safe, (m2 * p0 - m1 * p1) / np.where(safe, spread, 1.0), p0 / np.maximum(m0, 1e-300))


def _local_amplitudes(part: Float64s, weights: Float64s, sigma: float) -> Float64s:
    """Return the weighted mean around each window, Gaussian in time, along axis 1."""
    radius, windows = math.ceil(4.0 * sigma), part.shape[1]
    top, bottom = np.zeros(part.shape), np.zeros(part.shape)
    bell = gaussian(sigma, radius)
    for d in range(-min(radius, windows - 1), min(radius, windows - 1) + 1):
        here = slice(max(0, -d), windows - max(0, d))
        there = slice(max(0, d), windows - max(0, -d))
        top[:, here] += bell[abs(d)] * weights[:, there] * part[:, there]
        bottom[:, here] += bell[abs(d)] * weights[:, there]
    return np.asarray(top / bottom)


def track(samples: Audio, sample_rate: int, frequency_hz: float, harmonics: int) -> HumTrack:
    """Follow a hum near ``frequency_hz`` through a stretch of at least 0.32 s.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        The stretch; 5 to 30 s are sensible.
    sample_rate : int
        In Hz.
    frequency_hz : float
        First harmonic, to about 0.05 Hz.
    harmonics : int
        How many to follow.
    """
    block = block_frames(sample_rate)
    hop, frames = HOP_BLOCKS * block, np.arange(samples.shape[1], dtype=np.float64)
    turns = frames * (frequency_hz / sample_rate)
    for limit, sigma_s in zip(TRACK_HARMONICS, TRACK_SIGMA_S, strict=True):
        real, imaginary, beside = _observe(samples, turns, min(limit, harmonics), block, sample_rate)
        error = _phase_error(real, imaginary, beside, sigma_s * sample_rate / hop)
        centres = (np.arange(error.size) + 1.0) * hop
        turns = turns + np.interp(frames, centres, error)
    real, imaginary, beside = _observe(samples, turns, harmonics, block, sample_rate)
    a, b, weights = _amplitudes(real, imaginary, beside)
    unexplained = (real - a[:, None]) ** 2 + (imaginary - b[:, None]) ** 2
    power = a**2 + b**2
    present = real * a[:, None] + imaginary * b[:, None] >= 0.5 * power[:, None]
    reliable = beside < 0.1 * power[:, None]
    sigma = AMPLITUDE_SIGMA_S * sample_rate / hop
    local = [_local_amplitudes(part, weights, sigma) for part in (real, imaginary)]
    return HumTrack(
        turns=turns,
        amplitudes=np.stack(local, axis=-1),
        mean=np.stack((a, b), axis=-1),
        variance=(weights**2 * unexplained).sum(axis=1) / weights.sum(axis=1) ** 2,
        reliable=reliable.sum(axis=1).astype(np.float64),
        absent=(reliable & ~present).sum(axis=1).astype(np.float64),
        hop=hop,
    )
