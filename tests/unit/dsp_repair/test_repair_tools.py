"""Each repair on music made here: it finds its defect, wins what it should, and leaves everything else alone."""

import numpy as np
import pytest
from tapelog_dsp.errors import AudioError, ParameterError
from tapelog_dsp.repair import (
    TOOLS,
    ClickSettings,
    ClipSettings,
    DcSettings,
    DropoutSettings,
    HumSettings,
    NoiseSettings,
    PlosiveSettings,
    RumbleSettings,
    clean,
    click,
    clip,
    dc,
    dropout,
    find_silences,
    hum,
    inspect,
    noise,
    plosive,
    rumble,
)
from tapelog_dsp.repair.runs import groups, runs
from tapelog_dsp.repair.testing import (
    RATE,
    bass_line,
    clipped,
    drums,
    sdr_db,
    sung_phrases,
    with_clicks,
    with_hum,
    with_noise,
    with_plosives,
    with_rumble,
)


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Eight seconds of a clean voice."""
    return sung_phrases()


def test_dc_is_taken_out_exactly(voice: np.ndarray):
    """An offset of 0.02 on one channel goes to within 0.0001; the other channel keeps its samples."""
    damaged = voice.copy()
    damaged[0] += 0.02
    repaired, report = dc.repair(damaged, RATE)
    assert np.abs(repaired[0] - voice[0]).max() < 1e-4
    assert repaired[1].tobytes() == voice[1].tobytes()
    assert report.changed_frames == voice.shape[1]


def test_a_mean_that_moves_with_the_music_is_no_dc(voice: np.ndarray):
    """An asymmetric wave has a mean as large as an offset; it is left alone."""
    asymmetric = voice + 2.0 * np.square(voice)
    assert np.abs(asymmetric.mean(axis=1)).max() > 0.002
    repaired, report = dc.repair(asymmetric, RATE)
    assert repaired is asymmetric
    assert not report.applied


@pytest.mark.parametrize("mains_hz", [49.9, 60.05])
def test_hum_is_followed_and_subtracted(voice: np.ndarray, mains_hz: float):
    """A drifting hum 20 dB under the voice loses at least 20 dB; its mean frequency is found to 0.02 Hz."""
    damaged = with_hum(voice, mains_hz=mains_hz)
    repaired, report = hum.repair(damaged, RATE)
    assert sdr_db(voice, repaired) - sdr_db(voice, damaged) > 20.0
    assert report.finding.evidence["frequency_hz"] == pytest.approx(mains_hz, abs=0.02)
    assert report.removed_db == pytest.approx(-20.0, abs=1.0)


def test_hum_is_followed_over_segments():
    """On 45 s, which is more than one stretch, the joints leave nothing behind."""
    music = sung_phrases(45.0, channels=1)
    damaged = with_hum(music)
    repaired, _ = hum.repair(damaged, RATE)
    error = np.square(repaired - music)[0]
    per_second = error[: 45 * RATE].reshape(45, RATE).mean(axis=1)
    assert 10.0 * np.log10(per_second.max() / np.square(damaged - music).mean()) < -10.0


@pytest.mark.parametrize("frequency_hz", [50.0, 60.0])
def test_a_bass_on_the_mains_frequency_stays(frequency_hz: float):
    """A bass that plays 50 Hz and its harmonics is not there in its gaps: no hum."""
    music = bass_line(frequency_hz=frequency_hz)
    repaired, report = hum.repair(music, RATE)
    assert repaired is music
    assert not report.finding.present


def test_hum_under_a_bass_on_its_frequency():
    """With a real hum under that bass, the bass is never taken for the hum: the result is not worse."""
    music = bass_line()
    damaged = with_hum(music, below_db=25.0)
    repaired, _ = hum.repair(damaged, RATE)
    assert sdr_db(music, repaired) >= sdr_db(music, damaged)


def test_clicks_are_found_and_filled(voice: np.ndarray):
    """Of 40 clicks nine tenths are found, within 64 samples; the ratio rises by 8 dB; other samples keep their bits."""
    damaged, places = with_clicks(voice)
    repaired, report = click.repair(damaged, RATE)
    starts = np.array([span.start_frame for span in report.finding.spans])
    assert sum(np.abs(starts - place).min() <= 64 for place in places) >= 36
    assert sdr_db(voice, repaired) - sdr_db(voice, damaged) > 8.0
    near = np.zeros(voice.shape[1], dtype=bool)
    for place in places:
        near[place - 150 : place + 250] = True
    assert repaired[:, ~near].tobytes() == damaged[:, ~near].tobytes()


def test_drums_are_no_clicks():
    """Beater clicks, snares and hats at full level come out sample-identical."""
    music = drums()
    repaired, report = click.repair(music, RATE)
    assert repaired is music
    assert not report.finding.present


def test_clipped_peaks_come_back(voice: np.ndarray):
    """Two percent of clipped samples: 7 dB better, no peak under the clipping level, every good sample exact."""
    damaged, level = clipped(voice)
    repaired, report = clip.repair(damaged, RATE)
    assert sdr_db(voice, repaired) - sdr_db(voice, damaged) > 7.0
    lost = np.abs(damaged) >= level
    assert (np.abs(repaired[lost]) >= level).all()
    assert repaired[~lost].tobytes() == damaged[~lost].tobytes()
    assert report.repaired_spans == len(report.finding.spans) > 0


def test_one_clipped_polarity(voice: np.ndarray):
    """Clipping of the upper half alone, under an offset, is found as such; the lower half keeps its samples."""
    damaged = np.minimum(voice, 0.6 * voice.max())
    repaired, report = clip.repair(damaged, RATE)
    assert np.isinf(report.finding.detail[:, 1]).all()
    assert repaired[damaged < 0.0].tobytes() == damaged[damaged < 0.0].tobytes()
    assert sdr_db(voice, repaired) > sdr_db(voice, damaged) + 4.0


def test_a_square_wave_is_not_clipped():
    """A square wave is nothing but plateaus, each too long for a clipped peak."""
    wave = np.sign(np.sin(2.0 * np.pi * 40.0 * np.arange(RATE * 3) / RATE + 0.1))[None] * 0.5
    assert not clip.detect(wave, RATE).present


def test_noise_goes_down_and_length_stays(voice: np.ndarray):
    """Hiss 25 dB under the voice: 4 dB better; quiet moments lose at least 15 dB; shape and alignment are exact."""
    damaged = with_noise(voice)
    repaired, report = noise.repair(damaged, RATE)
    assert report.applied
    assert repaired.shape == voice.shape
    assert sdr_db(voice, repaired) - sdr_db(voice, damaged) > 4.0
    start = slice(0, RATE // 6)
    assert 10.0 * np.log10(np.square(repaired[:, start]).mean() / np.square(damaged[:, start]).mean()) < -15.0


def test_channels_share_one_gain(voice: np.ndarray):
    """A signal on the left alone stays on the left: the right channel of the result is the right noise, turned down."""
    left = np.stack([voice[0], np.zeros(voice.shape[1])])
    damaged = left.copy()
    damaged[0] = with_noise(voice[:1])[0]
    repaired, report = noise.repair(damaged, RATE)
    assert report.applied
    assert not repaired[1].any()


@pytest.mark.parametrize("snr_db", [15.0, 25.0, 35.0])
def test_a_held_tone_is_not_noise(snr_db: float):
    """A chord that never stops has a hard floor as well; it must not enter the noise profile: no harm."""
    time = np.arange(8 * RATE) / RATE
    chord = sum(np.sin(2.0 * np.pi * f * time) for f in (110.0, 164.8, 220.0, 277.2, 329.6))
    music = (0.05 * chord + 0.3 * sung_phrases(channels=1)[0])[None]
    damaged = with_noise(music, snr_db=snr_db)
    repaired, _ = noise.repair(damaged, RATE)
    assert sdr_db(music, repaired) >= sdr_db(music, damaged)


def test_dropouts_are_filled_or_reported(voice: np.ndarray):
    """Dropouts of 8 and 20 ms in a held note are filled, one of 60 ms is reported and left."""
    time = np.arange(4 * RATE) / RATE
    music = (0.2 * sum(np.sin(2.0 * np.pi * 196.0 * k * time) / k for k in range(1, 12)))[None]
    damaged = music.copy()
    lengths = {RATE // 2: 353, RATE * 3 // 2: 882, RATE * 5 // 2: 2646}
    for start, length in lengths.items():
        damaged[:, start : start + length] = 0.0
    repaired, report = dropout.repair(damaged, RATE)
    assert [(s.start_frame, s.length_frames) for s in report.finding.spans] == list(lengths.items())
    assert report.repaired_spans == 2
    for start, length in list(lengths.items())[:2]:
        assert sdr_db(music[:, start : start + length], repaired[:, start : start + length]) > 20.0
    assert not repaired[:, RATE * 5 // 2 : RATE * 5 // 2 + 2646].any()
    assert not dropout.detect(voice, RATE).present


def test_silences_are_reported(voice: np.ndarray):
    """Three seconds of silence between two phrases are one span, exact to 10 ms."""
    audio = np.concatenate((voice[:, RATE : 3 * RATE], np.zeros((2, 3 * RATE)), voice[:, RATE : 3 * RATE]), axis=1)
    spans = [span for span in find_silences(audio, RATE) if span.length_frames > RATE]
    assert len(spans) == 1
    assert abs(spans[0].length_frames - 3 * RATE) <= RATE  # phrases may end before their cut
    assert spans[0].start_frame <= 2 * RATE <= spans[0].start_frame + spans[0].length_frames


def test_plosives_are_lowered_and_kicks_are_not(voice: np.ndarray):
    """Thumps at 50 Hz in a voice lose 6 dB or more and nothing else changes; a drum kit keeps its kick."""
    damaged = voice.copy()
    time = np.arange(RATE // 10) / RATE
    thump = 0.4 * np.sin(2.0 * np.pi * 50.0 * time) * np.hanning(time.size)
    places = [RATE, 3 * RATE, 5 * RATE]
    for place in places:
        damaged[:, place : place + time.size] += thump
    repaired, report = plosive.repair(damaged, RATE)
    assert report.repaired_spans == 3
    assert sdr_db(voice, repaired) - sdr_db(voice, damaged) > 6.0
    untouched = slice(RATE + RATE // 2, 3 * RATE - RATE // 2)
    assert repaired[:, untouched].tobytes() == damaged[:, untouched].tobytes()
    assert not plosive.detect(drums(), RATE).present


def drone(seconds: float, rate: int, level_db: float, centre_hz: float = 11.0) -> np.ndarray:
    """Return noise around a turntable's resonance, two channels."""
    length = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(77).standard_normal((2, length)))
    hz = np.fft.rfftfreq(length, 1.0 / rate)
    shaped = np.fft.irfft(spectrum * np.exp(-0.5 * ((hz - centre_hz) / 4.0) ** 2), length)
    return shaped * (10.0 ** (level_db / 20.0) / np.sqrt((shaped * shaped).mean()))


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_rumble_goes_and_the_music_stays(rate: int):
    """A drone at 11 Hz under a voice goes by 15 dB or more, without moving a phase or an end."""
    music = sung_phrases(16.0, rate=rate)
    music = np.repeat(music[:1], 2, axis=0) if len(music) == 1 else music
    damaged = music + drone(16.0, rate, -38.0)[:, : music.shape[1]]
    repaired, report = rumble.repair(damaged, rate)
    assert report.applied
    assert 15.0 < report.finding.detail <= 36.5
    assert sdr_db(music, repaired) - sdr_db(music, damaged) > 15.0
    end = slice(-rate // 2, None)
    assert sdr_db(music[:, end], repaired[:, end]) - sdr_db(music[:, end], damaged[:, end]) > 6.0


def test_bass_is_no_rumble():
    """A sub bass at 31 Hz, a kick that dives to 30 Hz, and a drone that nobody hears are left alone."""
    time = np.arange(16 * RATE) / RATE
    sub = 0.3 * np.sin(2.0 * np.pi * 31.0 * time) * (np.sin(2.0 * np.pi * 0.5 * time) > -0.3)
    beat = time % 0.5
    kick = 0.6 * np.exp(-beat / 0.08) * np.sin(2.0 * np.pi * (30.0 * beat + 4.0 * (1.0 - np.exp(-beat / 0.02))))
    for music in (sub, kick, bass_line(16.0)[0], drums(16.0)[0]):
        assert not rumble.detect(music[np.newaxis], RATE).present
    voice = sung_phrases(16.0)
    assert not rumble.detect(voice + drone(16.0, RATE, -75.0)[: len(voice), : voice.shape[1]], RATE).present


def test_a_drone_that_comes_and_goes_is_left_alone():
    """What is not there in quiet moments may be music: nothing is done."""
    voice = sung_phrases(16.0)
    low = drone(16.0, RATE, -30.0)[: len(voice), : voice.shape[1]]
    low *= np.sin(2.0 * np.pi * 0.1 * np.arange(low.shape[1]) / RATE) ** 4
    assert not rumble.detect(voice + low, RATE).present


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_clean_music_comes_out_sample_identical(rate: int):
    """A clean voice, drums and a bass pass through all tools: the very same array."""
    for music in (sung_phrases(rate=rate), drums(rate=rate), bass_line(rate=rate)):
        result = clean(music, rate)
        assert result.audio is music
        assert not result.changed
        assert [report.tool for report in result.reports] == list(TOOLS)


@pytest.mark.parametrize("rate", [48_000, 96_000])
def test_tools_work_at_other_rates(rate: int):
    """Hum, clicks and noise at 48 and 96 kHz: each repair wins at least 3 dB."""
    music = sung_phrases(6.0, rate=rate)
    for tool, damaged in (
        (hum, with_hum(music, rate=rate)),
        (click, with_clicks(music)[0]),
        (noise, with_noise(music)),
    ):
        repaired, report = tool.repair(damaged, rate)
        assert report.applied
        assert sdr_db(music, repaired) - sdr_db(music, damaged) > 3.0


def test_several_defects_at_once(voice: np.ndarray):
    """Hum, clicks, noise and an offset together: every tool acts, in its order, and the sum is far better."""
    damaged = with_noise(with_clicks(with_hum(voice))[0], snr_db=28.0) + 0.02
    result = clean(damaged, RATE)
    assert [report.tool for report in result.reports if report.applied] == ["dc", "click", "hum", "noise"]
    assert sdr_db(voice, result.audio) - sdr_db(voice, damaged) > 10.0


def test_cleaning_twice_changes_little(voice: np.ndarray):
    """What has been repaired is not found again: the second pass takes out less than -50 dB."""
    once = clean(with_clicks(with_hum(voice))[0] + 0.02, RATE)
    again = clean(once.audio, RATE, tools=("dc", "hum", "clip", "click"))
    assert all(report.removed_db < -50.0 for report in again.reports)


@pytest.mark.parametrize(
    "audio",
    [np.zeros((2, 0)), np.zeros((1, 1)), np.zeros((2, RATE)), np.full((1, 5 * RATE), 0.25), np.ones((2, 777)) * 1e-7],
    ids=["nothing", "one sample", "silence", "a constant", "almost silence"],
)
def test_degenerate_audio_is_survived(audio: np.ndarray):
    """No audio, silence and constants neither raise nor become anything but finite."""
    result = clean(audio, RATE)
    assert result.audio.shape == audio.shape
    assert np.isfinite(result.audio).all()
    assert len(inspect(audio, RATE)) == len(TOOLS)


def test_a_finding_can_be_used_later(voice: np.ndarray):
    """Repairing with a finding gives the samples that repairing without one gives."""
    damaged = with_hum(with_clicks(voice)[0])
    for tool in (dc, clip, dropout, rumble, click, hum, plosive, noise):
        finding = tool.detect(damaged, RATE)
        assert tool.repair(damaged, RATE, finding)[0].tobytes() == tool.repair(damaged, RATE)[0].tobytes()


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        (DcSettings, {"smallest": 0.5}),
        (ClipSettings, {"runs": 1}),
        (DropoutSettings, {"longest_fill_ms": 500.0}),
        (ClickSettings, {"threshold": 1.0}),
        (HumSettings, {"lowest_hz": 30.0}),
        (HumSettings, {"lowest_hz": 60.0, "highest_hz": 50.0}),
        (RumbleSettings, {"hump_db": 3.0}),
        (PlosiveSettings, {"crossover_hz": 1_000.0}),
        (NoiseSettings, {"floor_db": 3.0}),
    ],
)
def test_bad_settings_are_refused(settings: type, bad: dict[str, float]):
    """A setting outside its range raises an error that names it."""
    with pytest.raises(ParameterError, match=next(reversed(bad))):
        settings(**bad)


def test_bad_calls_are_refused(voice: np.ndarray):
    """An unknown tool, a bad rate and audio with NaN raise typed errors."""
    with pytest.raises(ParameterError, match="declik"):
        clean(voice, RATE, tools=["declik"])
    with pytest.raises(ParameterError, match="sample_rate"):
        clean(voice, 4_000)
    with pytest.raises(AudioError, match="not finite"):
        clean(np.full((1, 10), np.nan), RATE)


def test_runs_and_groups():
    """Runs are found at both ends too; groups are cut at wide gaps alone."""
    mask = np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)
    assert runs(mask) == [(0, 2), (3, 4), (6, 7)]
    assert runs(mask[:0]) == []
    assert [group.tolist() for group in groups(np.array([1, 2, 5, 9, 10]), 3)] == [[1, 2, 5], [9, 10]]
    assert groups(np.array([], dtype=np.int64), 3) == []


def test_plosives_of_a_deep_voice():
    """A voice that fills the band below 130 Hz loses its thumps below 80 Hz; without thumps it is left alone."""
    deep = np.asarray(sung_phrases(10.0))
    time = np.arange(deep.shape[1]) / RATE
    deep = deep + 0.5 * np.sqrt(np.square(deep).mean()) * np.sin(2.0 * np.pi * 118.0 * time)
    damaged = with_plosives(deep)
    assert plosive.detect(damaged, RATE).detail == plosive.DEEP_HZ
    repaired, report = plosive.repair(damaged, RATE)
    assert report.repaired_spans >= 4
    assert sdr_db(deep, repaired) - sdr_db(deep, damaged) > 4.0
    assert not plosive.detect(deep, RATE).present


def test_rumble_in_a_short_take():
    """Five seconds are enough for a drone that stands far out, and none is found without it."""
    short = sung_phrases(5.0)
    damaged = with_rumble(short)
    repaired, report = rumble.repair(damaged, RATE)
    assert report.applied
    assert sdr_db(short, repaired) - sdr_db(short, damaged) > 10.0
    assert not rumble.detect(short, RATE).present
