"""Render a small session that uses every processor, and print the digest of each of its products as JSON."""

import hashlib
import json
import sys

import numpy as np
from tapelog_dsp import (
    ENGINE_VERSION,
    ArrayReader,
    Bell,
    BusSpec,
    Compressor,
    ConvolutionReverb,
    DeEsser,
    Delay,
    Dither,
    DynamicEq,
    Gain,
    GainPoint,
    Gate,
    HighPass,
    HighShelf,
    Impulse,
    Key,
    LowPass,
    LowShelf,
    MasterChain,
    MasterSpec,
    MidSide,
    MixGraph,
    MixSpec,
    MonoMaker,
    MovingSetting,
    Notch,
    PanPoint,
    ParametricEq,
    PlateReverb,
    Polarity,
    RoomReverb,
    Saturation,
    SendSpec,
    SettingPoint,
    Tilt,
    TimeAlign,
    TrackSpec,
    TransientShaper,
    VcaSpec,
    Width,
    limit_blocks,
    render,
    solve_drive,
)
from tapelog_dsp.testing import programme

RATE = 48_000
SECONDS = 4.0

HALL = ConvolutionReverb(
    Impulse(np.array([[((k * 7_919 + side * 104_729) % 1_009 - 504) / 504.0 / (k + 9) for k in range(3_000)]
                      for side in range(4)]), 44_100), 5.0, 0.3,
)  # fmt: skip

SESSION = MixSpec(
    RATE,
    tracks=(
        TrackSpec(
            "vocal",
            channels=1,
            gain_db=-4.0,
            processors=(
                HighPass(80.0, 18),
                Compressor(-28.0, 3.0, 5.0, 80.0),
                ParametricEq((Bell(3_000.0, 3.0),)),
                DeEsser(),
                Saturation(6.0, 0.1, oversampling=2),
            ),
            sends=(SendSpec("plate", -9.0), SendSpec("echo", -15.0, pre_fader=True)),
            gain_automation=(GainPoint(0, -2.0), GainPoint(48_000, 1.0), GainPoint(96_000, -1.0, "hold")),
        ),
        TrackSpec(
            "drums",
            gain_db=-6.0,
            processors=(
                ParametricEq((LowShelf(90.0, 2.0), HighShelf(9_000.0, -2.0), Notch(50.0))),
                Gate(-40.0, lookahead_ms=1.0),
                TransientShaper(3.0, -2.0),
            ),
            output_bus="group",
        ),
        TrackSpec(
            "pad",
            processors=(
                DynamicEq(400.0, 1.0, -30.0, key=Key("vocal")),
                MidSide(side=(ParametricEq((Tilt(900.0, 2.0),)),)),
                MonoMaker(),
                TimeAlign(0.31),
                ParametricEq((Bell(500.0, 2.0),)),
            ),
            gain_db=-8.0,
            pan_automation=(PanPoint(0, -0.5), PanPoint(150_000, 0.5, "smooth")),
            automation=(MovingSetting(4, "bands.0.frequency_hz", (SettingPoint(0, 300.0), SettingPoint(99_999, 3e3))),),
            sends=(SendSpec("room", -6.0, gain_automation=(GainPoint(0, -6.0), GainPoint(90_000, 0.0))),),
        ),
        TrackSpec("guitar", channels=1, pan=-0.6, gain_db=-9.0, start_frame=9_999, processors=(Polarity(),)),
        TrackSpec("keys", pan=0.3, gain_db=-10.0, processors=(LowPass(9_000.0, 24), Gain(1.5)), output_bus="group"),
    ),
    buses=(
        BusSpec("group", processors=(Compressor(-20.0, 2.0, rms_ms=20.0, lookahead_ms=1.0, mix=0.7),)),
        BusSpec("plate", gain_db=-3.0, processors=(PlateReverb(decay_s=0.9, predelay_ms=12.0),)),
        BusSpec("echo", processors=(Delay(187.5, 0.4, 1.0, 200.0, 5_000.0),), sends=(SendSpec("plate", -12.0),)),
        BusSpec("room", processors=(Delay(90.0, 0.3, 0.5, ping_pong=True), RoomReverb(0.8), HALL)),
    ),
    pan_law_db=-4.5,
    vcas=(
        VcaSpec("band", ("drums", "guitar", "keys"), -1.0, gain_automation=(GainPoint(0, 0.0), GainPoint(60_000, 1.0))),
    ),
)
MASTER = MasterSpec(
    RATE, (ParametricEq((LowShelf(60.0, 1.0),)), Compressor(-18.0, 1.5, sidechain_highpass_hz=90.0), Width(1.1))
)


def sources() -> dict[str, ArrayReader]:
    """Return one reader per track."""
    readers = {}
    for index, track in enumerate(SESSION.tracks):
        # Written as whole numbers first: the generator's last bits may differ between machines, a recording's do not.
        recording = np.round(programme(SECONDS, seed=index) * 2.0**15) / 2.0**16
        readers[track.id] = ArrayReader(recording[: track.channels])
    return readers


def main() -> None:
    """Print the digests."""
    digests = {"engine": hashlib.sha256(ENGINE_VERSION.encode()).hexdigest()}
    blocks = list(render(MixGraph(SESSION, taps=("vocal", "group")), sources()))
    mix = np.concatenate([block.mix for block in blocks], axis=1)
    digests["mix"] = hashlib.sha256(mix.tobytes()).hexdigest()
    for tap in ("vocal", "group"):
        stem = np.concatenate([block.taps[tap] for block in blocks], axis=1)
        digests[f"stem {tap}"] = hashlib.sha256(stem.tobytes()).hexdigest()
    spill = list(MasterChain(MASTER).blocks([mix]))
    solution = solve_drive(lambda: iter(spill), sample_rate=RATE, target_lufs=-14.0)
    dither = Dither(bits=24, digest=b"\x2a" * 32, channels=2)
    master = hashlib.sha256()
    for block in limit_blocks(spill, sample_rate=RATE, drive_db=solution.drive_db):
        master.update(np.ascontiguousarray(dither.process(block)[0]).tobytes())
    digests["master"] = master.hexdigest()
    digests["drive"] = f"{solution.drive_db:.3f} dB"
    json.dump(digests, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
