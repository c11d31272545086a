"""The last steps of a master from a recipe: conversion before the limiter, fades, noise shaping, mastering inserts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import RecipeRefusedError, Rendered, beside, render_master
from tapelog_dsp import measure
from tapelog_dsp.testing import programme

SECONDS = 5.0


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    """Return a mix of 96 kHz."""
    path = tmp_path / "mix.wav"
    soundfile.write(path, 0.7 * programme(SECONDS, sample_rate=96_000).T, 96_000, subtype="FLOAT")
    return path


def mastered(mix: Path, **settings: object) -> Rendered:
    """Render a master of -14 LUFS at 44.1 kHz."""
    recipe = pb.MasterRecipe(
        source=pb.RecipeSource(file=mix.name), sample_rate_hz=44_100,
        target=pb.MasterTarget(integrated_lufs=-14.0, ceiling_dbtp=-1.0, tolerance_lu=0.2),
    )  # fmt: skip
    recipe.MergeFrom(pb.MasterRecipe(**settings))
    return render_master(recipe, beside(mix.parent), mix.parent, analysis_file=False)


def read(rendered: Rendered) -> np.ndarray:
    """Return the first file ``[channels, frames]``."""
    samples, rate = soundfile.read(rendered.audio[0].path, always_2d=True)
    assert rate == 44_100
    return np.ascontiguousarray(samples.T)


def test_conversion_comes_before_the_limiter(mix: Path):
    """A 96 kHz mix printed at 44.1 kHz and 16 bit keeps its ceiling and its loudness: nothing is converted later."""
    output = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=16, noise_shaping=pb.NOISE_SHAPING_F_WEIGHTED_9)
    reading = measure(read(mastered(mix, outputs=[output])), 44_100)
    assert reading.true_peak.max_dbtp <= -1.0
    assert reading.loudness.integrated_lufs == pytest.approx(-14.0, abs=0.2)


def test_noise_is_shaped_where_the_recipe_says_so(mix: Path):
    """The difference to the float print is dither; shaped, it has 20 dB less at 3 kHz than white."""
    formats = {
        "float": pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32),
        "white": pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=16),
        "shaped": pb.OutputFormat(
            container=pb.CONTAINER_WAV, bit_depth=16, noise_shaping=pb.NOISE_SHAPING_F_WEIGHTED_9
        ),
    }
    prints = {name: read(mastered(mix, outputs=[output])) for name, output in formats.items()}
    level = {}
    for name in ("white", "shaped"):
        noise = (prints[name] - prints["float"])[0]
        spectrum = np.square(np.abs(np.fft.rfft(noise)))
        band = np.fft.rfftfreq(noise.size, 1.0 / 44_100.0)
        level[name] = 10.0 * np.log10(spectrum[(band > 2_900.0) & (band < 3_400.0)].mean())
    assert level["shaped"] < level["white"] - 20.0


def test_fade_and_inserts(mix: Path):
    """Fades end in silence, and every mastering insert of a recipe runs and is in the figures or the sound."""
    chain = [
        pb.Processor(linear_phase_eq=pb.LinearPhaseEq(bands=[pb.EqBand(frequency_hz=100.0, gain_db=2.0)])),
        pb.Processor(
            multiband=pb.Multiband(
                splits_hz=[200.0, 3_000.0], bands=[pb.BandDynamics(threshold_db=-30.0, ratio=2.0)] * 3
            )
        ),
        pb.Processor(exciter=pb.Exciter()),
        pb.Processor(clipper=pb.Clipper(ceiling_db=-3.0)),
        pb.Processor(
            curve_eq=pb.CurveEq(
                curve=[pb.CurvePoint(frequency_hz=50.0), pb.CurvePoint(frequency_hz=8_000.0, gain_db=2.0)]
            )
        ),
        pb.Processor(mono_maker=pb.MonoMaker()),
    ]
    fade = pb.MasterFade(in_s=0.5, out_s=2.0, shape=pb.FADE_SHAPE_LINEAR)
    samples = read(mastered(mix, chain=chain, fade=fade))
    assert samples.shape[1] == round(SECONDS * 44_100)
    assert np.abs(samples[:, :20]).max() < 1e-3
    assert np.abs(samples[:, -20:]).max() < 1e-3
    assert measure(samples, 44_100).true_peak.max_dbtp <= -1.0


def test_what_does_not_fit_is_refused_by_its_place(mix: Path):
    """Noise shaping at 96 kHz and fades longer than the song name their field."""
    output = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=16, noise_shaping=pb.NOISE_SHAPING_LIPSHITZ_5)
    for settings, path in (
        ({"outputs": [output], "sample_rate_hz": 96_000}, "outputs[0].noise_shaping"),
        ({"fade": pb.MasterFade(out_s=30.0)}, "fade"),
    ):
        with pytest.raises(RecipeRefusedError) as caught:
            mastered(mix, **settings)
        assert caught.value.violations[0].path == path
    assert not list(mix.parent.glob("master*"))


def test_a_master_is_automated(mix: Path):
    """Band, width and drive follow their points in frames of the master; everything else stays as it was."""
    rate, half = 44_100, int(SECONDS / 2.0 * 44_100)
    chain = [
        pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(frequency_hz=1_000.0, q=0.5)])),
        pb.Processor(bypass=True, gain=pb.Gain(gain_db=-40.0)),
        pb.Processor(width=pb.Width(width=1.0)),
    ]
    output = [pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)]
    quiet = pb.MasterTarget(integrated_lufs=-30.0, ceiling_dbtp=-1.0)  # nothing for the limiter

    def moved(position: int, setting: str, *values: float) -> pb.SettingAutomation:
        points = [
            pb.SettingPoint(frame=half * k, value=value, curve=pb.AUTOMATION_CURVE_HOLD)
            for k, value in enumerate(values)
        ]
        return pb.SettingAutomation(position=position, setting=setting, points=points)

    still = read(mastered(mix, chain=chain, outputs=output, target=quiet))
    automation = [moved(2, "width", 1.0, 0.0)]
    driven = [
        pb.GainPoint(frame=0, gain_db=0.0, curve=pb.AUTOMATION_CURVE_HOLD), pb.GainPoint(frame=half, gain_db=4.0)
    ]  # fmt: skip
    narrow = read(mastered(mix, chain=chain, outputs=output, target=quiet, automation=automation))
    ridden = read(mastered(mix, chain=chain, outputs=output, target=quiet, drive_automation=driven))
    bright = read(
        mastered(mix, chain=chain, outputs=output, target=quiet, automation=[moved(0, "bands.0.gain_db", 0.0, 9.0)])
    )
    later, before = slice(half + rate // 5, None), slice(rate // 10, half - rate // 10)
    assert np.abs(narrow[0, later] - narrow[1, later]).max() <= 1e-6
    assert np.abs(narrow[0, before] - narrow[1, before]).max() > 0.01
    gains = [
        float(np.sqrt(np.square(ridden[:, part]).mean() / np.square(still[:, part]).mean())) for part in (before, later)
    ]
    assert 20.0 * np.log10(gains[1] / gains[0]) == pytest.approx(4.0, abs=1e-4)
    hz = np.fft.rfftfreq(still[0, later].size, 1.0 / rate)
    spectra = [np.abs(np.fft.rfft(one[0, later])) for one in (bright, still)]
    level_db = 20.0 * np.log10(
        [np.median(spectra[0][band] / spectra[1][band]) for band in ((abs(hz - 1_000) < 100), hz > 15_000)]
    )
    assert level_db[0] - level_db[1] == pytest.approx(8.9, abs=0.4)
    assert measure(ridden, rate).loudness.integrated_lufs == pytest.approx(-30.0, abs=0.2)
