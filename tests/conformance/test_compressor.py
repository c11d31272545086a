"""The compressor: Giannoulis, Massberg and Reiss 2012, eq. (4) and eq. (17)."""

import numpy as np
import pytest
from tapelog_dsp import Audio, Compressor

RATE = 48_000


def settled_db(compressor: Compressor, level_db: float) -> float:
    """Return the level that a steady input settles at."""
    samples = np.full((1, RATE // 2), 10.0 ** (level_db / 20.0))
    return 20.0 * float(np.log10(compressor.prepare(RATE, 1).process(samples, 0)[0, -1]))


@pytest.mark.parametrize("ratio", [1.5, 4.0, 100.0])
@pytest.mark.parametrize("knee_db", [0.0, 6.0, 12.0])
def test_static_curve(ratio: float, knee_db: float):
    """Below the knee 1:1, in it eq. (4), above it the slope 1/R, each to 1e-7 dB: the level is measured to 4e-8."""
    compressor = Compressor(-20.0, ratio, attack_ms=0.0, release_ms=1.0, knee_db=knee_db)
    for over in (-15.0, -knee_db / 2, -knee_db / 4, 0.0, knee_db / 4, knee_db / 2, 10.0, 20.0):
        if 2.0 * over < -knee_db:
            wanted = over
        elif 2.0 * abs(over) <= knee_db and knee_db > 0.0:
            wanted = over + (1.0 / ratio - 1.0) * (over + knee_db / 2.0) ** 2 / (2.0 * knee_db)
        else:
            wanted = over / ratio if over > 0.0 else over
        assert settled_db(compressor, -20.0 + over) == pytest.approx(-20.0 + wanted, abs=1e-7)


def reduction_of_a_step(attack_ms: float, release_ms: float, first_db: float, then_db: float):
    """Return the gain reduction in dB per frame after a step."""
    samples = np.full((1, RATE), 10.0 ** (first_db / 20.0))
    samples[:, RATE // 2 :] = 10.0 ** (then_db / 20.0)
    running = Compressor(-20.0, 4.0, attack_ms, release_ms, knee_db=0.0).prepare(RATE, 1)
    return -20.0 * np.log10(running.process(samples, 0) / samples)[0, RATE // 2 :]


@pytest.mark.parametrize("attack_ms", [1.0, 10.0, 30.0])
def test_attack_step(attack_ms: float):
    """A step from -40 to -10 dB reaches 63.2 % of its 7.5 dB reduction after the attack time, +-1 sample."""
    reduction = reduction_of_a_step(attack_ms, 200.0, -40.0, -10.0)
    frames = attack_ms * RATE / 1000.0
    reached = int(np.argmax(reduction >= 7.5 * (1.0 - np.exp(-1.0)))) + 1
    assert abs(reached - frames) <= 1.0


@pytest.mark.parametrize("release_ms", [20.0, 100.0])
def test_release_step(release_ms: float):
    """Back from -10 to -40 dB 63.2 % of the reduction are gone after the release time, +-1 sample."""
    reduction = reduction_of_a_step(0.0, release_ms, -10.0, -40.0)
    frames = release_ms * RATE / 1000.0
    reached = int(np.argmax(reduction <= 7.5 * np.exp(-1.0))) + 1
    assert abs(reached - frames) <= 1.0


def test_channels_are_linked():
    """A peak on one side turns both sides down by the same gain: the image does not move."""
    samples = np.full((2, RATE // 4), 0.01)
    samples[0, RATE // 8 :] = 0.8
    gains = Compressor(-20.0, 4.0).prepare(RATE, 2).process(samples, 0) / samples
    assert (np.abs(gains[0] - gains[1]) <= 1e-15).all()
    assert gains[1, -1] < 0.5


def test_ratio_one_is_transparent(random_noise: Audio):
    """Ratio 1 gives the input bit for bit."""
    assert (Compressor(-40.0, 1.0).prepare(RATE, 2).process(random_noise, 0) == random_noise).all()


def test_root_mean_square_detector():
    """With rms_ms a steady sine is judged by its power, 3.01 dB below its peak."""
    wave = np.sin(2.0 * np.pi * 1_000.0 / RATE * np.arange(RATE))[None]
    running = Compressor(-20.0, 4.0, 1.0, 100.0, knee_db=0.0, rms_ms=50.0).prepare(RATE, 1)
    running.process(wave, 0)
    assert running.telemetry()["gain_reduction_max_db"] == pytest.approx((20.0 - 3.0103) * 0.75, abs=0.1)


def test_sidechain_highpass():
    """Bass far below the detector's high-pass does not trigger the compressor; the same level above it does."""
    time = np.arange(RATE) / RATE
    figures = []
    for frequency in (40.0, 2_000.0):
        running = Compressor(-30.0, 4.0, sidechain_highpass_hz=400.0).prepare(RATE, 1)
        running.process(0.1 * np.sin(2.0 * np.pi * frequency * time)[None], 0)
        figures.append(running.telemetry()["gain_reduction_max_db"])
    assert figures[0] == 0.0
    assert figures[1] > 5.0


def test_mix_and_makeup():
    """Dry and wet add up in linear gain, make-up on the wet part."""
    samples = np.full((1, RATE), 10.0 ** (-10.0 / 20.0))
    spec = Compressor(-20.0, 4.0, 1.0, 10.0, knee_db=0.0, makeup_db=6.0, mix=0.25)
    gain = float((spec.prepare(RATE, 1).process(samples, 0) / samples)[0, -1])
    assert gain == pytest.approx(0.75 + 0.25 * 10.0 ** ((6.0 - 7.5) / 20.0), abs=1e-9)
