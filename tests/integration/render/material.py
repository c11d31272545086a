"""Audio, recipes and jobs to try the render service with."""

import asyncio
import math
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from tapelog.common.v1.recipe_pb2 import (
    Compressor,
    EqBand,
    Equalizer,
    MasterRecipe,
    MasterTarget,
    MixRecipe,
    OutputFormat,
    Processor,
    RecipeBus,
    RecipeSend,
    RecipeSource,
    RecipeTrack,
    Reverb,
)
from tapelog.render.v1.resources_pb2 import (
    AnalysisSpec,
    MasterSpec,
    MixSpec,
    PriorityClass,
    RenderJob,
    RenderKind,
    RenderReference,
)
from tapelog_chassis.objects import ObjectStore

PROJECT: Final = "prj-pier"
SONG: Final = "sng-pier"
RATE_HZ: Final = 48_000


def tone(seconds: float, frequency_hz: float, *, channels: int = 1, seed: int = 1) -> np.ndarray:
    """Return a decaying tone with a little seeded noise, `[frames, channels]`."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    signal = 0.25 * np.sin(2 * math.pi * frequency_hz * time_s) * (0.6 + 0.4 * np.sin(2 * math.pi * 1.5 * time_s))
    noise = 0.01 * generator.standard_normal((len(time_s), channels))
    return (signal[:, None] + noise).astype(np.float32)


async def put_audio(objects: ObjectStore, folder: Path, samples: np.ndarray) -> str:
    """Store samples as a 24-bit WAV and return the object's digest."""
    path = folder / f"{uuid.uuid4().hex}.wav"
    await asyncio.to_thread(soundfile.write, path, samples, RATE_HZ, subtype="PCM_24")
    return (await objects.put_file(path)).sha256


def mix_recipe(assets: Sequence[str], *, gain_db: float = -6.0) -> MixRecipe:
    """Return a mix with an equaliser and a compressor on every track, and a reverb on a send."""
    tracks = [
        RecipeTrack(
            id=f"track-{n}",
            source=RecipeSource(asset_sha256=asset),
            gain_db=gain_db,
            pan=(-0.5, 0.0, 0.5)[n % 3],
            chain=[
                Processor(eq=Equalizer(bands=[EqBand(frequency_hz=800.0, gain_db=2.0, q=1.0)])),
                Processor(compressor=Compressor(threshold_db=-20.0)),
            ],
            sends=[RecipeSend(bus="room", gain_db=-12.0)],
            tags=["vocal"] if n == 0 else ["band"],
        )
        for n, asset in enumerate(assets)
    ]
    return MixRecipe(
        sample_rate_hz=RATE_HZ,
        tracks=tracks,
        buses=[RecipeBus(id="room", chain=[Processor(reverb=Reverb(decay_s=1.2))])],
        tail_s=0.5,
    )


def reference(key: str = "mixVersions/1", *, song: str = SONG) -> RenderReference:
    """Return what a job is for."""
    return RenderReference(project=PROJECT, song=song, key=key, cycle=1)


def mix_job(recipe: MixRecipe, *, key: str = "mixVersions/1", frames: int = 0, song: str = SONG) -> RenderJob:
    """Return a mix to ask for."""
    return RenderJob(
        kind=RenderKind.RENDER_KIND_MIX,
        mix=MixSpec(recipe=recipe, outputs=[OutputFormat(bit_depth=24)]),
        reference=reference(key, song=song),
        expected_length_frames=frames,
        external_ref="BOOK-4711",
    )


def master_job(asset: str, *, song: str = SONG) -> RenderJob:
    """Return a master to ask for."""
    recipe = MasterRecipe(source=RecipeSource(asset_sha256=asset), target=MasterTarget(name="streaming"))
    return RenderJob(
        kind=RenderKind.RENDER_KIND_MASTER,
        master=MasterSpec(recipe=recipe),
        reference=reference("masterVersions/1", song=song),
    )


def analysis_job(asset: str) -> RenderJob:
    """Return an arrival check to ask for."""
    return RenderJob(
        kind=RenderKind.RENDER_KIND_ANALYSIS,
        analysis=AnalysisSpec(asset_sha256=asset),
        priority_class=PriorityClass.PRIORITY_CLASS_INTERACTIVE,
        reference=reference("takes/tk-1"),
    )
