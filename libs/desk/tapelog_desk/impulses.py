"""Impulse responses of a recipe's convolution reverbs, read whole: they are short."""

from collections.abc import Callable
from typing import Final

import numpy as np
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.errors import SourceError
from tapelog_desk.files.readers import open_audio
from tapelog_desk.sources import Resolve

ImpulseOf = Callable[[pb.RecipeSource], dsp.Impulse]
"""Returns the impulse response that a source names."""

IMPULSE_S_MAX: Final = 60
"""Seconds of a file that is read at all; what a session can use is less (`tapelog_dsp` says how much)."""


def no_impulses(source: pb.RecipeSource) -> dsp.Impulse:
    """Refuse: here nothing resolves files."""
    name = source.file or f"{source.asset_sha256[:12]}..."
    raise SourceError("SOURCE_NOT_FOUND", f"the impulse response {name} cannot be read here", "render the recipe whole")


def impulses(resolve: Resolve) -> ImpulseOf:
    """Return a reader of impulse responses; one that several inserts use is read once."""
    known: dict[bytes, dsp.Impulse] = {}

    def impulse_of(source: pb.RecipeSource) -> dsp.Impulse:
        key = source.SerializeToString(deterministic=True)
        if key not in known:
            known[key] = _read(source, resolve)
        return known[key]

    return impulse_of


def _read(source: pb.RecipeSource, resolve: Resolve) -> dsp.Impulse:
    name = "the impulse response " + (source.file or f"{source.asset_sha256[:12]}...")
    with open_audio(resolve(source), name=name) as reader:
        audio = reader.format
        most = IMPULSE_S_MAX * audio.sample_rate_hz
        samples = reader.read(most + 1)
        if samples.shape[1] > most:
            problem = f"{name} is longer than {IMPULSE_S_MAX} s"
            raise SourceError("IMPULSE_REFUSED", problem, "cut it where it cannot be heard any more", file=name)
        try:
            return dsp.Impulse(np.ascontiguousarray(samples, dtype=np.float64), audio.sample_rate_hz)
        except dsp.DspError as error:
            problem = f"{name} cannot be used: {error}"
            remedy = "give a mono, stereo or four-channel (true stereo) response"
            raise SourceError("IMPULSE_REFUSED", problem, remedy, file=name) from error
