"""What a revision costs with and without the cache of nodes, and the seconds that estimates are made of.

`python -m pytest tests/bench/test_revisions.py -m bench -s`; CPU seconds of this process, medians of three runs.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import (
    Passage,
    analyze_file,
    render_comp,
    render_master,
    render_mix,
    render_repair,
    render_stems,
)
from tapelog_desk.nodes import NodeStore

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

RATE_HZ = 48_000
SECONDS = 60
TRACKS = 32
ROUNDS = 3
DIGEST = "5a" * 32


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Write 16 stereo and 16 mono recordings of 24 bits."""
    folder = tmp_path_factory.mktemp("sources")
    made = {}
    for number in range(TRACKS):
        noise = 0.1 * np.random.default_rng(number).standard_normal((SECONDS * RATE_HZ, 2 if number < 16 else 1))
        made[f"{number:064d}"] = folder / f"{number}.wav"
        soundfile.write(made[f"{number:064d}"], noise, RATE_HZ, subtype="PCM_24")
    return made


def recipe(*, buses: int, shared_reverb: bool) -> pb.MixRecipe:
    """Return 32 tracks with high-pass, four bands, compressor, automation and pan on so many buses with a reverb."""
    send = [pb.RecipeSend(bus="room", gain_db=-12.0)]
    tracks = [
        pb.RecipeTrack(
            id=f"t{number}",
            source=pb.RecipeSource(asset_sha256=f"{number:064d}"),
            gain_db=-12.0,
            pan=0.1 * (number % 5) - 0.2,
            output_bus=f"b{number * buses // TRACKS}",
            chain=[
                pb.Processor(high_pass=pb.HighPass(frequency_hz=80.0)),
                pb.Processor(
                    eq=pb.Equalizer(bands=[pb.EqBand(frequency_hz=200.0 * n, gain_db=2.0, q=1.0) for n in range(1, 5)])
                ),
                pb.Processor(compressor=pb.Compressor(threshold_db=-20.0)),
            ],
            gain_automation=[pb.GainPoint(frame=RATE_HZ * n, gain_db=-(n % 3)) for n in range(1, SECONDS)],
            sends=send if shared_reverb else [],
        )
        for number in range(TRACKS)
    ]
    groups = [
        pb.RecipeBus(
            id=f"b{number}",
            chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-18.0))],
            sends=[] if shared_reverb else send,
        )
        for number in range(buses)
    ]
    room = pb.RecipeBus(id="room", chain=[pb.Processor(reverb=pb.Reverb(decay_s=1.5))])
    return pb.MixRecipe(
        sample_rate_hz=RATE_HZ,
        tracks=tracks,
        buses=[*groups, room],
        mix_chain=[pb.Processor(compressor=pb.Compressor(threshold_db=-10.0))],
        tail_s=2.0,
    )


def say(line: str) -> None:
    """Tell whoever runs the bench."""
    sys.stdout.write(f"{line}\n")


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    start_s = time.process_time()
    work()
    return time.process_time() - start_s


@pytest.mark.parametrize(("buses", "shared_reverb"), [(4, False), (8, False), (4, True)], ids="abc")
def test_what_a_revision_costs(sources: Mapping[str, Path], tmp_path: Path, buses: int, shared_reverb: bool):
    """Cold, warm, one changed track, a changed chain of the mix: each against a mix without a cache."""
    seconds: dict[str, list[float]] = {}
    for round_ in range(ROUNDS + 1):
        shutil.rmtree(tmp_path / "nodes", ignore_errors=True)
        store = NodeStore(tmp_path / "nodes", 4 * 2**30)
        track, chain = (recipe(buses=buses, shared_reverb=shared_reverb) for _ in range(2))
        track.tracks[3].gain_db = -9.0
        chain.mix_chain[0].compressor.threshold_db = -14.0
        whole = recipe(buses=buses, shared_reverb=shared_reverb)
        runs = (("off", whole, None), ("cold", whole, store), ("same", whole, store), ("1 of 32", track, store),
                ("mix chain", chain, store))  # fmt: skip
        for name, wanted, nodes in runs:

            def mix(wanted: pb.MixRecipe = wanted, nodes: NodeStore | None = nodes) -> None:
                render_mix(wanted, lambda source: sources[source.asset_sha256], (), tmp_path, nodes=nodes)

            taken_s = cpu_s(mix)
            if round_:
                seconds.setdefault(name, []).append(taken_s)
    off_s = statistics.median(seconds["off"])
    say(f"\n{buses} buses, reverb fed by {'every track' if shared_reverb else 'the buses'}")
    for name, all_s in seconds.items():
        say(f"  {name:10s} {statistics.median(all_s):5.2f} s  {statistics.median(all_s) / off_s:4.2f} of a full mix")


def test_the_seconds_that_estimates_are_made_of(sources: Mapping[str, Path], tmp_path: Path):
    """CPU seconds a minute of each kind of render."""
    whole = recipe(buses=4, shared_reverb=True)
    one, thirty_two = pb.MixRecipe(), whole
    one.CopyFrom(whole)
    del one.tracks[1:]
    mono, stereo = sources[f"{TRACKS - 1:064d}"], sources[f"{0:064d}"]

    def resolve(source: pb.RecipeSource) -> Path:
        return sources.get(source.asset_sha256, tmp_path / "mix.wav")

    master = pb.MasterRecipe(source=pb.RecipeSource(asset_sha256="f" * 64), target=pb.MasterTarget(name="streaming"))
    cut = 20 * RATE_HZ
    passages = [Passage(mono, 0, cut), Passage(stereo, cut, 2 * cut, 480)]
    works: dict[str, Callable[[], object]] = {
        "mix of 1": lambda: render_mix(one, resolve, (), tmp_path),
        "mix of 32": lambda: render_mix(thirty_two, resolve, (), tmp_path),
        "5 stems of 32": lambda: render_stems(thirty_two, resolve, (), tmp_path, digest=DIGEST),
        "master": lambda: render_master(master, resolve, tmp_path, best_effort=True),
        "analysis, stereo": lambda: analyze_file(stereo),
        "repair, mono": lambda: render_repair(mono, tmp_path, digest=DIGEST),
        "comp of 40 s": lambda: render_comp(passages, tmp_path, digest=DIGEST),
    }
    say("")
    for name, work in works.items():
        work()
        say(f"  {name:18s} {statistics.median(cpu_s(work) for _ in range(ROUNDS)):5.2f} s for {SECONDS} s of audio")
