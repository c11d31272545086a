"""How long a job takes, and how much memory and time its engine may have: a model of what was measured.

The seconds are CPU seconds of one core (docs/rendering.md says of which, and by what command). The limits are far above
them: they end what has gone wrong, not what is slow.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final

from tapelog.common.v1.recipe_pb2 import MixRecipe, Processor
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderEstimate, RenderJob

from tapelog_render.application.asking import specs

MIB: Final = 2**20

START_S: Final = 0.05
"""Of any job: reading the order, opening files."""
MIX_S_PER_MINUTE: Final = 0.11
"""Of a mix whatever its tracks: summing, printing, measuring."""
TRACK_S_PER_MINUTE: Final = 0.007
"""Decoding, fader, pan."""
INSERT_S_PER_MINUTE: Final = 0.006
MASTER_S_PER_MINUTE: Final = 0.31
ANALYSIS_START_S: Final = 0.25
"""Hum is looked for in the first 20 s."""
ANALYSIS_S_PER_MINUTE: Final = 0.1
REPAIR_S_PER_MINUTE: Final = 4.2
"""Of one channel, all tools."""
PRINT_S_PER_MINUTE: Final = 0.11
"""A further file of other samples: a stem."""
COMP_S_PER_MINUTE: Final = 0.2

TIME_FACTOR: Final = 20.0
"""An attempt may take so many times the model: other processors, loaded machines, cold disks."""
TIME_MIN_S: Final = 60.0
MEMORY_BASE_MIB: Final = 640
"""Address space of any job: blocks, meters, resamplers, the allocator's arenas."""
MEMORY_TRACK_MIB: Final = 6
MEMORY_INSERT_MIB: Final = 1
REPAIR_COPIES: Final = 12
"""A repair holds the whole take in float64, so many times over at most."""
REPAIR_EXTRA_MIB: Final = 256
"""Noise profiles of long takes."""
SOURCE_BYTES_PER_S_MIN: Final = 8_000
"""The thinnest source that people upload, 64 kbit/s: it bounds a length from a size."""
REPAIR_BYTES_RATIO: Final = 8
"""Bytes in float64 that one byte of a source becomes: of 24-bit PCM 3, of FLAC about 6."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What the engine may take for one attempt.

    Attributes
    ----------
    memory_bytes : int
        Address space on top of the idle engine's.
    time_s : float
        Wall clock.
    """

    memory_bytes: int
    time_s: float


def estimate_of(job: RenderJob) -> RenderEstimate:
    """Return what a job is expected to cost and to need."""
    expected_ms = specs.expected_ms(job)
    limits = limits_of(job)
    return RenderEstimate(
        quantity_ms=expected_ms if job.kind in specs.BILLED else 0,
        priority_class=job.priority_class or PriorityClass.PRIORITY_CLASS_STANDARD,
        render_seconds=round(render_seconds(job, expected_ms / 1000.0), 3) if expected_ms else 0.0,
        memory_limit_bytes=limits.memory_bytes,
        time_limit_seconds=limits.time_s,
    )


def limits_of(job: RenderJob, *, source_bytes: int = 0) -> Limits:
    """Return the limits of one attempt.

    Parameters
    ----------
    source_bytes : int
        Of its sources together, where they are known; they bound the length of a job that states none.
    """
    length_s = max(specs.expected_ms(job) / 1000.0, source_bytes / SOURCE_BYTES_PER_S_MIN)
    recipe = specs.recipe_in(job)
    memory_mib = MEMORY_BASE_MIB + (0 if recipe is None else _recipe_mib(recipe))
    inner = job.verify.job if job.HasField("verify") else job
    memory_bytes = memory_mib * MIB
    if inner.HasField("repair"):
        memory_bytes += REPAIR_EXTRA_MIB * MIB + REPAIR_COPIES * REPAIR_BYTES_RATIO * source_bytes
    return Limits(memory_bytes, max(TIME_MIN_S, TIME_FACTOR * render_seconds(job, length_s)))


def render_seconds(job: RenderJob, length_s: float) -> float:
    """Return the CPU seconds that a job of a length takes."""
    minutes = length_s / 60.0
    recipe = specs.recipe_in(job)
    mix = 0.0 if recipe is None else _mix_per_minute(recipe)
    match job.WhichOneof("spec"):
        case "verify":
            return render_seconds(job.verify.job, length_s)
        case "mix":
            per_minute = mix
        case "stems":
            per_minute = mix + PRINT_S_PER_MINUTE * (len(job.stems.groups) or len(job.stems.recipe.buses) + 1)
        case "preview" if recipe is not None and recipe.sample_rate_hz > 0:
            # The mix runs from its first frame to the end of the range.
            minutes = job.preview.range.end_frame / recipe.sample_rate_hz / 60.0
            per_minute = mix
        case "master" | "album":
            per_minute = MASTER_S_PER_MINUTE
        case "repair":
            per_minute = 2.0 * REPAIR_S_PER_MINUTE
        case "comp":
            per_minute = COMP_S_PER_MINUTE + TRACK_S_PER_MINUTE * len(specs.assets_of(job))
        case _:
            return START_S + ANALYSIS_START_S + minutes * ANALYSIS_S_PER_MINUTE
    return START_S + minutes * per_minute


def _mix_per_minute(recipe: MixRecipe) -> float:
    inserts = sum(map(len, _chains(recipe)))
    return MIX_S_PER_MINUTE + TRACK_S_PER_MINUTE * len(recipe.tracks) + INSERT_S_PER_MINUTE * inserts


def _recipe_mib(recipe: MixRecipe) -> int:
    strips = len(recipe.tracks) + len(recipe.buses)
    return MEMORY_TRACK_MIB * strips + MEMORY_INSERT_MIB * sum(map(len, _chains(recipe)))


def _chains(recipe: MixRecipe) -> Iterable[list[Processor]]:
    yield from (list(strip.chain) for strip in recipe.tracks)
    yield from (list(bus.chain) for bus in recipe.buses)
    yield list(recipe.mix_chain)
