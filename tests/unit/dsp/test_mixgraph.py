"""The console: routing, faders, pan, sends, automation, mute, taps, latency."""

from collections.abc import Callable

import numpy as np
import pytest
from tapelog_dsp import (
    Audio,
    AudioError,
    Bell,
    BusSpec,
    Compressor,
    Gain,
    GainPoint,
    GraphError,
    MixGraph,
    MixSpec,
    ParameterError,
    ParametricEq,
    SendSpec,
    TrackSpec,
    TruePeakLimiter,
    Width,
    render,
)
from tapelog_dsp.kernels.twins.console import on_grid
from tapelog_dsp.processors.pan import mono_pan_gains

from .mixes import RATE, mixed, one_track


def test_a_neutral_mix_is_the_input_on_the_float32_grid(stereo: Audio):
    """One stereo track with everything at rest comes out rounded to float32, nothing else, with no tail."""
    neutral = (Gain(0.0), ParametricEq((Bell(1_000.0, 0.0),)), Compressor(-30.0, 1.0), Width(1.0))
    result = mixed(one_track(processors=neutral), {"t": stereo})
    assert (result == on_grid(stereo).astype(np.float32)).all()
    assert np.abs(result - stereo).max() <= 2.0**-24


def test_everything_that_leaves_a_node_is_float32(stereo: Audio, mono: Audio):
    """Mix and taps hold float32 values."""
    spec = MixSpec(
        RATE,
        (TrackSpec("a", gain_db=-1.7), TrackSpec("b", channels=1, pan=0.3, sends=(SendSpec("fx", -3.3),))),
        (BusSpec("fx", gain_db=-2.1, processors=(ParametricEq((Bell(500.0, 3.0),)),)),),
        gain_db=-0.3,
    )
    for tap in (None, "a", "b", "fx"):
        result = mixed(spec, {"a": stereo, "b": mono}, tap=tap)
        assert (result == result.astype(np.float32)).all()
        assert np.abs(result).max() > 0.01


def test_fader_polarity_and_pan_of_a_mono_track(mono: Audio):
    """A mono track is turned down, inverted and placed by the mix's law."""
    spec = MixSpec(RATE, (TrackSpec("t", 1, gain_db=-6.0, pan=0.5, polarity_inverted=True),), pan_law_db=-4.5)
    sides = mono_pan_gains(0.5, -4.5)
    wanted = -mono * 10.0 ** (-6.0 / 20.0) * np.array(sides)[:, None]
    assert np.abs(mixed(spec, {"t": mono}) - wanted).max() <= 6e-8


def test_tracks_sum_through_groups(stereo: Audio, mono: Audio):
    """Groups within groups sum their members; two tracks of opposite polarity cancel exactly."""
    spec = MixSpec(
        RATE,
        (
            TrackSpec("a", output_bus="inner"),
            TrackSpec("b", output_bus="inner", polarity_inverted=True),
            TrackSpec("c", channels=1, pan=-1.0, output_bus="outer"),
        ),
        (BusSpec("outer", gain_db=-6.0), BusSpec("inner", output_bus="outer")),
    )
    result = mixed(spec, {"a": stereo, "b": stereo, "c": mono})
    assert not result[1].any()
    assert np.abs(result[0] - mono[0] * 10.0 ** (-6.0 / 20.0)).max() <= 6e-8


@pytest.mark.parametrize("pre_fader", [False, True])
def test_sends(stereo: Audio, pre_fader: bool):
    """A post-fader send follows the fader, a pre-fader send does not; both follow the pan."""
    send = SendSpec("fx", -12.0, pre_fader=pre_fader)
    spec = MixSpec(RATE, (TrackSpec("t", gain_db=-20.0, pan=-1.0, sends=(send,)),), (BusSpec("fx"),))
    result = mixed(spec, {"t": stereo}, tap="fx")
    level = 10.0 ** ((-12.0 if pre_fader else -32.0) / 20.0)
    assert np.abs(result[0] - stereo[0] * level).max() <= 6e-8
    assert not result[1].any()


def test_automation_is_sample_accurate(mono: Audio):
    """Between breakpoints the gain is a straight line in dB for every sample; a hold jumps at its frame, in 5 ms."""
    points = (GainPoint(100, 0.0), GainPoint(1_100, -20.0), GainPoint(1_500, -10.0, "hold"), GainPoint(2_000, 3.0))
    result = mixed(one_track(channels=1, pan=-1.0, gain_automation=points), {"t": np.ones_like(mono)})
    index = np.arange(3_000)
    level_db = np.interp(index, [100, 1_100, 1_500, 2_000, 2_240], [0.0, -20.0, -10.0, -10.0, 3.0])
    level_db[1_500:2_000] = -10.0
    assert np.abs(result[0] - 10.0 ** (level_db / 20.0)).max() <= 1e-7


def test_a_fader_at_the_bottom_is_closed(mono: Audio):
    """At -144 dB nothing passes, in the fader and in automation."""
    assert not mixed(one_track(channels=1, gain_db=-144.0), {"t": mono}).any()
    points = (GainPoint(0, -144.0, "hold"), GainPoint(1_000, 0.0))
    result = mixed(one_track(channels=1, gain_automation=points), {"t": mono})
    assert not result[:, :1_000].any()
    assert result[:, 1_000:].any()


def test_tracks_start_where_they_are_told(mono: Audio):
    """A recording begins at its song time; the song ends with its last track."""
    spec = MixSpec(RATE, (TrackSpec("a", 1, pan=-1.0), TrackSpec("b", 1, pan=1.0, start_frame=777)))
    result = mixed(spec, {"a": mono, "b": mono})
    assert result.shape[1] == 3_777
    assert (result[1, 777:] == on_grid(mono[0]).astype(np.float32)).all()
    assert not result[1, :777].any()


def test_declared_length_cuts(mono: Audio):
    """A declared length ends the song there, also when a track is longer or not yet begun."""
    spec = MixSpec(RATE, (TrackSpec("a", 1), TrackSpec("b", 1, start_frame=5_000)), length_frames=1_000)
    assert mixed(spec, {"a": mono, "b": mono}).shape[1] == 1_000
    longer = MixSpec(RATE, (TrackSpec("a", 1),), length_frames=9_000)
    result = mixed(longer, {"a": mono})
    assert result.shape[1] == 9_000
    assert not result[:, 3_000:].any()


def test_muted_strips_are_silent(stereo: Audio):
    """A muted track needs no reader and is silent in its tap; a muted bus swallows what it is sent."""
    spec = MixSpec(
        RATE,
        (TrackSpec("a"), TrackSpec("b", mute=True), TrackSpec("c", output_bus="g")),
        (BusSpec("g", mute=True),),
    )
    recordings = {"a": stereo, "c": stereo}
    assert (mixed(spec, recordings) == on_grid(stereo).astype(np.float32)).all()
    assert not mixed(spec, recordings, tap="b").any()


def test_taps_of_groups_sum_to_the_mix(stereo: Audio, mono: Audio):
    """Stems sum to the mix within rounding when the mix node does nothing."""
    spec = MixSpec(
        RATE,
        (TrackSpec("a", output_bus="x"), TrackSpec("b", channels=1, pan=0.2, output_bus="y")),
        (BusSpec("x", gain_db=-3.0), BusSpec("y", processors=(TruePeakLimiter(-6.0),))),
    )
    recordings = {"a": stereo, "b": mono}
    stems = mixed(spec, recordings, tap="x") + mixed(spec, recordings, tap="y")
    assert np.abs(stems - mixed(spec, recordings)).max() <= 1e-7


@pytest.mark.parametrize("pre_fader", [False, True])
def test_latency_is_evened_out_everywhere(pre_fader: bool):
    """Look-ahead on one track, on a group and on an effect leaves every impulse at its place."""
    late = Compressor(-1.0, 1.0, lookahead_ms=5.0)
    spec = MixSpec(
        RATE,
        (
            TrackSpec("plain", sends=(SendSpec("fx", 0.0, pre_fader=pre_fader),)),
            TrackSpec("late", processors=(late,), sends=(SendSpec("fx"),), output_bus="group"),
        ),
        (BusSpec("fx", processors=(late, late)), BusSpec("group", processors=(late,))),
        processors=(TruePeakLimiter(0.0),),
    )
    impulse = np.zeros((2, 4_000))
    impulse[:, 1_500] = 0.1
    silence = np.zeros_like(impulse)
    for played in ("plain", "late"):
        recordings = {name: impulse if name == played else silence for name in ("plain", "late")}
        result = mixed(spec, recordings)
        assert np.flatnonzero(result[0]).tolist() == [1_500]
        assert result[0, 1_500] == pytest.approx(0.2, abs=1e-7)


def test_automation_follows_the_latency():
    """A gain that opens at a frame starts to open there in song time, also behind a processor with latency."""
    points = (GainPoint(0, -144.0, "hold"), GainPoint(1_000, 0.0))
    for processors in ((), (Compressor(-1.0, 1.0, lookahead_ms=7.0),)):
        spec = one_track(processors=processors, gain_automation=points)
        result = mixed(spec, {"t": np.full((2, 3_000), 0.25)})
        assert int(np.flatnonzero(result[0])[0]) == 1_001


def test_reset_starts_again(stereo: Audio):
    """After a reset the same recordings give the same bits."""
    spec = one_track(processors=(ParametricEq((Bell(80.0, 9.0),)), Compressor(-30.0, 4.0, lookahead_ms=2.0)))
    graph = MixGraph(spec)
    first = graph.process({"t": stereo}, 3_000).mix
    graph.reset()
    assert (graph.process({"t": stereo}, 3_000).mix == first).all()


def test_telemetry_names_the_strip(stereo: Audio):
    """Gain reduction is reported under strip, position and processor."""
    graph = MixGraph(one_track(processors=(Gain(6.0), Compressor(-40.0, 4.0))))
    graph.process({"t": stereo}, 3_000)
    figures = graph.telemetry()
    assert set(figures) == {
        "t.1.Compressor.gain_reduction_max_db",
        "t.1.Compressor.gain_reduction_mean_db",
    }
    assert figures["t.1.Compressor.gain_reduction_max_db"] > figures["t.1.Compressor.gain_reduction_mean_db"] > 3.0


@pytest.mark.parametrize(
    ("tracks", "buses", "message"),
    [
        ((TrackSpec("a"), TrackSpec("a")), (), "two strips are called 'a'"),
        ((TrackSpec("a", output_bus="nowhere"),), (), "'a' sends to 'nowhere', which is no bus; buses: none"),
        ((TrackSpec("a", sends=(SendSpec("b"),)), TrackSpec("b")), (), "'b', which is no bus"),
        ((), (BusSpec("x", output_bus="y"), BusSpec("y", output_bus="x")), "in a circle: x, y"),
        ((), (BusSpec("x", sends=(SendSpec("x"),)),), "in a circle: x"),
    ],
)
def test_wrong_wiring(tracks: tuple[TrackSpec, ...], buses: tuple[BusSpec, ...], message: str):
    """A mix that cannot be wired is refused with the names."""
    with pytest.raises(GraphError, match=message):
        MixGraph(MixSpec(RATE, tracks, buses))


def test_wrong_feeds(stereo: Audio):
    """A missing reader, an unknown track, an unknown tap and a NaN are refused by name."""
    graph = MixGraph(one_track())
    with pytest.raises(GraphError, match="track 't' has no reader"):
        list(render(graph, {}))
    with pytest.raises(GraphError, match="no track is called x"):
        graph.process({"x": stereo}, 3_000)
    with pytest.raises(GraphError, match="no track or bus is called 'x'; there are t"):
        MixGraph(one_track(), taps=("x",))
    stereo[1, 7] = np.nan
    with pytest.raises(AudioError, match=r"track t: .*nan in channel 1 at frame 7"):
        graph.process({"t": stereo}, 3_000)
    with pytest.raises(AudioError, match="track t: its reader must give"):
        mixed(one_track(), {"t": stereo[:1]})


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrackSpec("mix"),
        lambda: TrackSpec("a", channels=3),
        lambda: TrackSpec("a", pan=1.5),
        lambda: TrackSpec("a", start_frame=-1),
        lambda: TrackSpec("a", gain_automation=(GainPoint(5, 0.0), GainPoint(5, 1.0))),
        lambda: GainPoint(0, 0.0, "curve"),
        lambda: MixSpec(7_999, ()),
        lambda: MixSpec(RATE, (), pan_law_db=-2.0),
        lambda: MixSpec(RATE, (), tail_s=31.0),
        lambda: MixSpec(RATE, (), length_frames=0),
    ],
    ids=["reserved", "channels", "pan", "start", "order", "shape", "rate", "law", "tail", "length"],
)
def test_specs_out_of_range(make: Callable[[], object]):
    """A strip or mix with a value out of range cannot be made."""
    with pytest.raises(ParameterError):
        make()
