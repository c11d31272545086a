"""Roles by ear, on sounds whose nature is known."""

from collections.abc import Callable

import numpy as np
import pytest
from tapelog_desk.automix.classify import CONFIDENCE_MAX, guess_role
from tapelog_desk.automix.hearing import hear
from tapelog_desk.automix.testing import RATE, bass, hats, keys, kick, snare, voice
from tapelog_dsp import ArrayReader


@pytest.mark.parametrize(
    ("make", "role"),
    [(kick, "kick"), (snare, "snare"), (hats, "cymbals"), (bass, "bass"), (keys, "instrument"), (voice, "voice")],
)
def test_a_plain_sound_is_told(make: Callable[[], np.ndarray], role: str):
    """Sounds as plain as these are told by ear, without ever being certain."""
    guess = guess_role(hear(ArrayReader(make()), sample_rate_hz=RATE, channels=1))
    assert guess.name == role
    assert 0.0 < guess.confidence <= CONFIDENCE_MAX


def test_the_level_of_a_recording_does_not_change_the_answer():
    """A stem recorded 30 dB lower has the same scores."""
    loud = guess_role(hear(ArrayReader(voice()), sample_rate_hz=RATE, channels=1))
    quiet = guess_role(hear(ArrayReader(voice() * 10**-1.5), sample_rate_hz=RATE, channels=1))
    assert quiet.name == loud.name
    assert quiet.scores == pytest.approx(loud.scores, abs=0.1)


def test_what_cannot_be_told_is_unknown():
    """Steady broad noise is none of the classes; silence is nothing at all."""
    pink = np.cumsum(np.random.default_rng(9).standard_normal((1, RATE * 4)), axis=1)
    pink -= np.convolve(pink[0], np.ones(400) / 400, mode="same")
    hum = np.sin(2.0 * np.pi * 150.0 * np.arange(RATE * 4) / RATE) * np.abs(pink)
    for samples in (0.01 * pink, np.zeros((1, RATE)), 0.005 * hum + 0.002 * pink):
        assert guess_role(hear(ArrayReader(samples), sample_rate_hz=RATE, channels=1)).name == "unknown"
