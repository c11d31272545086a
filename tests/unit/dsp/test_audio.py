"""The gatekeeper, units, and errors that name the value."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from tapelog_dsp import (
    Audio,
    AudioError,
    Bell,
    Compressor,
    Gain,
    HighPass,
    ParameterError,
    PlateReverb,
    Width,
    valid_audio,
)
from tapelog_dsp.units import db_to_gain, gain_to_db


def test_valid_audio_passes_float64_through():
    """A contiguous float64 buffer is not copied; float32 becomes float64 with the same values."""
    samples = np.ones((2, 4))
    assert valid_audio(samples) is samples
    converted = valid_audio(np.full((1, 3), 0.1, dtype=np.float32))
    assert converted.dtype == np.float64
    assert (converted == np.float32(0.1)).all()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 4), dtype=np.int16), "float32 or float64 array, got int16"),
        ([[0.0]], "float32 or float64 array, got list"),
        (np.zeros(4), r"shape \[channels, frames\], got \(4,\)"),
        (np.zeros((3, 4)), r"must have 1 or 2 channels, got shape \(3, 4\)"),
        (np.array([[0.0, np.nan], [0.0, 0.0]]), "nan in channel 0 at frame 1 .1 in all"),
        (np.array([[0.0, 0.0], [-np.inf, np.inf]]), "-inf in channel 1 at frame 0 .2 in all"),
    ],
)
def test_invalid_audio(samples: Audio, message: str):
    """What is no audio is refused with its name and the first bad value's place."""
    with pytest.raises(AudioError, match="stem kick: .*" + message):
        valid_audio(samples, name="stem kick", channels=(1, 2))


@pytest.mark.parametrize(
    ("make", "parameter", "value"),
    [
        (lambda: Compressor(-20.0, 0.5), "Compressor.ratio", 0.5),
        (lambda: Compressor(3.0, 2.0), "Compressor.threshold_db", 3.0),
        (lambda: Bell(1_000.0, 40.0), "Bell.gain_db", 40.0),
        (lambda: HighPass(80.0, 13), "HighPass.slope_db_per_octave", 13),
        (lambda: Gain(math.nan), "Gain.gain_db", math.nan),
        (lambda: PlateReverb(decay_s=0.0), "PlateReverb.decay_s", 0.0),
        (lambda: HighPass(12_000.0).prepare(16_000, 2), "HighPass.cutoff_hz", 12_000.0),
        (lambda: Width(1.0).prepare(48_000, 1), "Width", "1 channels"),
    ],
)
def test_settings_out_of_range(make: Callable[[], object], parameter: str, value: object):
    """A setting outside its range is refused when made, with its name, its value and what would do."""
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.parameter == parameter
    assert caught.value.value is value or caught.value.value == value
    assert str(caught.value).startswith(f"{parameter} must be ")


def test_decibels():
    """0 dB is exactly 1, -144 dB and less is exactly 0, everything between agrees with the power of ten."""
    assert db_to_gain(0.0) == 1.0
    assert db_to_gain(-144.0) == db_to_gain(-math.inf) == 0.0
    for level_db in np.linspace(-140.0, 24.0, 83):
        assert db_to_gain(float(level_db)) == pytest.approx(10.0 ** (level_db / 20.0), rel=1e-14)
        assert gain_to_db(db_to_gain(float(level_db))) == pytest.approx(level_db, abs=1e-12)
    assert gain_to_db(0.0) == -math.inf
