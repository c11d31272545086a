"""Rumble: the slow drone of a turntable, a stand or a ventilator, below everything that is played.

It has a hump of its own: below the deepest note the spectrum falls into a valley and rises again, it is as loud in
quiet moments as in loud ones, and it counts for something against the whole. Music alone has no such hump, or one that
comes and goes with the beats, or one that nobody needs to care about. What lies under the valley is then taken out in
zero phase.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tapelog_dsp.audio import Audio
from tapelog_dsp.checks import declared, default
from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.fft import fft, turned
from tapelog_dsp.master.fir import FirFilter
from tapelog_dsp.repair.report import Finding, RepairReport, confidence, untouched
from tapelog_dsp.repair.store import Store, as_store, blocks, difference, energy, mended
from tapelog_dsp.repair.windows import hann, smooth

LOWEST_HZ: Final = 5.0
VALLEY_HZ: Final = (16.0, 36.0)
"""Where a valley is looked for; under the lowest note of a five-string bass (31 Hz) it may reach a little into it."""

SMOOTHING_HZ: Final = 3.0
WINDOW_S: Final = 2.0
WINDOWS_MIN: Final = 4
WINDOWS_MAX: Final = 60
"""Longer recordings are sampled at so many places, evenly."""

LOUDEST_RATIO: Final = 10.0**0.5
"""Between the loudest window and the median one; a drone measured 1.5, music 2.8 and more."""

QUIETEST_RATIO: Final = 10.0**-0.4
"""Between the quiet tenth of the windows and the median; a drone measured 0.7."""

SHORT_HUMP_DB: Final = 6.0
"""By so much more a drone has to stand out in a short recording: steadiness means less there."""

TRANSITION_HZ: Final = 8.0


@dataclass(frozen=True, slots=True)
class RumbleSettings:
    """What is called rumble.

    Parameters
    ----------
    hump_db : float
        How far the drone stands over the valley above it.
    share_db : float
        Its level against the whole recording, at least.
    """

    hump_db: float = default("RumbleSettings", "hump_db")
    share_db: float = default("RumbleSettings", "share_db")

    def __post_init__(self) -> None:
        declared(self)


def is_short(frames: int, sample_rate: int) -> bool:
    """Tell whether a recording is too short for whole windows; half ones are looked at, and more is asked of them."""
    return 2 * frames < (WINDOWS_MIN + 1) * (1 << math.ceil(math.log2(WINDOW_S * sample_rate)))


def _window_powers(store: Store, sample_rate: int) -> tuple[Float64s, float]:
    """Return the power of each window up to 40 Hz ``[windows, bins]``, all channels together, and Hz per bin."""
    length = 1 << math.ceil(math.log2(WINDOW_S * sample_rate))
    if is_short(store.frames, sample_rate):
        length //= 2
    bins = math.ceil((VALLEY_HZ[1] + 2.0 * SMOOTHING_HZ) * length / sample_rate)
    last = store.frames - length
    count = min(2 * last // length + 1, WINDOWS_MAX) if last >= 0 else 0
    starts = [round(last * index / max(count - 1, 1)) for index in range(count)]
    powers = np.zeros((count, bins))
    scale = 1.0 / float(length) ** 2
    for place, start in enumerate(starts):
        part = store.read(start, start + length) * hann(length)
        for first in range(0, len(part), 2):
            pair = part[first : first + 2]
            real, imaginary = fft(pair[0], pair[1] if len(pair) > 1 else np.zeros(length))
            whole = real * real + imaginary * imaginary
            powers[place] += (whole[:bins] + whole[-np.arange(bins) % length]) * scale
    return powers, sample_rate / length


def detect(samples: Audio, sample_rate: int, settings: RumbleSettings | None = None) -> Finding:
    """Look for a steady hump below the music.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    settings : RumbleSettings, optional
        What is called rumble.

    Returns
    -------
    Finding
        Evidence: ``hump_db``, ``share_db``, ``steadiness`` (quiet tenth over loudest window), ``edge_hz``; ``detail``
        is the edge in Hz. Audio under about 4 s is never changed: steadiness needs time.
    """
    return look(as_store(samples, sample_rate), sample_rate, settings)


def look(store: Store, sample_rate: int, settings: RumbleSettings | None = None) -> Finding:
    """Look for a drone in a store; see `detect`."""
    settings = settings or RumbleSettings()
    powers, bin_hz = _window_powers(store, sample_rate)
    power = energy(store) / max(store.frames, 1)
    if len(powers) < WINDOWS_MIN or power <= 0.0:
        return Finding("rumble", present=False, confidence=0.0)
    spectrum = smooth(np.median(powers, axis=0), max(round(0.5 * SMOOTHING_HZ / bin_hz), 1)) + 1e-24
    first, low, high = (round(hz / bin_hz) for hz in (LOWEST_HZ, *VALLEY_HZ))
    edge = low + int(np.argmin(spectrum[low : high + 1]))
    hump_db = 10.0 * math.log10(float(spectrum[first:edge].max()) / float(spectrum[edge]))
    drone = powers[:, first:edge].sum(axis=1)
    middle = float(np.median(drone)) + 1e-24
    # A Hann window halves the amplitude and spreads a line over 1.5 bins: 8/3 of its summed power is the power.
    share_db = 10.0 * math.log10(middle * (8.0 / 3.0) / power)
    quiet, loud = float(np.quantile(drone, 0.1)) / middle, float(drone.max()) / middle
    steady = quiet >= QUIETEST_RATIO and loud <= LOUDEST_RATIO
    evidence = {
        "hump_db": hump_db,
        "share_db": share_db,
        "steadiness": quiet / max(loud, 1e-12),
        "edge_hz": edge * bin_hz,
    }
    gate_db = settings.hump_db + (SHORT_HUMP_DB if is_short(store.frames, sample_rate) else 0.0)
    present = steady and hump_db >= gate_db and share_db >= settings.share_db
    sure = confidence(10.0 ** (hump_db / 20.0), 10.0 ** (gate_db / 20.0))
    return Finding("rumble", present, sure, evidence, detail=edge * bin_hz)


def _low_pass(edge_hz: float, sample_rate: int) -> Float64s:
    """Return a symmetric low-pass of gain 1 at 0 Hz, -6 dB at the edge: a sinc under a Hann window."""
    half = math.ceil(2.0 * sample_rate / TRANSITION_HZ)
    places = np.arange(-half, half + 1, dtype=np.float64)
    share = edge_hz / sample_rate
    _, sine = turned(places * share)
    divisor = math.pi * np.where(places == 0.0, 1.0, places)
    cosine, _ = turned(places / (2.0 * (half + 1)))
    taps = np.where(places == 0.0, 2.0 * share, sine / divisor) * (0.5 + 0.5 * cosine)
    return taps * (1.0 / math.fsum(taps.tolist()))


def _lows(store: Store, taps: Float64s, channels: slice) -> Iterator[tuple[int, Audio]]:
    """Yield start and lows of one or two channels, in time with them; the ends are mirrored."""
    half = min(taps.size // 2, store.frames - 1)
    before = store.read(1, half + 1)[channels, ::-1]
    after = store.read(store.frames - half - 1, store.frames - 1)[channels, ::-1]
    running = FirFilter(taps, taps.size // 2, len(before))
    silence = np.zeros((len(before), running.latency_frames))
    wide = itertools.chain((before,), (block[channels] for _, block in blocks(store)), (after, silence))
    clock, place, skipped = 0, 0, half + running.latency_frames
    for part in wide:
        got = running.process(np.ascontiguousarray(part), clock)
        clock += part.shape[1]
        left = max(min(skipped, got.shape[1]), 0)
        skipped -= left
        got = got[:, left : left + store.frames - place]
        if got.shape[1]:
            yield place, got
        place += got.shape[1]


def repair(
    samples: Audio, sample_rate: int, finding: Finding | None = None, settings: RumbleSettings | None = None
) -> tuple[Audio, RepairReport]:
    """Take out what lies under the valley, without moving any phase.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    finding : Finding, optional
        What `detect` found in the same samples; measured here when missing.
    settings : RumbleSettings, optional
        What is called rumble.

    Returns
    -------
    tuple of ndarray [shape=(channels, frames)] and RepairReport
    """
    return mended(samples, sample_rate, finding or detect(samples, sample_rate, settings), mend)


def mend(store: Store, sample_rate: int, finding: Finding) -> tuple[Store, RepairReport]:
    """Take out what lies under the valley of a store; see `repair`."""
    if not finding.present:
        return store, untouched(finding, "no steady drone stands below the music")
    edge_hz: Any = finding.detail
    taps = _low_pass(edge_hz, sample_rate)
    result = store.new(store.channels)
    for first in range(0, store.channels, 2):
        for start, lows in _lows(store, taps, slice(first, first + 2)):
            own = store.read(start, start + lows.shape[1])[first : first + 2]
            result.write(start, own - lows, channel=first)
    made = difference(store, result)
    return result, made.report(finding, f"everything below {edge_hz:.0f} Hz taken out in zero phase")
