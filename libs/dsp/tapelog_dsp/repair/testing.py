"""For tests: music made from nothing, and the ways in which takes get damaged."""

import numpy as np

from tapelog_dsp.audio import Audio

RATE = 44_100


def sdr_db(clean: Audio, other: Audio) -> float:
    """Return the signal-to-distortion ratio of ``other`` against ``clean``, sample by sample."""
    return float(10.0 * np.log10(np.square(clean).sum() / np.square(clean - other).sum()))


def sung_phrases(seconds: float = 8.0, *, rate: int = RATE, channels: int = 2, seed: int = 3) -> Audio:
    """Return a voice-like melody with vibrato, partials, breaths and real pauses; quiet floor, 16-bit steps."""
    random = np.random.default_rng(seed)
    frames = round(seconds * rate)
    result = np.zeros(frames)
    start = rate // 4
    while start < frames - rate:
        length = int(random.uniform(0.35, 0.9) * rate)
        time = np.arange(length) / rate
        pitch = 220.0 * 2.0 ** (random.integers(0, 13) / 12.0)
        phase = 2.0 * np.pi * (pitch * time + 0.6 * np.cos(2.0 * np.pi * 5.5 * time) / 5.5)
        note = sum(
            np.sin(k * phase + random.uniform(0.0, 6.0)) / k**1.3 for k in range(1, 18) if k * pitch < 0.4 * rate
        )
        shape = np.minimum(1.0, np.minimum(time / 0.05, (time[-1] - time) / 0.12))
        end = min(start + length, frames)
        result[start:end] += (random.uniform(0.05, 0.15) * note * shape)[: end - start]
        start += length + int(random.choice([0.02, 0.3, 0.6]) * rate)
    stereo = np.stack([result, 0.8 * np.roll(result, 13)])[:channels]
    stereo += 1e-5 * random.standard_normal(stereo.shape)
    return np.round(stereo * 32768.0) / 32768.0


def drums(seconds: float = 6.0, *, rate: int = RATE, seed: int = 4) -> Audio:
    """Return hard transients: kick with a beater click, snare, closed hats, some at full level."""
    random = np.random.default_rng(seed)
    frames = round(seconds * rate)
    result = np.zeros(frames)
    for beat in range(int(seconds * 8) - 1):
        start = beat * rate // 8
        time = np.arange(min(rate // 4, frames - start)) / rate
        hit = 0.15 * random.standard_normal(time.size) * np.exp(-time / 0.015)
        if beat % 4 == 0:
            hit += 0.8 * np.sin(2.0 * np.pi * (50.0 * time - 3.0 * np.exp(-40.0 * time))) * np.exp(-time / 0.08)
            hit += 0.4 * random.standard_normal(time.size) * np.exp(-time / 0.002)
        if beat % 4 == 2:
            hit += 0.5 * random.standard_normal(time.size) * np.exp(-time / 0.05)
        result[start : start + time.size] += hit
    return np.round(np.stack([result, result]) * 0.5 * 32768.0) / 32768.0


def bass_line(seconds: float = 8.0, *, frequency_hz: float = 50.0, rate: int = RATE, seed: int = 8) -> Audio:
    """Return a bass that plays the mains frequency and its harmonics, every note from its own phase, with gaps."""
    random = np.random.default_rng(seed)
    result = np.zeros(round(seconds * rate))
    time = np.arange(round(0.6 * rate)) / rate
    shape = np.minimum(1.0, np.minimum(time / 0.01, (time[-1] - time) / 0.03)) * np.exp(-time)
    for start in range(0, result.size - time.size, rate):
        turns = frequency_hz * time + random.uniform()
        note = sum(np.sin(2.0 * np.pi * k * turns) / k for k in range(1, 9))
        result[start : start + time.size] += 0.2 * note * shape
    return np.asarray(np.round(result[None] * 32768.0) / 32768.0)


def with_hum(clean: Audio, *, below_db: float = 20.0, rate: int = RATE, mains_hz: float = 50.0, seed: int = 5) -> Audio:
    """Return the audio with a drifting hum of 12 harmonics."""
    random = np.random.default_rng(seed)
    time = np.arange(clean.shape[1]) / rate
    phase = 2.0 * np.pi * np.cumsum(mains_hz + 0.03 * np.sin(2.0 * np.pi * time / 11.0)) / rate
    hum = sum(0.75**k * np.cos((k + 1) * phase + random.uniform(0.0, 6.0)) for k in range(12))
    gain = np.sqrt(np.square(clean).mean() / np.square(hum).mean()) * 10.0 ** (-below_db / 20.0)
    return np.asarray(clean + gain * hum)


def with_clicks(clean: Audio, *, count: int = 40, seed: int = 6) -> tuple[Audio, list[int]]:
    """Return the audio with short rings at random places, and the places."""
    random = np.random.default_rng(seed)
    result = clean.copy()
    places = sorted(int(place) for place in random.integers(9_000, clean.shape[1] - 9_000, count))
    for place in places:
        time = np.arange(int(random.integers(3, 30)))
        ring = np.exp(-4.0 * time / time.size) * np.cos(2.0 * np.pi * time / random.uniform(6.0, 25.0))
        result[:, place : place + time.size] += random.choice([-1.0, 1.0]) * random.uniform(0.15, 0.5) * ring
    return result, places


def with_noise(clean: Audio, *, snr_db: float = 25.0, seed: int = 7) -> Audio:
    """Return the audio with hiss that falls towards the treble."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(clean.shape)
    noise[:, 1:] += 0.6 * noise[:, :-1]
    gain = np.sqrt(np.square(clean).mean() / np.square(noise).mean()) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(clean + gain * noise)


def clipped(clean: Audio, *, fraction: float = 0.02) -> tuple[Audio, float]:
    """Return the audio clipped so that a fraction of the samples is lost, and the level."""
    level = float(np.quantile(np.abs(clean), 1.0 - fraction))
    return np.clip(clean, -level, level), level


def with_rumble(
    clean: Audio, *, below_db: float = 20.0, rate: int = RATE, centre_hz: float = 11.0, seed: int = 77
) -> Audio:
    """Return the audio over the drone of a turntable: noise around the resonance of its arm."""
    frames = clean.shape[1]
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(clean.shape))
    hz = np.fft.rfftfreq(frames, 1.0 / rate)
    drone = np.fft.irfft(spectrum * np.exp(-0.5 * ((hz - centre_hz) / 4.0) ** 2), frames)
    gain = np.sqrt(np.square(clean).mean() / np.square(drone).mean()) * 10.0 ** (-below_db / 20.0)
    return np.asarray(clean + gain * drone)


def with_plosives(clean: Audio, *, count: int = 6, rate: int = RATE, seed: int = 78) -> Audio:
    """Return the audio with breaths that hit the microphone: thumps of 60 to 120 ms that fall in pitch."""
    random = np.random.default_rng(seed)
    result = clean.copy()
    for place in random.integers(rate, clean.shape[1] - rate, count):
        time = np.arange(round(random.uniform(0.06, 0.12) * rate)) / rate
        turns = (40.0 + random.uniform(0.0, 20.0)) * time + 0.4 * (1.0 - np.exp(-time / 0.02))
        thump = random.uniform(0.2, 0.4) * np.sin(2.0 * np.pi * turns) * np.hanning(time.size)
        result[:, place : place + time.size] += thump
    return result
