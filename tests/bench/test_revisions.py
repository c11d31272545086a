"""What a revision costs with and without the cache of nodes, and the seconds that estimates are made of.

`python -m pytest tests/bench/test_revisions.py -m bench -s`; ``TAPELOG_BENCH_SECONDS`` is the length of the song.
"""

import contextlib
import functools
import itertools
import os
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog.render.v1.resources_pb2 import MasterSpec, MixSpec, RenderJob, RenderKind
from tapelog_desk import (
    Passage,
    analyze_file,
    render_comp,
    render_master,
    render_mix,
    render_repair,
    render_stems,
)
from tapelog_render.adapters.engine_process import EngineProcess
from tapelog_render.application.asking.specs import digest_of
from tapelog_render.application.ports import Made, RenderOrder

from .revisions import RATE_HZ, TRACKS, asset, master, write_recordings
from .revisions import recipe as song_recipe

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

SECONDS = 60
SONG_S = int(os.environ.get("TAPELOG_BENCH_SECONDS", "180"))
ROUNDS = 3
DIGEST = "5a" * 32
CHANGED = 5
"""The track that a revision changes: a bass, mono, on the second bus, never in the smaller reverb."""
MIX_ASSET = "f" * 64


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Write the recordings of a session."""
    return write_recordings(tmp_path_factory.mktemp("sources") / "wav", SECONDS, "wav")


def say(line: str) -> None:
    """Tell whoever runs the bench."""
    sys.stdout.write(f"{line}\n")


def cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    start_s = time.process_time()
    work()
    return time.process_time() - start_s


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the child, seconds of the worker that waits for it, and what was made."""

    cpu_s: float
    wall_s: float
    made: Made


@dataclass
class Engines:
    """The engine's child as a worker keeps it, warm: one without a cache, one with."""

    folder: Path
    sources: Mapping[str, Path]
    nodes: Path
    plain: EngineProcess
    caching: EngineProcess
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def cost(self, engine: EngineProcess, job: RenderJob, more: Mapping[str, Path] | None = None) -> Cost:
        """Render a job and return what it cost the child."""
        job.recipe_digest = digest_of(job)
        folder = self.folder / f"order-{next(self.numbers)}"
        folder.mkdir()
        await engine.start()
        before_s, begun_s = ran_s(engine.pid), time.perf_counter()
        made = await engine.render(RenderOrder(job, {**self.sources, **(more or {})}, folder), lambda _share: None)
        return Cost(ran_s(engine.pid) - before_s, time.perf_counter() - begun_s, made)


def ran_s(pid: int) -> float:
    """Return for how long the threads of a process have run."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def mix_job(recipe: pb.MixRecipe) -> RenderJob:
    """Return a job that mixes."""
    return RenderJob(kind=RenderKind.RENDER_KIND_MIX, mix=MixSpec(recipe=recipe))


def master_job(recipe: pb.MasterRecipe) -> RenderJob:
    """Return a job that masters."""
    return RenderJob(kind=RenderKind.RENDER_KIND_MASTER, master=MasterSpec(recipe=recipe))


@contextlib.asynccontextmanager
async def engines(folder: Path, form: str) -> AsyncIterator[Engines]:
    """Run both engines over fresh recordings."""
    sources = write_recordings(folder / "sources", SONG_S, form)
    nodes, work = folder / "nodes", folder / "work"
    nodes.mkdir()
    work.mkdir()
    limits = {"memory_limit_bytes": 2 * 2**30, "time_limit_s": 600.0, "read": (folder / "sources",), "write": (work,)}
    plain = EngineProcess(**limits)
    caching = EngineProcess(**limits, node_cache=nodes, node_cache_bytes=8 * 2**30)
    try:
        yield Engines(work, sources, nodes, plain, caching)
    finally:
        await plain.close()
        await caching.close()


async def revised(desk: Engines, reverb_for: int, costs: dict[str, list[Cost]]) -> None:
    """Mix in full, cold, and revised: each once, what is compared right after one another."""
    song = functools.partial(song_recipe, seconds=SONG_S, reverb_for=reverb_for)
    for path in desk.nodes.iterdir():
        path.unlink()
    whole, track, chain, fader = song(), song(), song(), song()
    track.tracks[CHANGED].gain_db = -9.0
    chain.mix_chain[0].compressor.threshold_db = -14.0
    fader.buses[1].gain_db = -2.0
    runs = (("cold cache", whole), ("1 of 32 tracks", track), ("a bus fader", fader), ("mix chain", chain))
    for name, recipe in runs:
        costs.setdefault(f"full for {name}", []).append(await desk.cost(desk.plain, mix_job(recipe)))
        costs.setdefault(name, []).append(await desk.cost(desk.caching, mix_job(recipe)))
        full, part = (costs[key][-1].made.result.audio[0].sha256 for key in (f"full for {name}", name))
        assert full == part, f"{name}: another mix with a cache"


async def remastered(desk: Engines, costs: dict[str, list[Cost]]) -> None:
    """Master the mix in full, then for another target and with another chain."""
    mixed = await desk.cost(desk.plain, mix_job(song_recipe(seconds=SONG_S, reverb_for=4)))
    source = Path(mixed.made.audio[0] or "")
    placed = desk.sources[asset(0)].parent / f"mix-{next(desk.numbers)}.wav"
    shutil.copy(source, placed)
    more = {MIX_ASSET: placed}
    whole, target, chain = (master(MIX_ASSET) for _ in range(3))
    target.target.CopyFrom(pb.MasterTarget(name="amazon-music"))
    chain.chain[0].eq.bands[0].gain_db = -2.0
    full = await desk.cost(desk.plain, master_job(whole), more)
    await desk.cost(desk.caching, master_job(whole), more)
    for name, recipe in (("master: another target", target), ("master: another chain", chain)):
        costs.setdefault(f"full for {name}", []).append(
            Cost(mixed.cpu_s + full.cpu_s, mixed.wall_s + full.wall_s, full.made)
        )
        costs.setdefault(name, []).append(await desk.cost(desk.caching, master_job(recipe), more))


@pytest.mark.parametrize("form", ["wav", "flac"])
async def test_what_a_revision_costs(tmp_path: Path, form: str):
    """In the worker's warm engine: a mix without a cache beside the same mix with one, medians of pairs.

    The reverb is fed by every track, or by every fourth, which the changed one is not. What is compared with a master
    is the mix and its first master together: the mix is not made again.
    """
    async with engines(tmp_path, form) as desk:
        for name, reverb_for in (("reverb fed by every track", 1), ("reverb fed by other tracks", 4)):
            costs: dict[str, list[Cost]] = {}
            for round_ in range(ROUNDS + 1):
                await revised(desk, reverb_for, costs)
                if reverb_for > 1:
                    await remastered(desk, costs)
                if not round_:
                    costs.clear()
            say_ratios(f"{form}, {SONG_S} s, {name}", costs)


def say_ratios(label: str, costs: Mapping[str, list[Cost]]) -> None:
    """Print each cost beside the full one."""
    say(f"\n{label}")
    for name in (name for name in costs if not name.startswith("full")):
        pairs = list(zip(costs[name], costs[f"full for {name}"], strict=True))
        cpu = statistics.median(part.cpu_s / full.cpu_s for part, full in pairs)
        wall = statistics.median(part.wall_s / full.wall_s for part, full in pairs)
        part_s, full_s = (statistics.median(pair[k].cpu_s for pair in pairs) for k in (0, 1))
        say(f"  {name:24s} {part_s:5.2f} of {full_s:5.2f} s CPU: {cpu:4.2f} of a full render, by the clock {wall:4.2f}")


def test_the_seconds_that_estimates_are_made_of(sources: Mapping[str, Path], tmp_path: Path):
    """CPU seconds a minute of each kind of render."""
    whole = song_recipe(seconds=SECONDS, reverb_for=1)
    one, thirty_two = pb.MixRecipe(), whole
    one.CopyFrom(whole)
    del one.tracks[1:]
    mono, stereo = sources[asset(TRACKS - 1)], sources[asset(0)]

    def resolve(source: pb.RecipeSource) -> Path:
        return sources.get(source.asset_sha256, tmp_path / "mix.wav")

    mastering = pb.MasterRecipe(source=pb.RecipeSource(asset_sha256="f" * 64), target=pb.MasterTarget(name="streaming"))
    cut = 20 * RATE_HZ
    passages = [Passage(mono, 0, cut), Passage(stereo, cut, 2 * cut, 480)]
    works: dict[str, Callable[[], object]] = {
        "mix of 1": lambda: render_mix(one, resolve, (), tmp_path),
        "mix of 32": lambda: render_mix(thirty_two, resolve, (), tmp_path),
        "5 stems of 32": lambda: render_stems(thirty_two, resolve, (), tmp_path, digest=DIGEST),
        "master": lambda: render_master(mastering, resolve, tmp_path, best_effort=True),
        "analysis, stereo": lambda: analyze_file(stereo),
        "repair, mono": lambda: render_repair(mono, tmp_path, digest=DIGEST),
        "comp of 40 s": lambda: render_comp(passages, tmp_path, digest=DIGEST),
    }
    say("")
    for name, work in works.items():
        work()
        say(f"  {name:18s} {statistics.median(cpu_s(work) for _ in range(ROUNDS)):5.2f} s for {SECONDS} s of audio")
