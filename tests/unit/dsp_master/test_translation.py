"""The translation report: every part against signals whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
from scipy import signal
from tapelog_dsp import (
    Audio,
    AudioError,
    Check,
    Meter,
    ParameterError,
    SpectrumMeter,
    Status,
    TranslationReport,
    get_target,
    load_curves,
    load_devices,
    load_limits,
    load_targets,
    parse_targets,
    read_targets,
    translate,
)
from tapelog_dsp.analysis.balance import balance
from tapelog_dsp.analysis.platforms import preview
from tapelog_dsp.analysis.translation import Translator
from tapelog_dsp.analysis.verdicts import judge
from tapelog_dsp.testing import programme, tone

RATE = 48_000


def pink(seconds: float, channels: int = 2, seed: int = 7) -> Audio:
    """Return noise of 3.01 dB per octave, channels unrelated, rms about -20 dBFS."""
    frames = round(seconds * RATE)
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal((channels, frames)))
    frequencies = np.maximum(np.fft.rfftfreq(frames, 1.0 / RATE), 10.0)
    samples = np.fft.irfft(spectrum / np.sqrt(frequencies), frames)
    return 0.1 * samples / samples.std()


def of(report: TranslationReport, name: str) -> Check:
    """Return the first check of a name."""
    return next(check for check in report.checks if check.name == name)


def test_spectrum_adds_up_and_joins():
    """A row adds up to the mean square, a sine stands in its bin, and joined parts equal the whole."""
    samples = pink(6.0)
    meter = SpectrumMeter(RATE, 2)
    for part in np.split(samples, [1_000, 77_777], axis=1):
        meter.add(part)
    whole = meter.result()
    assert whole.left.sum() == pytest.approx(np.square(samples[0]).mean(), rel=0.03)
    assert (whole.mid + whole.side).sum() == pytest.approx(whole.stereo.sum(), rel=1e-9)
    middle = 20 * meter.hop_frames
    first, second = SpectrumMeter(RATE, 2), SpectrumMeter(RATE, 2, before=samples[:, :middle])
    first.add(samples[:, :middle])
    second.add(samples[:, middle:])
    first.join(second.state())
    assert np.abs(first.result().left / whole.left - 1.0).max() < 1e-12
    reference = signal.welch(samples[0], RATE, "hann", 2 * meter.hop_frames, detrend=False, scaling="spectrum")[1]
    ratio = whole.left[5:-5] / reference[5:-5]
    assert np.ptp(ratio) / ratio.mean() < 0.01


@pytest.mark.parametrize(("relation", "lost"), [(1.0, 0.0), (0.0, 3.01), (-0.8, 10.0)])
def test_mono_fold(relation: float, lost: float):
    """Equal channels lose nothing in mono, unrelated ones 3 dB, opposed ones 10 dB: in every band and in loudness."""
    noise = pink(10.0)
    samples = np.stack((noise[0], relation * noise[0] + np.sqrt(1.0 - relation**2) * noise[1]))
    report = translate(samples, RATE)
    assert report.mono.loudness_lost_lu == pytest.approx(lost, abs=0.1)
    for band in report.mono.bands:
        assert band.lost_db == pytest.approx(lost, abs=1.0 if band.name == "sub" else 0.3)
    if lost != 3.01:  # the limit itself
        assert of(report, "mono_loudness").status == (Status.FAIL if lost else Status.PASS)
    assert of(report, "mono_band").status == (Status.FAIL if lost == 10.0 else Status.PASS)
    assert of(report, "correlation").value == pytest.approx(relation, abs=0.35)


def test_one_cancelling_band_is_found():
    """A master whose upper mids cancel in mono fails in that band by name, though its loudness barely changes."""
    noise = pink(8.0, channels=1)[0]
    band = signal.sosfiltfilt(signal.butter(8, (2_200, 5_500), "bandpass", fs=RATE, output="sos"), noise)
    report = translate(np.stack((noise, noise - 1.9 * band)), RATE)
    check = of(report, "mono_band")
    assert check.status == Status.FAIL
    assert "upper mids" in check.detail
    assert report.status == Status.FAIL


def test_devices_tell_bass_from_mids():
    """A phone loses a 60 Hz tone and keeps a 1 kHz one; on the full range nothing changes; pink noise loses nothing."""
    lost = {}
    for name, samples in (
        ("bass", tone([(4, -12)], frequency_hz=60.0)),
        ("mid", tone([(4, -12)])),
        ("pink", pink(8.0)),
    ):
        report = translate(samples, RATE)
        lost[name] = {result.device.name: result for result in report.devices}
        assert lost[name]["full-range"].loudness_change_lu == pytest.approx(0.0, abs=1e-9)
    assert lost["bass"]["phone"].loudness_change_lu < -30.0
    assert lost["mid"]["phone"].loudness_change_lu == pytest.approx(0.0, abs=0.3)
    assert abs(lost["pink"]["laptop"].lost_against_pink_lu) < 0.3
    assert dict(lost["pink"]["phone"].bands)["sub"] < -40.0


def test_bass_without_harmonics_is_found():
    """A pure 80 Hz tone fails on small speakers; the same tone with its harmonics passes."""
    bare = tone([(4, -12)], frequency_hz=80.0)
    full = bare + sum(0.4 * tone([(4, -12)], frequency_hz=80.0 * k) for k in (2, 3, 4))
    assert of(translate(bare, RATE), "bass_harmonics").status == Status.FAIL
    assert of(translate(full, RATE), "bass_harmonics").status == Status.PASS


def test_balance_against_its_own_kind():
    """Pink noise is within 1 dB of the pink curve and far from the popular one; a master equals itself."""
    report = translate(pink(20.0), RATE, reference="pink")
    assert all(abs(difference) < (3.0 if band == "sub" else 1.0) for band, difference in report.balance.bands)
    assert abs(translate(pink(10.0), RATE).balance.worst_band[1]) > 3.0
    own = balance(report.spectrum, report.spectrum, name="itself")
    assert own.worst_band[1] == 0.0
    assert own.reference == "itself"
    with pytest.raises(ParameterError, match="popular"):
        translate(pink(1.0), RATE, reference="jazz")


def measured(level_db: float):
    """Return the measurement of a 1 kHz tone at a level: its loudness is its level, its peak too."""
    meter = Meter(RATE, 2)
    meter.add(tone([(4, level_db)]))
    return meter.result()


def test_platforms():
    """Loud masters are turned down everywhere; soft ones up to the ceiling, or behind a limiter, or not at all."""
    loud = preview(measured(-6.0), get_target("spotify"))
    assert loud is not None
    assert (loud.gain_db, loud.true_peak_dbtp) == pytest.approx((-8.0, -14.0), abs=0.05)
    meter = Meter(RATE, 2)
    spiky = tone([(4, -30.0)])
    spiky[:, RATE] = 0.5
    meter.add(spiky)
    reading = meter.result()
    up = preview(reading, get_target("spotify"))
    held = preview(reading, get_target("spotify-loud"))
    down = preview(reading, get_target("youtube"))
    assert up is not None
    assert held is not None
    assert down is not None
    assert up.true_peak_dbtp == pytest.approx(-1.0, abs=1e-9)
    assert up.held_back_db > 5.0
    assert held.loudness_lufs == pytest.approx(-11.0, abs=1e-9)
    assert held.limiter_db > 8.0
    assert held.true_peak_dbtp == pytest.approx(-1.0, abs=1e-9)
    assert down.gain_db == 0.0
    assert preview(reading, get_target("ebu-r128")) is None


def test_streaming_gives_the_same_report():
    """Any blocks give the same checks as the whole."""
    samples = programme(6.0)
    whole = translate(samples, RATE)
    judging = Translator(RATE, 2)
    for part in np.split(samples, [1, 4_000, 100_000], axis=1):
        judging.add(np.ascontiguousarray(part))
    for one, other in zip(judging.result().checks, whole.checks, strict=True):
        assert one.name == other.name
        assert one.value == pytest.approx(other.value, abs=1e-9)


def test_mono_and_short_and_silent():
    """A mono master has no mono checks; one too short for PSR passes it; silence is refused with its length."""
    report = translate(pink(2.0, channels=1), RATE)
    assert not any(check.name.startswith("mono") for check in report.checks)
    assert np.isnan(report.psr_p10_lu)
    assert of(report, "psr").status == Status.PASS
    with pytest.raises(AudioError, match="48000 frames of silence"):
        translate(np.zeros((2, RATE)), RATE)


def test_limits_cut_where_they_say():
    """Every limit passes on its good side, warns beyond the first number and fails beyond the second."""
    for name, limit in load_limits().items():
        step = 0.01 if limit.side == "above" else -0.01
        assert judge(name, limit.warn - step).status == Status.PASS
        assert judge(name, limit.warn + step).status == Status.WARN
        assert judge(name, limit.fail + step).status == Status.FAIL


def test_data_is_whole():
    """Every device and curve has rising frequencies, a version, a status and a source; all seven devices are there."""
    wanted = {"phone", "laptop", "bluetooth-speaker", "car", "earbuds", "club", "full-range"}
    assert set(load_devices()) == wanted
    for row in (*load_devices().values(), *load_curves().values()):
        frequencies = [hz for hz, _ in row.points]
        assert frequencies == sorted(frequencies)
        assert row.version >= 1
        assert row.status in {"reference", "approximate", "reported", "measured"}
        assert len(row.source) > 10


def test_targets_of_ones_own():
    """A user's targets are read in the package's form; a wrong field or word is refused."""
    text = (
        '[club]\ntitle = "Club"\nintegrated_lufs = -8.0\ntrue_peak_dbtp = -0.5\nbits = 24\nnormalisation = "none"\n'
        'status = "own"\nsource = "our own"\ndate = "2025-11"\n'
    )
    assert parse_targets(text)["club"].integrated_lufs == -8.0
    assert "club" not in load_targets()
    for wrong in (text + "volume = 11\n", text.replace('"none"', '"sideways"'), text.replace("-0.5", "3.0"), "club"):
        with pytest.raises(ParameterError):
            parse_targets(wrong)


def test_targets_from_a_file(tmp_path: Path):
    """A user's file adds to the package's rows; what cannot be used is refused with the row and what is wrong."""
    file = tmp_path / "my.toml"
    row = (
        'title = "Club"\nintegrated_lufs = -8.0\ntrue_peak_dbtp = -0.5\nbits = 24\nnormalisation = "none"\n'
        'status = "own"\nsource = "our own"\ndate = "2025-11"\n'
    )
    file.write_text("[club]\n" + row)
    merged = read_targets(file)
    assert list(merged)[:-1] == list(load_targets())
    assert merged["club"].true_peak_dbtp == -0.5
    assert read_targets(None) == load_targets()
    for text, words in (
        ("[streaming]\n" + row, "names that the package does not have"),
        ("[Club]\n" + row, "lower-case words"),
        ("[club]\nvolume = 11\n" + row, "volume"),
        ("[club]\ntitle = 'x'", "nothing for true_peak_dbtp"),
        ("[club]\n" + row.replace('"our own"', "7"), "text"),
        ("[club]\n" + row.replace("-8.0", '"loud"'), "a number"),
        ("[club", "TOML"),
        ("a" * 300_000, "at most"),
    ):
        file.write_text(text)
        with pytest.raises(ParameterError, match=words):
            read_targets(file)
    with pytest.raises(ParameterError, match="readable"):
        read_targets(tmp_path / "none.toml")
