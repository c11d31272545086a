"""The noise shapers against their published figures, and their place under full scale."""

import numpy as np
import pytest
from tapelog_dsp import Dither, ParameterError
from tapelog_dsp.master.dither import SHAPERS

DIGEST = bytes(range(32))
STEP = 2.0**-15
SHAPED = ("lipshitz-5", "f-weighted-9")


def transfer(name: str, points: int = 1 << 16):
    """Return the noise transfer 1 - sum c_k z^-k from 0 to half the rate."""
    return np.abs(np.fft.rfft(np.concatenate(([1.0], -np.array(SHAPERS[name]))), points))


@pytest.mark.parametrize(
    ("name", "power_db", "least_db", "least_hz"),
    [("lipshitz-5", 12.19, -27.2, 4_040.0), ("f-weighted-9", 18.40, -25.2, 3_150.0)],
)
def test_published_figures(name: str, power_db: float, least_db: float, least_hz: float):
    """All zeros are inside the unit circle, the mean log response is 0, and power and notch are those published."""
    assert np.abs(np.roots(np.concatenate(([1.0], -np.array(SHAPERS[name]))))).max() < 1.0
    level = 20.0 * np.log10(transfer(name))
    assert abs(level.mean()) < 0.01
    assert 10.0 * np.log10(1.0 + np.square(SHAPERS[name]).sum()) == pytest.approx(power_db, abs=0.01)
    frequencies = np.fft.rfftfreq(1 << 16, 1.0 / 44_100.0)
    heard = (frequencies > 1_000.0) & (frequencies < 8_000.0)
    lowest = int(np.where(heard, level, 99.0).argmin())
    assert level[lowest] == pytest.approx(least_db, abs=0.1)
    assert frequencies[lowest] == pytest.approx(least_hz, abs=30.0)


@pytest.mark.parametrize("name", SHAPED)
@pytest.mark.parametrize("level", [0.0, 0.3, 1000.25])
def test_noise_has_the_shape_and_no_bias(name: str, level: float):
    """The printed noise has the transfer's spectrum within 1 dB, the power of TPDF times its gain, and no mean."""
    frames = 1 << 19
    samples = np.full((1, frames), level * STEP)
    _, real = Dither(bits=16, digest=DIGEST, channels=1, shaping=name, sample_rate=44_100).process(samples)
    error = (real - samples)[0] / STEP
    gain = np.sqrt(1.0 + np.square(SHAPERS[name]).sum())
    assert error.std() == pytest.approx(0.5 * gain, rel=0.01)
    assert abs(error.mean()) < 0.005
    power = np.square(np.abs(np.fft.rfft(error.reshape(-1, 4_096) * np.hanning(4_096), axis=1))).mean(axis=0)
    wanted = np.square(transfer(name, 4_096)) * 0.25 * np.square(np.hanning(4_096)).sum()
    bands = np.add.reduceat(power[8:2_048], np.arange(0, 2_040, 60)) / np.add.reduceat(
        wanted[8:2_048], np.arange(0, 2_040, 60)
    )
    assert np.abs(10.0 * np.log10(bands)).max() < 1.0


@pytest.mark.parametrize("name", ["none", *SHAPED])
def test_headroom_is_enough(name: str):
    """A signal at the reserved headroom never clips; one at full scale does, and the loop stays where it is."""
    dither = Dither(bits=16, digest=DIGEST, channels=1, shaping=name, sample_rate=44_100)
    assert -0.02 < dither.headroom_db < 0.0
    peak = 10.0 ** (dither.headroom_db / 20.0)
    dither.process(peak * np.sign(np.sin(np.arange(200_000) * 0.7))[None])
    assert dither.clipped_samples == 0
    over = Dither(bits=16, digest=DIGEST, channels=1, shaping=name, sample_rate=44_100)
    over.process(np.full((1, 50_000), 1.0))
    assert over.clipped_samples > 0
    _, real = over.process(np.zeros((1, 1_000)))
    assert np.abs(real).max() < 50 * STEP


def test_blocks_do_not_matter():
    """Shaped noise is the same for every block size."""
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 5_000))
    settings = {"bits": 16, "digest": DIGEST, "channels": 2, "shaping": "f-weighted-9", "sample_rate": 48_000}
    whole, _ = Dither(**settings).process(samples)
    dither = Dither(**settings)
    parts = [dither.process(np.ascontiguousarray(part))[0] for part in np.split(samples, [1, 7, 1_000, 4_999], axis=1)]
    assert (np.concatenate(parts, axis=1) == whole).all()


@pytest.mark.parametrize(("shaping", "rate"), [("loud", 44_100), ("lipshitz-5", 96_000), ("lipshitz-5", None)])
def test_unusable_settings(shaping: str, rate: int | None):
    """An unknown shaper, or a rate that the shapers are not made for, is refused."""
    with pytest.raises(ParameterError):
        Dither(bits=16, digest=DIGEST, channels=1, shaping=shaping, sample_rate=rate)
