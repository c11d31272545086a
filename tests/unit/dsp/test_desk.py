"""What a desk does beyond faders: threads, solos, VCAs, keys, pans and settings that move."""

import numpy as np
import pytest
from tapelog_dsp import (
    ArrayReader,
    Audio,
    Bell,
    BusSpec,
    Compressor,
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
    VcaSpec,
    render,
)
from tapelog_dsp.kernels.twins.console import on_grid
from tapelog_dsp.processors.pan import pan_gains

from .mixes import RATE, mixed, one_track


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
    assert (mixed(wide, {"t": stereo}) == on_grid(stereo).astype(np.float32)).all()
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
