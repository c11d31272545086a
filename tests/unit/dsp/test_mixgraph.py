"""The console: routing, faders, pan, sends, automation, mute, taps, latency."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tapelog_dsp import (
    ArrayReader,
    Audio,
    AudioError,
    Bell,
    BusSpec,
    Compressor,
    Gain,
    GainPoint,
    GraphError,
    HighPass,
    Key,
    MixGraph,
    MixSpec,
    MovingSetting,
    PanPoint,
    ParameterError,
    ParametricEq,
    PlateReverb,
    SendSpec,
    SettingPoint,
    TrackSpec,
    TruePeakLimiter,
    VcaSpec,
    Width,
    render,
)
from tapelog_dsp.processors.pan import mono_pan_gains, pan_gains

RATE = 48_000


def mixed(spec: MixSpec, recordings: dict[str, Audio], *, tap: str | None = None, block_frames: int = 512):
    """Return a whole mix, or one of its taps."""
    graph = MixGraph(spec, taps=(tap,) if tap else ())
    readers = {name: ArrayReader(samples) for name, samples in recordings.items()}
    blocks = list(render(graph, readers, block_frames=block_frames))
    return np.concatenate([block.taps[tap] if tap else block.mix for block in blocks], axis=1)


def one_track(**settings: Any):
    """Return a mix of one track called t."""
    return MixSpec(RATE, (TrackSpec("t", **settings),))


@pytest.fixture
def stereo(random: np.random.Generator):
    """Return stereo noise."""
    return random.uniform(-0.5, 0.5, (2, 3_000))


@pytest.fixture
def mono(random: np.random.Generator):
    """Return mono noise."""
    return random.uniform(-0.5, 0.5, (1, 3_000))


def test_a_neutral_mix_is_the_input_on_the_float32_grid(stereo: Audio):
    """One stereo track with everything at rest comes out rounded to float32, nothing else, with no tail."""
    neutral = (Gain(0.0), ParametricEq((Bell(1_000.0, 0.0),)), Compressor(-30.0, 1.0), Width(1.0))
    result = mixed(one_track(processors=neutral), {"t": stereo})
    assert (result == stereo.astype(np.float32)).all()


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
    assert (result[1, 777:] == mono[0].astype(np.float32)).all()
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
    assert (mixed(spec, recordings) == stereo.astype(np.float32)).all()
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


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_cannot_be_heard(random: np.random.Generator, threads: int):
    """A mix of lanes, single strips, latencies and a late track has the same bits on one thread and on several."""
    chain = (HighPass(80.0), Compressor(-30.0, 4.0))
    tracks = [TrackSpec(f"t{k}", 1 + k % 2, processors=chain, start_frame=100 * k) for k in range(11)]
    tracks.append(TrackSpec("ahead", processors=(Compressor(-30.0, 4.0, lookahead_ms=5.0),)))
    spec = MixSpec(RATE, tuple(tracks), (BusSpec("fx", processors=(PlateReverb(decay_s=0.2),)),))
    recordings = {track.id: random.uniform(-0.1, 0.1, (track.channels, 9_000)) for track in tracks}

    def whole(**how: int) -> bytes:
        readers = {name: ArrayReader(samples) for name, samples in recordings.items()}
        blocks = render(MixGraph(spec), readers, block_frames=777, **how)
        return np.concatenate([block.mix for block in blocks], axis=1).tobytes()

    assert whole(threads=threads) == whole()


def test_an_error_of_a_reader_ends_a_mix_in_threads():
    """A damaged recording fails the mix, however far ahead it was read."""

    class Broken:
        def read(self, frames: int) -> Audio:
            raise OSError(5, f"broken {frames}")

    with pytest.raises(OSError, match="broken"):
        next(render(MixGraph(one_track()), {"t": Broken()}, threads=2))


def test_solos_open_the_ways_through_them(random: np.random.Generator):
    """A soloed track is heard with what it feeds; a soloed bus with what feeds it; everything else is cut."""
    recordings = {name: random.uniform(-0.1, 0.1, (2, 900)) for name in ("a", "b", "c")}

    def mix(solo: str) -> Audio:
        send = (SendSpec("fx", 0.0),)
        tracks = tuple(
            TrackSpec(name, output_bus="group" if name != "c" else "mix", sends=send, solo=name == solo)
            for name in recordings
        )
        buses = tuple(BusSpec(name, solo=name == solo) for name in ("group", "fx"))
        return mixed(MixSpec(RATE, tracks, buses), recordings)

    a, b, c = (recordings[name] for name in "abc")
    assert np.abs(mix("a") - 2.0 * a).max() <= 1e-7
    assert np.abs(mix("group") - (a + b)).max() <= 1e-7
    assert np.abs(mix("fx") - (a + b + c)).max() <= 1e-7
    assert np.abs(mix("") - 2.0 * (a + b + c)).max() <= 2e-7


def test_vcas_move_their_members(mono: Audio):
    """Levels and moves of several VCAs add up in dB, in lanes and alone; a muted one silences; others stay."""
    up = VcaSpec("up", ("a",), 2.0, gain_automation=(GainPoint(0, 0.0), GainPoint(1_000, -10.0)))
    more = VcaSpec("more", ("a", "b"), -3.0, gain_automation=(GainPoint(500, 0.0, "hold"), GainPoint(1_500, 4.0)))
    tracks = tuple(TrackSpec(name, 1, gain_db=-1.0, pan=-1.0) for name in "abc")
    recordings = dict.fromkeys("abc", np.ones_like(mono))
    index = np.arange(3_000)
    rising = np.interp(index, [1_500, 1_740], [0.0, 4.0])
    wanted = {
        "a": -1.0 + 2.0 - 3.0 + np.interp(index, [0, 1_000], [0.0, -10.0]) + rising,
        "b": -1.0 - 3.0 + rising,
        "c": np.full(3_000, -1.0),
    }
    for name, level_db in wanted.items():
        got = mixed(MixSpec(RATE, tracks, vcas=(up, more)), recordings, tap=name)
        assert np.abs(got[0] - 10.0 ** (level_db / 20.0)).max() <= 2e-7
    muted = MixSpec(RATE, tracks, vcas=(VcaSpec("off", ("a", "b"), mute=True),))
    assert not mixed(muted, recordings, tap="a").any()
    with pytest.raises(GraphError, match="no track or bus"):
        MixGraph(MixSpec(RATE, tracks, vcas=(VcaSpec("v", ("nobody",)),)))


@pytest.mark.parametrize("lookahead_ms", [0.0, 4.0])
@pytest.mark.parametrize("by_bus", [False, True])
def test_a_key_is_in_time(by_bus: bool, lookahead_ms: float):
    """A key that arrives late keys the frame that it belongs to: ducking starts at the kick's own first frame."""
    kick = np.zeros((1, 3_000))
    kick[:, 1_000:1_400] = 0.9
    late = (Compressor(-1.0, 1.0, lookahead_ms=lookahead_ms),)
    duck = Compressor(-40.0, 100.0, attack_ms=0.0, key=Key("keys" if by_bus else "kick", pre_fader=True))
    tracks = (
        TrackSpec("kick", 1, gain_db=-144.0 if not by_bus else 0.0, processors=late, output_bus="keys"),
        TrackSpec("pad", 2, processors=(HighPass(10.0), duck)),
    )
    spec = MixSpec(RATE, tracks, (BusSpec("keys", gain_db=-144.0),))
    pad = np.full((2, 3_000), 0.25) * np.where(np.arange(3_000) % 2, 1.0, -1.0)
    result = np.abs(mixed(spec, {"kick": kick, "pad": pad}))
    assert result[:, 900:1_000].min() > 0.24
    assert result[:, 1_000].max() < 0.02


def test_keys_are_checked():
    """A key that does not exist, a key of itself, and strips that key one another are refused with their names."""

    def keyed(name: str, source: str) -> TrackSpec:
        return TrackSpec(name, processors=(Compressor(-20.0, 2.0, key=Key(source)),))

    for source in ("nobody", "a"):
        with pytest.raises(GraphError, match=source):
            MixGraph(MixSpec(RATE, (keyed("a", source),)))
    with pytest.raises(GraphError, match="circle"):
        MixGraph(MixSpec(RATE, (keyed("a", "b"), keyed("b", "a"))))


@pytest.mark.parametrize("law_db", [0.0, -3.0, -4.5, -6.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_moving_pan_is_the_pan_at_every_frame(law_db: float, channels: int):
    """Frame by frame a moving pan has the gains of a still one at that position."""
    points = (PanPoint(0, -1.0), PanPoint(2_000, 1.0), PanPoint(2_500, 0.0))
    track = TrackSpec("t", channels, pan_automation=points)
    result = mixed(MixSpec(RATE, (track,), pan_law_db=law_db), {"t": np.ones((channels, 3_000))})
    for frame in (0, 1, 499, 1_000, 1_501, 2_000, 2_250, 2_999):
        position = float(np.interp(frame, [0, 2_000, 2_500], [-1.0, 1.0, 0.0]))
        assert np.abs(result[:, frame] - pan_gains(position, law_db, channels=channels)).max() <= 1e-6


def test_dual_pan_places_each_channel(stereo: Audio):
    """Hard left and hard right leave the image; both in the middle are a mono sum by the law."""
    wide = MixSpec(RATE, (TrackSpec("t", pan=-1.0, pan_right=1.0),))
    assert (mixed(wide, {"t": stereo}) == stereo.astype(np.float32)).all()
    narrow = mixed(MixSpec(RATE, (TrackSpec("t", pan=0.0, pan_right=0.0),)), {"t": stereo})
    assert np.abs(narrow - (stereo[0] + stereo[1]) * np.sqrt(0.5)).max() <= 1e-7


def test_a_moving_equaliser_does_not_click():
    """A bell swept over four octaves leaves nothing above the tone that it moves: no splatter above -100 dB."""
    tone = 0.25 * np.sin(2.0 * np.pi * 100.0 * np.arange(3 * RATE) / RATE)[np.newaxis]
    points = (SettingPoint(0, 100.0), SettingPoint(2 * RATE, 1_600.0))
    track = TrackSpec(
        "t", 1, pan=-1.0, processors=(ParametricEq((Bell(100.0, 12.0),)),),
        automation=(MovingSetting(0, "bands.0.frequency_hz", points),),
    )  # fmt: skip
    result = mixed(MixSpec(RATE, (track,)), {"t": tone}, block_frames=8_192)[0, RATE : 2 * RATE]
    spectrum = np.abs(np.fft.rfft(result * np.blackman(RATE))) / (0.42 * RATE / 2.0)
    assert 20.0 * np.log10(spectrum[2_000:].max()) <= -100.0


def test_a_setting_that_cannot_move_is_refused():
    """Structures and unknown names are refused with what could move."""
    for name in ("rms_ms", "colour"):
        moving = (MovingSetting(0, name, (SettingPoint(0, 1.0),)),)
        with pytest.raises(ParameterError, match="threshold_db"):
            MixGraph(one_track(processors=(Compressor(-20.0, 2.0),), automation=moving))
