"""Meters of level and stereo, and meters that are joined: merged equals whole."""

import numpy as np
import pytest
from tapelog_dsp import LevelMeter, LoudnessMeter, Meter, ParameterError, measure, pooled_lufs
from tapelog_dsp.testing import programme, silence, tone

RATE = 48_000


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_merged_equals_whole(rate: int, threads: int):
    """Parts measured beside each other and joined give the peaks of the whole bit for bit, its loudness to 1e-9 LU."""
    samples = programme(8.3, sample_rate=rate)
    samples[:, 3 * rate : 4 * rate] *= 1e-4
    meter = Meter(rate, 2)
    meter.add(samples)
    whole, merged = meter.result(), measure(samples, rate, threads=threads)
    assert merged.frames == whole.frames
    assert merged.true_peak == whole.true_peak
    assert merged.loudness.integrated_lufs == pytest.approx(whole.loudness.integrated_lufs, abs=1e-9)
    assert merged.loudness.range_lu == pytest.approx(whole.loudness.range_lu, abs=1e-9)
    assert merged.loudness.momentary_max_lufs == pytest.approx(whole.loudness.momentary_max_lufs, abs=1e-9)
    assert np.abs(merged.loudness.momentary_lufs - whole.loudness.momentary_lufs).max() < 1e-9


def test_a_joined_meter_goes_on():
    """Measuring continues behind the joined part, over the open hop too."""
    samples = programme(4.0)
    meter, later, whole = Meter(RATE, 2), Meter(RATE, 2, first_frame=RATE, before=samples[:, :RATE]), Meter(RATE, 2)
    meter.add(samples[:, :RATE].copy())
    later.add(samples[:, RATE : 2 * RATE + 123].copy())
    meter.join(later.state())
    meter.add(samples[:, 2 * RATE + 123 :].copy())
    whole.add(samples)
    assert meter.result().true_peak == whole.result().true_peak
    difference = meter.result().loudness.short_term_lufs - whole.result().loudness.short_term_lufs
    assert np.abs(difference).max() < 1e-9


@pytest.mark.parametrize("tenths", [1, 2, 5])
def test_short_parts_join(tenths: int):
    """Parts shorter than the 400 ms of a momentary window still find the loudest one, which lies across them."""
    samples = programme(2.0)
    samples[:, 43_000:60_000] *= 3.0
    whole, parts = LoudnessMeter(RATE, 2), LoudnessMeter(RATE, 2)
    whole.add(samples)
    for start in range(0, 2 * RATE, tenths * RATE // 10):
        part = LoudnessMeter(RATE, 2, first_frame=start, before=np.ascontiguousarray(samples[:, :start]))
        part.add(np.ascontiguousarray(samples[:, start : start + tenths * RATE // 10]))
        parts.join(part.state())
    one, other = whole.result(), parts.result()
    assert other.momentary_max_lufs == pytest.approx(one.momentary_max_lufs, abs=1e-9)
    assert other.momentary_lufs == pytest.approx(one.momentary_lufs, abs=1e-9)
    assert one.momentary_max_lufs >= one.momentary_lufs.max()


def test_parts_must_meet():
    """A part that begins elsewhere or within a step is refused."""
    with pytest.raises(ParameterError, match="step"):
        LoudnessMeter(RATE, 2, first_frame=480)
    meter = LoudnessMeter(RATE, 2)
    meter.add(silence(1))
    with pytest.raises(ParameterError, match="48000"):
        meter.join(LoudnessMeter(RATE, 2, first_frame=2 * RATE).state())
    levels = LevelMeter(RATE, 2)
    with pytest.raises(ParameterError, match="step"):
        LevelMeter(RATE, 2, first_frame=480)
    with pytest.raises(ParameterError, match="frame 0"):
        levels.join(LevelMeter(RATE, 2, first_frame=RATE).state())


def test_pooled_loudness():
    """Two programmes pooled are gated as one: 20 s at -23 and 20 s at -40 LUFS give -23."""
    meters = []
    for level in (-23.0, -40.0):
        meter = LoudnessMeter(RATE, 2)
        meter.add(tone([(20, level)]))
        meters.append(meter)
    assert pooled_lufs(meters) == pytest.approx(-23.0, abs=0.1)
    assert pooled_lufs([]) == -np.inf


@pytest.mark.parametrize("rate", [11_025, 44_100])
def test_levels_do_not_depend_on_blocks_and_join(rate: int):
    """Random blocks, and two joined meters, give every figure of the whole, bit for bit."""
    samples, random = programme(3.27, sample_rate=rate), np.random.default_rng(3)
    whole = LevelMeter(rate, 2)
    whole.add(samples)
    parts, start = LevelMeter(rate, 2), 0
    while start < samples.shape[1]:
        stop = min(start + int(random.integers(1, 9_000)), samples.shape[1])
        parts.add(samples[:, start:stop])
        start = stop
    first, second = LevelMeter(rate, 2), LevelMeter(rate, 2, first_frame=2 * rate, before=samples[:, : 2 * rate])
    first.add(samples[:, : 2 * rate])
    second.add(samples[:, 2 * rate :])
    first.join(second.state())
    for other in (parts.result(), first.result()):
        assert (other.peaks == whole.result().peaks).all()
        assert other.rms_dbfs == whole.result().rms_dbfs
        assert other.dc == whole.result().dc
        assert other.correlation_p5 == whole.result().correlation_p5


def read(samples: np.ndarray):
    """Return the levels of an array."""
    meter = LevelMeter(RATE, len(samples))
    meter.add(samples)
    return meter.result()


def test_known_levels():
    """A sine has its crest of 3.01 dB, a square none; DC and the floor are those that were put in."""
    sine = tone([(2, -6.0)], frequency_hz=100.0)
    assert read(sine).crest_db == pytest.approx(3.0103, abs=1e-3)
    assert read(sine).rms_dbfs == pytest.approx(-9.0103, abs=1e-3)
    assert read(np.sign(sine + 1e-9)).crest_db == pytest.approx(0.0, abs=1e-3)
    assert read(sine + np.array([[0.01], [-0.02]])).dc == pytest.approx((0.01, -0.02), abs=1e-6)
    noise = 1e-3 * np.random.default_rng(1).standard_normal((2, 2 * RATE))
    noise[:, : RATE // 2] = 0.0
    noise[:, RATE:] += 0.5
    assert read(noise).noise_floor_dbfs == pytest.approx(-60.0, abs=0.5)
    assert read(silence(1)).noise_floor_dbfs == -np.inf
    assert read(silence(1)).crest_db == 0.0


def test_correlation():
    """Equal channels give 1, opposite ones -1, unrelated ones 0; a short null shows in the 5th percentile alone."""
    random = np.random.default_rng(2)
    one, other = random.standard_normal((2, 20 * RATE)) * 0.1
    assert read(np.stack((one, one))).correlation_p5 == pytest.approx(1.0)
    assert read(np.stack((one, -one))).correlation == pytest.approx(-1.0)
    assert abs(read(np.stack((one, other))).correlation) < 0.02
    short = np.stack((one, one))
    short[1, : 2 * RATE] *= -1.0
    assert read(short).correlation > 0.7
    assert read(short).correlation_p5 == pytest.approx(-1.0)
    assert read(one[None]).correlation == 1.0
    assert read(np.stack((one, one))).side_to_mid_db == -np.inf
    assert read(np.stack((one, 0.5 * one))).balance_db == pytest.approx(6.02, abs=0.01)


def test_psr():
    """A steady sine at -20 dBFS has its peak 0 dB above its loudness; silence has none."""
    samples = np.concatenate((tone([(5, -20.0)]), silence(5)), axis=1)
    meter = LoudnessMeter(RATE, 2)
    meter.add(samples)
    psr = read(samples).psr_lu(meter.result().short_term_lufs)
    assert psr[0] == pytest.approx(0.0, abs=0.1)
    assert np.isnan(psr[-1])
