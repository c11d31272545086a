"""The steps of a first mix, one at a time, on strips whose right answer is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal
from tapelog_desk.automix import masking
from tapelog_desk.automix.brief import Limits
from tapelog_desk.automix.cleaning import clean
from tapelog_desk.automix.dynamics import level_out
from tapelog_desk.automix.levels import LEAD_HIGH_LU, LEAD_LOW_LU, REFERENCE_LUFS, Loudness, mean_lufs, set_faders
from tapelog_desk.automix.placement import place
from tapelog_desk.automix.polarity import PairMeter, align
from tapelog_desk.automix.strip import Strip
from tapelog_desk.automix.testing import RATE, bass, hats, keys, kick, tone, voice

FREE = Limits(None)
MakeStrip = Callable[..., Strip]


def loudness_of(strips: list[Strip]) -> dict[str, Loudness]:
    """Return each strip's loudness as it was recorded."""
    return {strip.id: Loudness(strip.heard.integrated_lufs, strip.heard.momentary_lufs) for strip in strips}


@pytest.mark.parametrize("pitch_hz", [41.0, 55.0, 82.0, 110.0, 220.0, 880.0])
@pytest.mark.parametrize("role", ["bass", "lead vocal", "hi-hat", "unknown"])
def test_a_high_pass_never_takes_the_fundamental(strip_of: MakeStrip, pitch_hz: float, role: str):
    """Whatever the role asks for, the lowest fundamental of the stem loses less than half a decibel."""
    strip = strip_of("stem", role, tone(pitch_hz))
    clean([strip], FREE)
    assert strip.high_pass_hz <= strip.role.high_pass_hz
    if strip.high_pass_hz:
        sections = signal.butter(2, strip.high_pass_hz, "highpass", fs=RATE, output="sos")
        _, answer = signal.sosfreqz(sections, [pitch_hz], fs=RATE)
        assert 20 * math.log10(abs(answer[0])) > -0.5


def test_rumble_under_a_voice_is_taken_away(strip_of: MakeStrip):
    """A voice with a little rumble gets the high-pass of its role."""
    rumble = 0.002 * np.sin(2.0 * np.pi * 20.0 * np.arange(RATE * 6) / RATE)
    strip = strip_of("vox", "lead vocal", voice() + rumble)
    clean([strip], FREE)
    assert 70.0 <= strip.high_pass_hz <= 90.0


def band_noise(low_hz: float, high_hz: float, seed: int) -> np.ndarray:
    """Return noise of a band."""
    sections = signal.butter(4, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    return signal.sosfilt(sections, np.random.default_rng(seed).standard_normal((1, RATE * 4))) * 0.2


def test_what_covers_a_lead_gives_way_where_it_covers_it(strip_of: MakeStrip):
    """A synth over the lead's band is cut there, by at most 4 dB; the lead itself is left alone."""
    lead = strip_of("lead", "lead vocal", band_noise(900, 1100, 1))
    wide = band_noise(200, 400, 2) * 8.0 + band_noise(850, 1150, 3) * 2.5
    synth = strip_of("synth", "synth", wide)
    masking.unmask([lead, synth], FREE)
    assert lead.cuts == []
    assert [frequency for frequency, _ in synth.cuts] == [1000.0]
    assert -masking.CUT_MAX_DB <= synth.cuts[0][1] <= -masking.CUT_MIN_DB
    assert synth.moves[0].rule == "eq.unmask"


def test_stems_that_never_play_together_do_not_cover_one_another(strip_of: MakeStrip):
    """The same two stems one after the other need no cut."""
    silence = np.zeros((1, RATE * 4))
    lead = strip_of("lead", "lead vocal", np.concatenate([band_noise(900, 1100, 1), silence], axis=1))
    synth = strip_of("synth", "synth", np.concatenate([silence, band_noise(200, 1150, 3) * 4], axis=1))
    masking.unmask([lead, synth], FREE)
    assert synth.cuts == []


def test_a_more_important_stem_is_not_cut_for_a_less_important_one(strip_of: MakeStrip):
    """The lead may cover a pad."""
    lead = strip_of("lead", "lead vocal", band_noise(300, 3000, 1) * 4)
    pad = strip_of("pad", "pad", band_noise(900, 1100, 2))
    masking.unmask([lead, pad], FREE)
    assert lead.cuts == []


def test_a_steady_voice_is_left_alone_and_a_wandering_one_compressed(strip_of: MakeStrip):
    """The measure decides, not the role alone."""
    steady = strip_of("steady", "lead vocal", tone(220.0, seconds=6.0))
    swell = np.repeat(10.0 ** (np.linspace(-16, 0, 60) / 20.0), RATE // 10)[None, :]
    wandering = strip_of("wandering", "lead vocal", tone(220.0, seconds=6.0) * swell)
    level_out([steady, wandering], FREE)
    assert steady.threshold_db is None
    assert wandering.threshold_db is not None
    assert wandering.threshold_db < wandering.heard.loud_peak_dbfs


def test_pairs_go_apart_and_the_foundation_stays(strip_of: MakeStrip):
    """A left and a right go to their sides, kick, bass and lead to the middle, and both sides weigh nearly the same."""
    left = strip_of("gtr-rhythm-l", "electric guitar", keys())
    right = strip_of("gtr-rhythm-r", "electric guitar", keys())
    middle = [
        strip_of("kick", "kick", kick()),
        strip_of("bass", "bass", bass()),
        strip_of("vox", "lead vocal", voice()),
    ]
    others = [strip_of(name, "keys", keys()) for name in ("one", "two")]
    place([left, right, *middle, *others])
    assert left.pan == -right.pan == -0.7
    assert [strip.pan for strip in middle] == [0.0, 0.0, 0.0]
    assert others[0].pan == -others[1].pan != 0.0


def test_a_stereo_stem_keeps_its_picture(strip_of: MakeStrip):
    """Only mono sources are moved."""
    wide = np.random.default_rng(1).standard_normal((2, RATE * 2)) * 0.1
    strip = strip_of("pad", "pad", wide)
    place([strip])
    assert strip.pan == 0.0
    assert strip.moves[-1].rule == "pan.stereo"


def test_faders_bring_each_role_to_its_loudness(strip_of: MakeStrip):
    """Whatever the level of the recording, a stem alone in its role and family lands at the role's target."""
    for level_db in (-30.0, 0.0, 6.0):
        strip = strip_of("kick", "kick", kick() * 10.0 ** (level_db / 20.0))
        set_faders([strip], loudness_of([strip]))
        lands = strip.heard.integrated_lufs + strip.gain_db
        assert lands == pytest.approx(REFERENCE_LUFS + strip.role.target_lu, abs=0.06)


def test_stems_of_a_role_share_its_loudness(strip_of: MakeStrip):
    """Two backing voices at once are each 3 dB lower than one alone; two that take turns are not."""
    sung = tone(300.0)
    rest = np.zeros_like(sung)
    one, two = strip_of("bv-1", "backing vocal", sung), strip_of("bv-2", "backing vocal", sung)
    set_faders([one, two], loudness_of([one, two]))
    first = strip_of("bv-3", "backing vocal", np.concatenate([sung, rest, rest], axis=1))
    second = strip_of("bv-4", "backing vocal", np.concatenate([rest, rest, sung], axis=1))
    set_faders([first, second], loudness_of([first, second]))
    assert first.gain_db - one.gain_db == pytest.approx(3.0, abs=0.25)


def test_the_lead_stands_against_the_rest_as_wanted(strip_of: MakeStrip):
    """However many stems play along, the lead ends within its range, as far as its fader may move for it."""
    for count in (1, 3, 6):
        lead = strip_of("vox", "lead vocal", voice())
        rest = [strip_of(f"keys-{index}", "keys", keys()) for index in range(count)]
        rest += [strip_of("kick", "kick", kick()), strip_of("bass", "bass", bass()), strip_of("hats", "hi-hat", hats())]
        strips = [lead, *rest]
        loudness = loudness_of(strips)
        set_faders(strips, loudness)
        steps = max(one.power.size for one in loudness.values())
        front = loudness["vox"].at(lead.gain_db, steps)
        back = sum(loudness[strip.id].at(strip.gain_db, steps) for strip in rest)
        against = mean_lufs(front) - mean_lufs(np.asarray(back), front)
        assert LEAD_LOW_LU - 0.2 <= against <= LEAD_HIGH_LU + 0.2


def test_a_silent_stem_keeps_its_place(strip_of: MakeStrip):
    """Silence is not turned up."""
    silent = strip_of("beep", "effect", np.zeros((1, RATE * 2)))
    lead = strip_of("vox", "lead vocal", voice())
    set_faders([silent, lead], loudness_of([silent, lead]))
    assert silent.gain_db == 0.0


def test_opposed_microphones_are_put_in_polarity(strip_of: MakeStrip):
    """The second of two signals that oppose one another is inverted, and a third that opposes the first too."""
    strips = [strip_of(name, "snare", tone(200.0)) for name in ("top", "bottom", "side")]
    sound = np.repeat(tone(200.0), 2, axis=0)
    meter = PairMeter([("top", "bottom"), ("top", "side"), ("bottom", "side")])
    meter.add({"top": sound, "bottom": -0.5 * sound, "side": -0.7 * sound})
    align(strips, meter.result())
    assert [strip.is_inverted for strip in strips] == [False, True, True]
