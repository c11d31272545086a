"""Reference matching: a known change is found and undone, each aspect alone."""

import functools

import numpy as np
import pytest
from scipy import signal
from tapelog_dsp import (
    Audio,
    AudioError,
    Bell,
    Compressor,
    CurveEq,
    HighShelf,
    LowShelf,
    Match,
    MatchSettings,
    ParameterError,
    ParametricEq,
    Reference,
    Width,
    match,
    profile,
)
from tapelog_dsp.analysis.bands import THIRDS_HZ, third_octaves_db
from tapelog_dsp.master.chain import run_aligned
from tapelog_dsp.testing import programme

RATE = 48_000
SECONDS = 6.0
EQ = ParametricEq((LowShelf(150.0, 4.0), Bell(1_200.0, -5.0, 0.8), HighShelf(6_000.0, 3.0)))


@functools.cache
def song(seed: int = 1) -> Audio:
    """Return a programme with energy everywhere."""
    random = np.random.default_rng(seed)
    sections = signal.butter(1, 400.0, fs=RATE, output="sos")
    wide = signal.sosfilt(sections, random.standard_normal((2, int(SECONDS * RATE))))
    return 0.5 * programme(SECONDS, seed=seed) + 0.3 * wide


def through(samples: Audio, *specs: object) -> Audio:
    """Return the samples behind processors."""
    for spec in specs:
        samples = np.concatenate(list(run_aligned(spec.prepare(RATE, 2), [samples])), axis=1)
    return samples


def matched(samples: Audio, *references: Reference, **settings: object) -> Match:
    """Match an array."""
    return match(lambda: iter([samples]), RATE, references, MatchSettings(**settings))


def thirds(samples: Audio):
    """Return third octaves from 63 Hz to 16 kHz around their mean."""
    spectrum = profile(samples, RATE).spectrum
    levels = third_octaves_db(spectrum, spectrum.stereo)[
        (np.array(THIRDS_HZ) > 60.0) & (np.array(THIRDS_HZ) < 17_000.0)
    ]
    return levels - levels.mean()


@pytest.mark.parametrize("phase", ["minimum", "linear"])
def test_tone_alone(phase: str):
    """An equaliser of several bands is found from the sound alone: the matched master is within 1 dB per third."""
    reference = through(song(), EQ)
    found = matched(song(), Reference(profile(reference, RATE)), aspects=("tone",), phase=phase)
    (curve,) = found.processors
    assert isinstance(curve, CurveEq)
    assert curve.phase == phase
    assert found.target_lufs is None
    before = np.abs(thirds(song()) - thirds(reference)).max()
    after = np.abs(thirds(through(song(), curve)) - thirds(reference)).max()
    assert before > 4.0
    assert after < 1.0


def test_tone_is_held_within_its_limit():
    """A reference 40 dB away is not followed further than the limit, and the reason says so."""
    dull = signal.sosfilt(signal.butter(6, 500.0, fs=RATE, output="sos"), song())
    found = matched(song(), Reference(profile(dull, RATE)), aspects=("tone",), max_gain_db=9.0)
    assert max(abs(level) for _, level in found.processors[0].points) <= 9.0
    assert "held at 9 dB" in found.reasons[0]
    half = matched(song(), Reference(profile(through(song(), EQ), RATE)), aspects=("tone",), strength=0.5)
    whole = matched(song(), Reference(profile(through(song(), EQ), RATE)), aspects=("tone",))
    ratio = dict(half.processors[0].points)[1_000.0] / dict(whole.processors[0].points)[1_000.0]
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_several_references_with_weights():
    """Two opposite references cancel; a weight of 0 leaves one of them out."""
    opposite = ParametricEq(tuple(type(band)(band.frequency_hz, -band.gain_db) for band in (EQ.bands[0], EQ.bands[2])))
    alike = ParametricEq((EQ.bands[0], EQ.bands[2]))
    one, other = (profile(through(song(), eq), RATE) for eq in (alike, opposite))
    both = matched(song(), Reference(one), Reference(other), aspects=("tone",))
    assert not both.processors or max(abs(level) for _, level in both.processors[0].points) < 0.4
    first = matched(song(), Reference(one), Reference(other, {"tone": 0.0}), aspects=("tone",))
    assert dict(first.processors[0].points)[62.5] > 2.5
    with pytest.raises(ParameterError, match="tone"):
        matched(song(), Reference(one, {"tone": 0.0}), aspects=("tone",))


def test_width_alone():
    """A reference of double width asks for a width of 2, a mono one for nothing."""
    wide = through(song(), Width(1.6))
    found = matched(song(), Reference(profile(wide, RATE)), aspects=("width",))
    assert found.processors[0].width == pytest.approx(1.6, abs=0.01)
    mono = profile(np.tile(song()[:1], (2, 1)), RATE)
    assert matched(song(), Reference(mono), aspects=("width",)).processors == ()


def test_dynamics_alone():
    """A compressed reference is matched in PSR within 0.3 LU by a compressor; a more dynamic one is left alone."""
    dense = through(song(), Compressor(-20.0, 2.5, 0.5, 60.0))
    reference = profile(dense, RATE)
    found = matched(song(), Reference(reference), aspects=("dynamics",))
    (compressor,) = found.processors
    assert profile(through(song(), compressor), RATE).psr_lu == pytest.approx(reference.psr_lu, abs=0.3)
    left = matched(dense, Reference(profile(song(), RATE)), aspects=("dynamics",))
    assert left.processors == ()
    assert "not made more dynamic" in left.reasons[0]


def test_loudness_and_everything():
    """Loudness becomes the solver's target, weighted; all aspects together keep their order."""
    loud, soft = profile(song(), RATE), profile(0.25 * song(), RATE)
    found = matched(song(), Reference(loud, {"loudness": 3.0}), Reference(soft), aspects=("loudness",))
    assert found.target_lufs == pytest.approx(loud.integrated_lufs - 12.04 / 4.0, abs=0.05)
    reference = through(song(), EQ, Compressor(-20.0, 2.5, 0.5, 60.0), Width(0.5))
    every = matched(song(), Reference(profile(reference, RATE)))
    assert [type(spec).__name__ for spec in every.processors] == ["CurveEq", "Compressor", "Width"]
    assert [reason.split(":")[0] for reason in every.reasons] == ["tone", "dynamics", "width", "loudness"]


def test_a_master_needs_nothing_to_be_like_itself():
    """Held against itself a master gets no processor and its own loudness."""
    own = profile(song(), RATE)
    found = matched(song(), Reference(own))
    assert found.processors == ()
    assert found.target_lufs == pytest.approx(own.integrated_lufs, abs=0.01)


def test_what_cannot_be_matched():
    """No reference, a silent one, an unknown aspect and a negative weight are refused."""
    own = profile(song(), RATE)
    with pytest.raises(ParameterError, match="references"):
        match(lambda: iter([song()]), RATE, ())
    with pytest.raises(AudioError, match="absolute gate"):
        profile(np.zeros((2, RATE)), RATE)
    with pytest.raises(AudioError, match="no blocks"):
        match(lambda: iter([]), RATE, (Reference(own),))
    for wrong in ({"aspects": ("taste",)}, {"max_gain_db": 30.0}, {"phase": "maximum"}):
        with pytest.raises(ParameterError):
            MatchSettings(**wrong)
    with pytest.raises(ParameterError):
        Reference(own, {"tone": -1.0})
