"""Everything that a recipe may say, the core can do."""

from collections.abc import Iterator

import numpy as np
import pytest
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.console import automation, chain, damping_hz, mix_spec
from tapelog_desk.errors import RecipeRefusedError
from tapelog_recipe import PARAMETERS, PROCESSOR_KINDS, load_mix_recipe, resolved, validate_mix

RATE_HZ = 48_000


def _extremes() -> Iterator[tuple[str, str, float]]:
    for kind in PROCESSOR_KINDS:
        message = pb.Processor.DESCRIPTOR.fields_by_name[kind].message_type.name
        for name, entry in PARAMETERS[message if message != "Equalizer" else "EqBand"].items():
            values = entry.choices or (entry.low, entry.highest(RATE_HZ), *([0.0] if entry.zero_is_off else []))
            yield from ((kind, name, value) for value in dict.fromkeys(values))


def _insert(kind: str, name: str, value: float) -> pb.Processor:
    insert = pb.Processor()
    settings = getattr(insert, kind)
    settings.SetInParent()
    holder = settings.bands.add() if kind == "eq" else settings
    for needed in ("frequency_hz", "time_ms"):
        if needed in holder.DESCRIPTOR.fields_by_name:
            setattr(holder, needed, 1_000)
    setattr(holder, name, type(getattr(holder, name))(value))
    return insert


@pytest.mark.parametrize(("kind", "name", "value"), list(_extremes()))
def test_both_ends_of_every_range_can_be_rendered(kind: str, name: str, value: float):
    """A value that validation lets through is never refused by the core."""
    recipe = pb.MixRecipe(sample_rate_hz=RATE_HZ)
    track = recipe.tracks.add(id="a")
    track.source.file = "a.wav"
    track.chain.append(_insert(kind, name, value))
    assert validate_mix(recipe, services=False) == ()
    spec = mix_spec(resolved(recipe), {"a": 2})
    assert len(spec.tracks[0].processors) == 1
    dsp.MixGraph(spec)


def test_a_bypassed_insert_is_left_out():
    """It is not merely neutral: it is not there."""
    assert chain([pb.Processor(bypass=True, width=pb.Width(width=0))], "x") == ()


@pytest.mark.parametrize("kind", PROCESSOR_KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_insert_works_on_mono_and_stereo(kind: str, channels: int):
    """Validation does not know a source's channels, so no insert may fail on either; width leaves mono alone."""
    insert = _insert(
        kind,
        *{"eq": ("gain_db", 3), "width": ("width", 2), "compressor": ("ratio", 2)}.get(
            kind, ("time_ms", 20) if kind == "delay" else ("decay_s", 1) if kind == "reverb" else ("frequency_hz", 500)
        ),
    )
    whole = resolved(pb.MixRecipe(mix_chain=[insert])).mix_chain
    spec = dsp.MixSpec(RATE_HZ, (dsp.TrackSpec("a", channels, processors=chain(whole, "x", channels)),), tail_s=0.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (channels, 5_000))
    made = np.concatenate(
        [block.mix for block in dsp.render(dsp.MixGraph(spec), {"a": dsp.ArrayReader(noise)})], axis=1
    )
    assert made.shape == (2, 5_000)
    assert made.any()
    assert len(chain(whole, "x", channels)) == (0 if (kind, channels) == ("width", 1) else 1)


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
    hold, linear = pb.AUTOMATION_CURVE_HOLD, pb.AUTOMATION_CURVE_LINEAR
    points = [
        pb.GainPoint(frame=0, gain_db=0, curve=hold),
        pb.GainPoint(frame=1_000, gain_db=-6, curve=hold),
        pb.GainPoint(frame=2_000, gain_db=0, curve=linear),
        pb.GainPoint(frame=3_000, gain_db=-3, curve=linear),
    ]
    ones = {"a": dsp.ArrayReader(np.ones((2, 4_000)))}
    spec = dsp.MixSpec(RATE_HZ, (dsp.TrackSpec("a", gain_automation=automation(points, RATE_HZ)),))
    made = np.concatenate([block.mix for block in dsp.render(dsp.MixGraph(spec), ones)], axis=1)[0]
    heard_db = 20 * np.log10(made[[0, 999, 1_000, 1_120, 1_240, 1_999, 2_000, 2_240, 2_620, 3_000, 3_999]])
    assert heard_db == pytest.approx([0, 0, 0, -3, -6, -6, -6, 0, -1.5, -3, -3], abs=1e-3)


@pytest.mark.parametrize("gap", [1, 2, 100, 240, 241])
def test_jumps_give_way_to_the_next_point(gap: int):
    """Held points closer than 5 ms stay in order; the last value is reached."""
    hold = pb.AUTOMATION_CURVE_HOLD
    points = [pb.GainPoint(frame=index * gap, gain_db=-index, curve=hold) for index in range(5)]
    moves = automation(points, RATE_HZ)
    frames = [move.frame for move in moves]
    assert frames == sorted(set(frames))
    assert moves[-1].gain_db == -4


def test_damping_moves_by_equal_intervals():
    """From bright to dark over four octaves."""
    assert [damping_hz(share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)] == [16_000, 8_000, 4_000, 2_000, 1_000]
