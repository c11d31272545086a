"""The song of the revision bench: 32 recordings that sound like a session, and its recipes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import lfilter
from tapelog.common.v1 import recipe_pb2 as pb

RATE_HZ = 48_000
TRACKS = 32


def recording(number: int, seconds: int) -> npt.NDArray[np.float64]:
    """Return drums, a bass, a pad or a voice; the even ones in stereo."""
    random, frames = np.random.default_rng(1_000 + number), seconds * RATE_HZ
    time_s = np.arange(frames) / RATE_HZ
    sides = []
    for side in range(2 - number % 2):
        noise = random.standard_normal(frames)
        if number % 4 == 0:
            made = noise * np.exp(-((time_s + 1e-4 * side) % 0.5) / 0.05)
        elif number % 4 == 1:
            turn = 2 * np.pi * 40.0 * 2.0 ** (number % 24 / 6) * time_s
            made = (np.sin(turn) + 0.5 * np.sin(2 * turn + 1)) * (0.5 + 0.5 * np.sin(1.6 * time_s + number))
        elif number % 4 == 2:
            made = 0.2 * lfilter([1], [1, -0.97], noise) * (0.6 + 0.4 * np.sin(0.6 * time_s + number + side))
        else:
            formant = -1.9 * np.cos(2 * np.pi * 500 / RATE_HZ * (1 + number % 5))
            made = 0.15 * lfilter([1, 0, -1], [1, formant, 0.9025], noise) * (np.sin(1.3 * time_s + number) > -0.3)
        sides.append(made)
    samples = np.stack(sides, axis=1)
    return 0.35 / np.abs(samples).max() * samples


def write_recordings(folder: Path, seconds: int, form: str) -> Mapping[str, Path]:
    """Write the recordings as 24-bit WAV or FLAC and return them by the digests that the recipes name."""
    folder.mkdir()
    made = {}
    for number in range(TRACKS):
        made[asset(number)] = path = folder / f"{number}.{form}"
        soundfile.write(path, recording(number, seconds), RATE_HZ, subtype="PCM_24", format=form.upper())
    return made


def asset(number: int) -> str:
    """Return what stands for the digest of a recording."""
    return f"{number:064x}"


def recipe(*, seconds: int, reverb_for: int) -> pb.MixRecipe:
    """Return 32 full strips on four compressed buses, with a reverb for every so-many-th track, and a chain behind.

    Strips: high-pass, four bands, compressor, a fader move every second, pan.
    """
    bands = [pb.EqBand(frequency_hz=200.0 * n, gain_db=2.0, q=1.0) for n in range(1, 5)]
    tracks = [
        pb.RecipeTrack(
            id=f"t{number}",
            source=pb.RecipeSource(asset_sha256=asset(number)),
            gain_db=-12.0,
            pan=0.1 * (number % 5) - 0.2,
            output_bus=f"b{number % 4}",
            chain=[
                pb.Processor(high_pass=pb.HighPass(frequency_hz=80.0)),
                pb.Processor(eq=pb.Equalizer(bands=bands)),
                pb.Processor(compressor=pb.Compressor(threshold_db=-20.0)),
            ],
            gain_automation=[pb.GainPoint(frame=RATE_HZ * n, gain_db=-(n % 3)) for n in range(1, seconds)],
            sends=[pb.RecipeSend(bus="room", gain_db=-12.0)] if number % reverb_for == reverb_for - 1 else [],
        )
        for number in range(TRACKS)
    ]
    groups = [
        pb.RecipeBus(id=f"b{number}", chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-18.0))])
        for number in range(4)
    ]
    room = pb.RecipeBus(id="room", chain=[pb.Processor(reverb=pb.Reverb(decay_s=1.5))])
    return pb.MixRecipe(
        sample_rate_hz=RATE_HZ, tracks=tracks, buses=[*groups, room], tail_s=2.0,
        mix_chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-10.0))],
    )  # fmt: skip


def master(source_sha256: str) -> pb.MasterRecipe:
    """Return a master with an equaliser and four-band dynamics, for streaming."""
    bands = [pb.BandDynamics(threshold_db=-24.0, ratio=2.0) for _ in range(4)]
    return pb.MasterRecipe(
        source=pb.RecipeSource(asset_sha256=source_sha256),
        chain=[
            pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(frequency_hz=300.0, gain_db=-1.0, q=0.8)])),
            pb.Processor(multiband=pb.Multiband(splits_hz=[120.0, 1_000.0, 6_000.0], bands=bands)),
        ],
        target=pb.MasterTarget(name="streaming"),
        outputs=[pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24)],
    )
