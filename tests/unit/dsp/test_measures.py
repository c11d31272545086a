"""Waveform overview, resampling, targets, width: the small parts."""

import numpy as np
import pytest
import soxr
from tapelog_dsp import (
    ENGINE_VERSION,
    AudioError,
    Gain,
    Meter,
    Polarity,
    Resampler,
    TargetUnknownError,
    WaveformPeaks,
    Width,
    get_target,
    load_targets,
    resample,
    resampled_frames,
)
from tapelog_dsp.testing import tone


def test_waveform_peaks(random: np.random.Generator):
    """Every bucket holds the smallest and largest sample of its stretch, the last one of what is left."""
    samples = random.uniform(-1, 1, (2, 1_050))
    peaks = WaveformPeaks(2, 100)
    for part in np.split(samples, [7, 8, 450], axis=1):
        peaks.add(part)
    low, high = peaks.result()
    assert low.shape == high.shape == (2, 11)
    for bucket in range(11):
        stretch = samples[:, 100 * bucket : 100 * bucket + 100].astype(np.float32)
        assert (low[:, bucket] == stretch.min(axis=1)).all()
        assert (high[:, bucket] == stretch.max(axis=1)).all()


@pytest.mark.parametrize(("input_rate", "output_rate"), [(44_100, 48_000), (48_000, 44_100), (96_000, 44_100)])
def test_resampling_streams_exactly(random: np.random.Generator, input_rate: int, output_rate: int):
    """Any blocks give the same samples as soxr in one go, in exactly the expected number."""
    samples = random.uniform(-0.5, 0.5, (2, 9_001))
    converter = Resampler(input_rate, output_rate, 2)
    parts = [converter.process(part) for part in np.split(samples, [1, 500, 4_000], axis=1)]
    streamed = np.concatenate([*parts, converter.flush()], axis=1)
    whole = resample(samples, input_rate, output_rate)
    assert streamed.shape[1] == resampled_frames(9_001, input_rate, output_rate)
    assert (streamed == whole).all()
    reference = soxr.resample(samples.T, input_rate, output_rate, "VHQ").T
    shared = min(reference.shape[1], whole.shape[1])
    assert np.abs(whole[:, :shared] - reference[:, :shared]).max() <= 1e-9


def test_resampling_keeps_time():
    """A tone burst has its centre at the same second before and after."""
    samples = tone([(0.2, -80), (0.1, -6), (0.2, -80)], sample_rate=44_100)
    after = resample(samples, 44_100, 96_000)
    centres = [
        float((np.square(x[0]) * np.arange(x.shape[1])).sum() / np.square(x[0]).sum()) / rate
        for x, rate in ((samples, 44_100), (after, 96_000))
    ]
    assert centres[0] == pytest.approx(centres[1], abs=1e-6)


def test_same_rate_is_untouched(random: np.random.Generator):
    """Without a change of rate the samples pass unchanged."""
    samples = random.uniform(-1, 1, (1, 100))
    assert (resample(samples, 48_000, 48_000) == samples).all()


def test_targets_are_complete():
    """Every target has a source, a status, and values that a limiter can reach."""
    targets = load_targets()
    assert {"spotify", "streaming", "apple-music", "ebu-r128", "cd", "vinyl", "podcast"} <= set(targets)
    for name, target in targets.items():
        assert target.name == name
        assert target.status in {"published", "reported"}
        assert target.source
        assert -3.0 <= target.true_peak_dbtp <= 0.0
        assert target.bits in {16, 24}
        assert (target.integrated_lufs is None) == (target.tolerance_lu is None)
    assert get_target("ebu-r128").integrated_lufs == -23.0
    assert get_target("cd").sample_rate_hz == 44_100


def test_unknown_target_lists_the_known_ones():
    """A name that does not exist is answered with those that do."""
    with pytest.raises(TargetUnknownError, match=r"no delivery target is called 'myspace'; known targets: .*spotify"):
        get_target("myspace")


def test_simple_processors(random: np.random.Generator):
    """Gain, polarity and width do what they say; width never changes the mono fold-down."""
    samples = random.uniform(-1, 1, (2, 100))
    assert np.allclose(Gain(6.0).prepare(48_000, 2).process(samples, 0), samples * 10 ** (6 / 20), rtol=1e-14)
    assert (Polarity().prepare(48_000, 2).process(samples, 0) == -samples).all()
    assert (Width(1.0).prepare(48_000, 2).process(samples, 0) == samples).all()
    narrow = Width(0.0).prepare(48_000, 2).process(samples, 0)
    assert (narrow[0] == narrow[1]).all()
    wide = Width(1.7).prepare(48_000, 2).process(samples, 0)
    assert np.abs(wide.sum(axis=0) - samples.sum(axis=0)).max() <= 1e-15
    assert np.allclose(wide[0] - wide[1], 1.7 * (samples[0] - samples[1]))


def test_meter_puts_both_together():
    """One meter reads loudness and true peak, and the peak to loudness ratio; it refuses other shapes."""
    meter = Meter(48_000, 2)
    meter.add(tone([(5, -18)]))
    reading = meter.result()
    assert reading.frames == 240_000
    assert reading.loudness.integrated_lufs == pytest.approx(-18.0, abs=0.01)
    assert reading.peak_to_loudness_lu == pytest.approx(0.0, abs=0.02)
    with pytest.raises(AudioError, match="must have 2 channels"):
        meter.add(np.zeros((1, 10)))


def test_engine_version():
    """The version that render digests pin is a name and a number."""
    name, number = ENGINE_VERSION.split("/")
    assert name == "tapelog-dsp"
    assert int(number) >= 1
