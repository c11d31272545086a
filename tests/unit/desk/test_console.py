"""Everything that a recipe may say, the core can do."""

from collections.abc import Iterator

import numpy as np
import pytest
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.console import chain, damping_hz, mix_spec
from tapelog_desk.errors import RecipeRefusedError
from tapelog_parameters import Smoothing
from tapelog_recipe import PARAMETERS, PROCESSOR_KINDS, load_mix_recipe, resolved, validate_mix

RATE_HZ = 48_000


_NUMBERS_IN = {"Equalizer": "EqBand", "Multiband": "BandDynamics"}
"""Inserts whose numbers are in a message inside them."""


def _extremes() -> Iterator[tuple[str, str, float]]:
    for kind in PROCESSOR_KINDS:
        message = pb.Processor.DESCRIPTOR.fields_by_name[kind].message_type.name
        for name, entry in PARAMETERS[_NUMBERS_IN.get(message, message)].items():
            values = entry.choices or (entry.low, entry.highest(RATE_HZ), *([0.0] if entry.zero_is_off else []))
            yield from ((kind, name, value) for value in dict.fromkeys(values))


def _one_click(source: pb.RecipeSource) -> dsp.Impulse:
    assert source.file == "room.wav"
    return dsp.Impulse(np.ones((2, 1)), RATE_HZ)


def _insert(kind: str, name: str, value: float) -> pb.Processor:
    insert = pb.Processor()
    settings = getattr(insert, kind)
    settings.SetInParent()
    holder = settings.bands.add() if kind in {"eq", "multiband"} else settings
    if kind == "multiband":
        settings.bands.add()
        settings.splits_hz.append(500.0)
    elif kind == "linear_phase_eq":
        settings.bands.add(frequency_hz=1_000.0, gain_db=2.0)
    elif kind == "curve_eq":
        settings.curve.add(frequency_hz=100.0, gain_db=2.0)
        settings.curve.add(frequency_hz=1_000.0, gain_db=-2.0)
    for needed in ("frequency_hz", "time_ms"):
        if needed in holder.DESCRIPTOR.fields_by_name:
            setattr(
                holder,
                needed,
                {"MonoMaker": 120, "DeEsser": 6_000, "Exciter": 3_000}.get(holder.DESCRIPTOR.name, 1_000),
            )
    if kind == "convolution":
        settings.impulse.file = "room.wav"
    if name:
        setattr(holder, name, type(getattr(holder, name))(value))
    if kind == "delay" and name == "time_ms" and not value:
        settings.beats = 1
    return insert


def _moves() -> Iterator[tuple[str, str]]:
    for kind in PROCESSOR_KINDS:
        message = pb.Processor.DESCRIPTOR.fields_by_name[kind].message_type.name
        owner = _NUMBERS_IN.get(message, message)
        yield from ((kind, name) for name, entry in PARAMETERS[owner].items() if entry.smoothing is Smoothing.GRID)


@pytest.mark.parametrize(("kind", "name"), list(_moves()))
def test_every_setting_that_moves_can_be_rendered(kind: str, name: str):
    """An automation over the whole range that validation lets through is never refused by the core, on mid neither."""
    recipe = pb.MixRecipe(sample_rate_hz=RATE_HZ, tempo_bpm=240)
    owner = pb.Processor.DESCRIPTOR.fields_by_name[kind].message_type.name
    entry = PARAMETERS[_NUMBERS_IN.get(owner, owner)][name]
    for index, channels in enumerate((pb.INSERT_CHANNELS_STEREO, pb.INSERT_CHANNELS_MID)):
        if channels == pb.INSERT_CHANNELS_MID and kind in {"width", "mono_maker"}:
            continue
        track = recipe.tracks.add(id=f"t{index}")
        track.source.file = "a.wav"
        insert = _insert(kind, "", 0.0)
        insert.channels = channels
        track.chain.append(insert)
        setting = f"bands.0.{name}" if kind in {"eq", "multiband"} else name
        moving = track.automation.add(position=0, setting=setting)
        moving.points.add(frame=5, value=entry.low, curve=pb.AUTOMATION_CURVE_SMOOTH)
        moving.points.add(frame=3_000, value=entry.highest(RATE_HZ))
    assert validate_mix(recipe, services=False) == ()
    graph = dsp.MixGraph(mix_spec(resolved(recipe), {track.id: 2 for track in recipe.tracks}, _one_click))
    readers = {track.id: dsp.ArrayReader(np.full((2, 4_000), 0.1)) for track in recipe.tracks}
    for block in dsp.render(graph, readers):
        assert np.isfinite(block.mix).all()
        break


@pytest.mark.parametrize(("kind", "name", "value"), list(_extremes()))
def test_both_ends_of_every_range_can_be_rendered(kind: str, name: str, value: float):
    """A value that validation lets through is never refused by the core."""
    recipe = pb.MixRecipe(sample_rate_hz=RATE_HZ, tempo_bpm=200)
    track = recipe.tracks.add(id="a")
    track.source.file = "a.wav"
    track.chain.append(_insert(kind, name, value))
    assert validate_mix(recipe, services=False) == ()
    spec = mix_spec(resolved(recipe), {"a": 2}, _one_click)
    assert len(spec.tracks[0].processors) == 1
    dsp.MixGraph(spec)


def test_a_bypassed_insert_is_left_out():
    """It is not merely neutral: it is not there."""
    assert chain([pb.Processor(bypass=True, width=pb.Width(width=0))], "x") == ()


@pytest.mark.parametrize("kind", PROCESSOR_KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_insert_works_on_mono_and_stereo(kind: str, channels: int):
    """Validation does not know a source's channels: no insert fails on either, and mono has no sides to work on."""
    name, value = {"eq": ("gain_db", 3), "width": ("width", 2), "time_align": ("delay_ms", 2)}.get(kind, ("", 0.0))
    insert = _insert(kind, name, value)
    whole = resolved(pb.MixRecipe(mix_chain=[insert], sample_rate_hz=RATE_HZ)).mix_chain
    made_chain = chain(whole, "x", channels=channels, impulse_of=_one_click)
    spec = dsp.MixSpec(RATE_HZ, (dsp.TrackSpec("a", channels, processors=made_chain),), tail_s=0.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (channels, 5_000))
    made = np.concatenate(
        [block.mix for block in dsp.render(dsp.MixGraph(spec), {"a": dsp.ArrayReader(noise)})], axis=1
    )
    assert made.shape == (2, 5_000)
    assert made.any()
    assert len(made_chain) == (0 if channels == 1 and kind in ("width", "mono_maker") else 1)


@pytest.mark.parametrize(("channels", "mid", "side"), [(1, 1, 0), (2, 1, 1)])
def test_inserts_on_middle_and_sides_work_on_mono(channels: int, mid: int, side: int):
    """Mono is all middle: an insert on the middle works as it is, one on the sides is left out."""
    for where, wanted in ((pb.INSERT_CHANNELS_MID, mid), (pb.INSERT_CHANNELS_SIDE, side)):
        insert = pb.Processor(channels=where, high_pass=pb.HighPass(frequency_hz=100))
        made = chain(
            resolved(pb.MixRecipe(mix_chain=[insert])).mix_chain, "x", channels=channels, impulse_of=_one_click
        )
        assert len(made) == wanted
        for spec in made:
            spec.prepare(RATE_HZ, channels)


def test_what_the_core_refuses_is_told_with_its_path():
    """A setting that is beyond the core, here without validation before it, names the insert."""
    broken = resolved(pb.MixRecipe(mix_chain=[pb.Processor(delay=pb.Delay(time_ms=0))]))
    with pytest.raises(RecipeRefusedError) as caught:
        chain(broken.mix_chain, "mix_chain")
    assert caught.value.violations[0].path == "mix_chain[0].delay"


def test_strips_carry_everything():
    """Faders, pans, sends, automation and outputs arrive where the recipe put them."""
    recipe = load_mix_recipe("""
sample_rate_hz: 48000
pan_law: minus-4-5-db
tail_s: 1.5
mix_gain_db: -2
tracks:
  - id: a
    source: file:a.wav
    gain_db: -3
    pan: -0.5
    polarity_inverted: true
    start_frame: 480
    output_bus: group
    sends: [{bus: plate, gain_db: -12, pre_fader: true}]
    gain_automation: [{frame: 0, gain_db: 1}, {frame: 100, gain_db: 2, curve: hold}]
  - {id: b, source: "file:b.wav", mute: true, sends: [{bus: plate}], chain: [{width: {}}], start_frame: 7}
buses:
  - {id: group, gain_db: 1}
  - {id: plate, chain: [{reverb: {damping: 0}}], mute: true}
""")
    spec = mix_spec(resolved(recipe), {"a": 1, "b": 2})
    assert spec == dsp.MixSpec(
        48_000,
        tracks=(
            dsp.TrackSpec(
                "a", channels=1, gain_db=-3.0, pan=-0.5, polarity_inverted=True, start_frame=480, output_bus="group",
                sends=(dsp.SendSpec("plate", -12.0, pre_fader=True),),
                gain_automation=(dsp.GainPoint(0, 1.0), dsp.GainPoint(100, 2.0, "hold")),
            ),
            dsp.TrackSpec("b", channels=1, start_frame=7),
        ),
        buses=(
            dsp.BusSpec("group", gain_db=1.0),
            dsp.BusSpec("plate", processors=(dsp.PlateReverb(1.8, 0.0, 16_000.0),), mute=True),
        ),
        pan_law_db=-4.5,
        gain_db=-2.0,
        tail_s=1.5,
    )  # fmt: skip


def test_a_held_fader_jumps_within_five_milliseconds():
    """The value holds to the frame of the next point, then moves in 240 frames of 48 kHz and holds again."""
    recipe = load_mix_recipe("""
sample_rate_hz: 48000
tracks:
  - id: a
    source: file:a.wav
    gain_automation:
      - {frame: 0, gain_db: 0, curve: hold}
      - {frame: 1000, gain_db: -6, curve: hold}
      - {frame: 2000, gain_db: 0}
      - {frame: 3000, gain_db: -3}
""")
    ones = {"a": dsp.ArrayReader(np.ones((2, 4_000)))}
    graph = dsp.MixGraph(mix_spec(resolved(recipe), {"a": 2}))
    made = np.concatenate([block.mix for block in dsp.render(graph, ones)], axis=1)[0]
    heard_db = 20 * np.log10(made[[0, 999, 1_000, 1_120, 1_240, 1_999, 2_000, 2_240, 2_620, 3_000, 3_999]])
    assert heard_db == pytest.approx([0, 0, 0, -3, -6, -6, -6, 0, -1.5, -3, -3], abs=1e-3)


def test_damping_moves_by_equal_intervals():
    """From bright to dark over four octaves."""
    assert [damping_hz(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)] == [16_000, 8_000, 4_000, 2_000, 1_000]


def test_everything_of_the_desk_arrives():
    """Solos, VCAs, keys, dual pans, moving settings and delays in beats arrive, and the mix can be built."""
    recipe = load_mix_recipe("""
sample_rate_hz: 48000
tempo_bpm: 120
mix_gain_automation: [{frame: 0, gain_db: 0, curve: smooth}, {frame: 48000, gain_db: -6}]
tracks:
  - {id: kick, source: file:k.wav, solo: true}
  - id: bass
    source: file:b.wav
    dual_pan: {left: -0.5}
    chain:
      - width: {}
        bypass: true
      - compressor: {threshold_db: -20, sidechain: {source: kick, pre_fader: true}, rms_ms: 5, lookahead_ms: 2}
      - eq: {bands: [{shape: tilt, frequency_hz: 900, gain_db: 2}]}
        channels: mid
      - high_pass: {frequency_hz: 60, slope_db_oct: 18}
    automation:
      - {position: 1, setting: threshold_db, points: [{frame: 0, value: -10}, {frame: 9600, value: -30, curve: early}]}
    sends: [{bus: echo, gain_db: -6, gain_automation: [{frame: 0, gain_db: -3}]}]
buses:
  - {id: echo, pan: 0.2, chain: [{delay: {beats: 0.75, feedback: 0.4, mix: 1, ping_pong: true}}]}
vcas:
  - {id: rhythm, members: [kick, bass], gain_db: -2}
""")
    assert validate_mix(recipe, services=False) == ()
    spec = mix_spec(resolved(recipe), {"kick": 1, "bass": 2})
    kick, bass = spec.tracks
    assert kick.solo
    assert (bass.pan, bass.pan_right) == (-0.5, 1.0)
    assert bass.processors[0] == dsp.Compressor(
        -20.0, 2.0, rms_ms=5.0, lookahead_ms=2.0, key=dsp.Key("kick", pre_fader=True)
    )
    assert bass.processors[1] == dsp.MidSide(mid=(dsp.ParametricEq((dsp.Tilt(900.0, 2.0),)),))
    points = (dsp.SettingPoint(0, -10.0), dsp.SettingPoint(9_600, -30.0, "early"))
    assert bass.automation == (dsp.MovingSetting(0, "threshold_db", points),)
    assert bass.sends[0].gain_automation == (dsp.GainPoint(0, -3.0),)
    assert spec.buses[0].processors == (dsp.Delay(375.0, 0.4, 1.0, ping_pong=True),)
    assert spec.vcas == (dsp.VcaSpec("rhythm", ("kick", "bass"), -2.0),)
    assert spec.gain_automation[0].shape == "smooth"
    dsp.MixGraph(spec)
