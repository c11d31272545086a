"""TPDF dither: Lipshitz, Wannamaker and Vanderkooy, JAES 40(5), 1992."""

import numpy as np
import pytest
from tapelog_dsp import Dither, ParameterError

DIGEST = bytes(range(32))
STEP = 2.0**-15


def error_steps(level_steps: float, frames: int = 400_000, digest: bytes = DIGEST):
    """Return the total error in steps for a steady input."""
    samples = np.full((1, frames), level_steps * STEP)
    _, real = Dither(bits=16, digest=digest, channels=1).process(samples)
    return (real - samples)[0] / STEP


@pytest.mark.parametrize("level_steps", [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1000.3])
def test_error_does_not_depend_on_the_signal(level_steps: float):
    """Mean and power of the total error are those of TPDF at every input: 0 and half a step rms."""
    error = error_steps(level_steps)
    assert abs(error.mean()) < 0.005
    assert error.std() == pytest.approx(0.5, abs=0.003)


def test_noise_floor():
    """The floor at 16 bit is -93.3 dB below a full-scale sine."""
    rms = error_steps(0.3).std() * STEP
    assert 20.0 * np.log10(rms / np.sqrt(0.5)) == pytest.approx(-93.32, abs=0.05)


def test_no_distortion_of_a_tone_below_one_step():
    """A 997 Hz tone at -90.3 dBFS keeps its level, and its harmonics stay under the noise."""
    frames = 1 << 18
    bin_index = round(997.0 / 44_100.0 * frames)
    samples = STEP * np.sin(2.0 * np.pi * bin_index / frames * np.arange(frames))[None]
    _, real = Dither(bits=16, digest=DIGEST, channels=1).process(samples)
    spectrum = np.abs(np.fft.rfft(real[0])) / (frames / 2) / STEP
    noise = np.median(spectrum)
    assert spectrum[bin_index] == pytest.approx(1.0, abs=0.02)
    assert spectrum[2 * bin_index] < 5.0 * noise
    assert spectrum[3 * bin_index] < 5.0 * noise


def test_channels_and_masters_have_their_own_noise():
    """Channels of one master, and two masters, are uncorrelated; the same master has the same noise."""
    samples = np.zeros((2, 200_000))
    one = Dither(bits=24, digest=DIGEST, channels=2).process(samples)[0]
    again = Dither(bits=24, digest=DIGEST, channels=2).process(samples)[0]
    other = Dither(bits=24, digest=DIGEST[::-1], channels=2).process(samples)[0]
    assert (one == again).all()
    assert abs(np.corrcoef(one[0], one[1])[0, 1]) < 0.01
    assert abs(np.corrcoef(one[0], other[0])[0, 1]) < 0.01


@pytest.mark.parametrize("bits", [16, 24])
def test_values_and_floats_agree(bits: int):
    """The floats are the whole numbers divided by 2^(bits - 1), and full scale clips without wrapping."""
    dither = Dither(bits=bits, digest=DIGEST, channels=1)
    whole, real = dither.process(np.array([[0.5, -0.5, 1.0, -1.0, 1.2, -1.2]]))
    scale = 1 << (bits - 1)
    assert (real == whole / scale).all()
    assert abs(whole[0, 0] - scale // 2) <= 1
    assert whole.max() == scale - 1
    assert whole.min() == -scale
    assert dither.clipped_samples >= 2


@pytest.mark.parametrize(("bits", "digest"), [(20, DIGEST), (16, b"short")])
def test_unusable_settings(bits: int, digest: bytes):
    """Another word length or digest length is refused."""
    with pytest.raises(ParameterError):
        Dither(bits=bits, digest=digest, channels=2)
