"""The kernels of the repairs against their plain twins (equal bits on every instruction set) and against SciPy."""

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.special
from tapelog_dsp.kernels import autoregression, denoising, mains
from tapelog_dsp.kernels.twins import autoregression as plain_autoregression
from tapelog_dsp.kernels.twins import denoising as plain_denoising
from tapelog_dsp.kernels.twins import mains as plain_mains


def coloured(random: np.random.Generator, frames: int) -> np.ndarray:
    """Return noise with a resonance."""
    return scipy.signal.lfilter([1.0], [1.0, -1.6, 0.9], random.standard_normal(frames))


@pytest.mark.usefixtures("each_isa")
def test_autoregression_equals_its_twin(random: np.random.Generator):
    """Correlation, model, residual and filling have the twin's bits."""
    x = coloured(random, 301)
    got, want = autoregression.autocorrelation(x, 17), plain_autoregression.autocorrelation(x, 17)
    assert got.tobytes() == want.tobytes()
    (model, left), (plain_model, plain_left) = autoregression.levinson(got, 17), plain_autoregression.levinson(want, 17)
    assert model.tobytes() == plain_model.tobytes()
    assert left == plain_left
    assert autoregression.residual(x, model).tobytes() == plain_autoregression.residual(x, model).tobytes()
    places = np.array([40, 41, 42, 50, 51, 90, *range(150, 190)], dtype=np.int64)
    one, other = x.copy(), x.copy()
    assert autoregression.fill(one, model, places, pull=0.25)
    assert plain_autoregression.fill(other, model, places, pull=0.25)
    assert one.tobytes() == other.tobytes()


@pytest.mark.usefixtures("each_isa")
def test_hum_equals_its_twin(random: np.random.Generator):
    """Taking harmonics out and putting them in has the twin's bits."""
    x, turns = random.standard_normal(230), np.cumsum(random.uniform(0.0, 0.3, 230))
    got = mains.demodulate(x, turns, harmonics=5, block=50)
    assert got.tobytes() == plain_mains.demodulate(x, turns, harmonics=5, block=50).tobytes()
    knots = random.standard_normal((230 // 64 + 2, 5, 2))
    assert mains.modulate(turns, knots, hop=64).tobytes() == plain_mains.modulate(turns, knots, hop=64).tobytes()


@pytest.mark.usefixtures("each_isa")
def test_denoiser_equals_its_twin(random: np.random.Generator):
    """Gains and memory have the twin's bits."""
    power, noise = random.chisquare(2, (9, 33)) * 10.0 ** random.uniform(-3, 3, 33), random.uniform(0.5, 2.0, 33)
    settings = np.array([0.85, 0.003, 0.05])
    memory, plain_memory = np.ones(33), np.ones(33)
    got = denoising.denoise_gain(power, noise, memory, settings)
    want = plain_denoising.denoise_gain(power, noise, plain_memory, settings)
    assert got.tobytes() == want.tobytes()
    assert memory.tobytes() == plain_memory.tobytes()


@pytest.mark.parametrize("order", [1, 32, 128, 129])
def test_model_solves_the_normal_equations(random: np.random.Generator, order: int):
    """The model is SciPy's solution of the Toeplitz equations."""
    r = autoregression.autocorrelation(coloured(random, 4096), order)
    model, left = autoregression.levinson(r, order)
    want = scipy.linalg.solve_toeplitz(r[:-1], -r[1:])
    np.testing.assert_allclose(model[1:], want, atol=1e-9)
    assert left == pytest.approx(r @ model, rel=1e-9)


@pytest.mark.parametrize("order", [2, 32, 127, 128])
def test_filling_is_the_least_squares_solution(random: np.random.Generator, order: int):
    """A filled gap has the least residual energy: the same samples as a dense least-squares solver finds."""
    x = coloured(random, 1000)
    model, _ = autoregression.levinson(autoregression.autocorrelation(x, order), order)
    places = np.array([*range(400, 420), 430, 431, *range(600, 603)], dtype=np.int64)
    filled = x.copy()
    assert autoregression.fill(filled, model, places)
    predictor = scipy.linalg.toeplitz(
        np.r_[model[::-1][:1], np.zeros(1000 - order - 1)], np.r_[model[::-1], np.zeros(1000 - order - 1)]
    )
    known = x.copy()
    known[places] = 0.0
    want, *_ = np.linalg.lstsq(predictor[:, places], -predictor @ known, rcond=None)
    np.testing.assert_allclose(filled[places], want, atol=1e-7)
    untouched = np.setdiff1d(np.arange(1000), places)
    assert filled[untouched].tobytes() == x[untouched].tobytes()


def test_filling_without_a_unique_answer_says_so():
    """A first difference fills silence with silence; a model without any tap has no unique answer and returns False."""
    x = np.zeros(300)
    assert autoregression.fill(x, np.array([1.0, -1.0]), np.arange(10, 200, dtype=np.int64))
    assert np.isfinite(x).all()
    assert not autoregression.fill(x, np.array([0.0, 0.0]), np.array([50], dtype=np.int64))


def test_harmonics_are_sines_and_cosines(random: np.random.Generator):
    """The family made by complex multiplication stays within 1e-11 of the true sines, 40 harmonics up."""
    turns = random.uniform(0.0, 1e4, 2_000)
    knots = np.zeros((3, 40, 2))
    knots[:, 39, 0] = 1.0
    got = mains.modulate(turns, knots, hop=2_000)
    want = np.cos(2.0 * np.pi * 40.0 * (turns % 1.0))
    assert np.abs(got - want).max() < 1e-11


def test_gain_follows_ephraim_and_malah():
    """One row with no memory gives the log-spectral amplitude gain with SciPy's exponential integral, to 1e-4."""
    power, settings = np.geomspace(0.01, 1e4, 60)[None], np.array([0.85, 0.003, 1e-9])
    got = denoising.denoise_gain(power, np.ones(60), np.ones(60), settings)[0]
    prior = np.maximum(0.85 + 0.15 * np.maximum(power[0] - 1.0, 0.0), 0.003)
    v = power[0] * prior / (1.0 + prior)
    want = np.minimum(prior / (1.0 + prior) * np.exp(0.5 * scipy.special.exp1(v)), 1.0)
    np.testing.assert_allclose(got, want, rtol=1e-4)
