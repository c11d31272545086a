"""EBU Tech 3341 v4, table 1: minimum requirements of a loudness meter; tolerance 0.1 LU, true peak +0.2 / -0.4 dB."""

import numpy as np
import pytest
from scipy import signal
from tapelog_dsp import Audio, Loudness, LoudnessMeter, TruePeakMeter
from tapelog_dsp import measure as measure_parts
from tapelog_dsp.testing import silence, tone

RATE = 48_000
TOLERANCE_LU = 0.1


def measure(samples: Audio, rate: int = RATE) -> Loudness:
    """Return the meter's reading, fed in blocks that fit no hop."""
    meter = LoudnessMeter(rate, len(samples))
    for start in range(0, samples.shape[1], 9_973):
        meter.add(np.ascontiguousarray(samples[:, start : start + 9_973]))
    return meter.result()


def near(level: float):
    """Return the level with the document's tolerance."""
    return pytest.approx(level, abs=TOLERANCE_LU)


@pytest.mark.parametrize(("case", "level"), [(1, -23.0), (2, -33.0)])
@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
def test_case_1_and_2_steady_tone(case: int, level: float, rate: int):
    """20 s of 1 kHz: M, S and I equal the level, at every sample rate."""
    loudness = measure(tone([(20, level)], sample_rate=rate), rate)
    assert loudness.integrated_lufs == near(level)
    assert loudness.momentary_max_lufs == near(level)
    assert loudness.short_term_max_lufs == near(level)


def test_case_3_quiet_ends():
    """10 s at -36, 60 s at -23, 10 s at -36 dBFS: the relative gate keeps I at -23."""
    assert measure(tone([(10, -36), (60, -23), (10, -36)])).integrated_lufs == near(-23.0)


def test_case_4_quieter_ends():
    """With 10 s at -72 dBFS around case 3 the absolute gate keeps I at -23."""
    samples = tone([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)])
    assert measure(samples).integrated_lufs == near(-23.0)


def test_case_5_loud_middle():
    """20 s at -26, 20.1 s at -20, 20 s at -26 dBFS: I = -23."""
    assert measure(tone([(20, -26), (20.1, -20), (20, -26)])).integrated_lufs == near(-23.0)


def test_case_6_surround():
    """5.0 channels L R C Ls Rs at -28 -28 -24 -30 -30 dBFS: I = -23 with the surrounds weighted."""
    levels = (-28, -28, -24, -30, -30)
    samples = np.concatenate([tone([(20, level)], channels=1) for level in levels])
    assert measure(samples).integrated_lufs == near(-23.0)


def test_case_9_short_term():
    """1.34 s at -20 and 1.66 s at -30 dBFS, five times: S stays at -23 after 3 s."""
    short = measure(tone([(1.34, -20), (1.66, -30)] * 5)).short_term_lufs
    assert short == near(-23.0)


@pytest.mark.parametrize("index", range(0, 20, 3))
def test_case_10_short_term_of_a_file(index: int):
    """Silence of index x 0.15 s, 3 s at -23 dBFS, 1 s of silence: the largest S is -23."""
    samples = np.concatenate((silence(index * 0.15), tone([(3, -23)]), silence(1)), axis=1)
    assert measure(samples).short_term_max_lufs == near(-23.0)


def test_case_12_momentary():
    """0.18 s at -20 and 0.22 s at -30 dBFS, 25 times: M stays at -23 after 1 s."""
    momentary = measure(tone([(0.18, -20), (0.22, -30)] * 25)).momentary_lufs
    assert momentary[6:] == near(-23.0)


@pytest.mark.parametrize("index", range(0, 20, 3))
def test_case_13_momentary_of_a_file(index: int):
    """Silence of index x 20 ms, 0.4 s at -23 dBFS, 1 s of silence: the largest M is -23, which needs 10 ms hops."""
    samples = np.concatenate((silence(index * 0.02), tone([(0.4, -23)]), silence(1)), axis=1)
    assert measure(samples).momentary_max_lufs == near(-23.0)


def test_case_11_short_term_live():
    """Silence of index x 0.15 s, 3 s at -38 + index dBFS, silence, in one meter: max S is -38 to -19 in turn."""
    meter = LoudnessMeter(RATE, 2)
    for index in range(20):
        for part in (silence(index * 0.15), tone([(3, -38 + index)]), silence(3 - index * 0.15)):
            meter.add(part)
        assert meter.result().short_term_max_lufs == near(-38.0 + index)


def test_case_14_momentary_live():
    """Silence of index x 20 ms, 0.4 s at -38 + index dBFS, silence, in one meter: max M is -38 to -19 in turn."""
    meter = LoudnessMeter(RATE, 2)
    for index in range(20):
        for part in (silence(index * 0.02), tone([(0.4, -38 + index)]), silence(0.4 - index * 0.02)):
            meter.add(part)
        assert meter.result().momentary_max_lufs == near(-38.0 + index)


@pytest.mark.parametrize("channels", [5, 6])
def test_case_6_in_parts_and_with_a_low_frequency_channel(channels: int):
    """Case 6 as 5.0 and as 5.1 with a loud LFE reads the same, and so do parts that were measured beside each other."""
    levels = [-28, -28, -24, -30, -30] if channels == 5 else [-28, -28, -24, -6, -30, -30]
    samples = np.concatenate([tone([(20, level)], channels=1) for level in levels])
    assert measure_parts(samples, RATE, threads=3).loudness.integrated_lufs == near(-23.0)


def true_peak(samples: Audio) -> list[float]:
    """Return the readings of the meter as a whole and of each interpolator."""
    meter = TruePeakMeter(RATE, 1)
    meter.add(np.ascontiguousarray(samples[None]))
    reading = meter.result()
    return [reading.max_dbtp, reading.itu48_dbtp, reading.hann49_dbtp, reading.long_dbtp]


def assert_true_peak(readings: list[float], expected: float):
    """Hold every reading against the document's tolerance."""
    for reading in readings:
        assert expected - 0.4 <= reading <= expected + 0.2


@pytest.mark.parametrize(
    ("divisor", "amplitude", "degrees", "expected"),
    [(4, 0.5, 0.0, -6.0), (4, 0.5, 45.0, -6.0), (6, 0.5, 60.0, -6.0), (8, 0.5, 67.5, -6.0), (4, 1.41, 45.0, 3.0)],
    ids=["case 15", "case 16", "case 17", "case 18", "case 19"],
)
def test_case_15_to_19_true_peak_of_tones(divisor: int, amplitude: float, degrees: float, expected: float):
    """A faded tone at a fraction of the sample rate reads its analog peak on every interpolator."""
    index = np.arange(RATE)
    fade = np.minimum(1.0, np.minimum(index, index[::-1]) / 480.0)
    samples = amplitude * fade * np.sin(2.0 * np.pi * index / divisor + np.deg2rad(degrees))
    assert_true_peak(true_peak(samples), expected)


@pytest.mark.parametrize("offset", range(4), ids=["case 20", "case 21", "case 22", "case 23"])
def test_case_20_to_23_true_peak_of_a_splice(offset: int):
    """One period of fs/4 at full scale in fs/6 at half scale, made at 4 fs, low-passed and decimated: 0 dBTP."""
    over = 4 * RATE
    slow = 0.5 * np.sin(2.0 * np.pi * np.arange(24 * 400) / 24.0)
    fast = np.sin(2.0 * np.pi * np.arange(16) / 16.0)
    spliced = np.concatenate((slow, fast, slow))
    fade = np.minimum(1.0, np.minimum(np.arange(spliced.size), np.arange(spliced.size)[::-1]) / 1000.0)
    filtered = signal.oaconvolve(spliced * fade, signal.firwin(255, 0.95 * RATE / 2, fs=over), mode="same")
    assert_true_peak(true_peak(filtered[offset::4]), 0.0)
