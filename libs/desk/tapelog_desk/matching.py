"""Reference matching for a master recipe: what is found is written into it, where it can be read and changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.errors import SourceError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.limits import BLOCK_FRAMES
from tapelog_desk.mixdown import open_source

_PHASES: Final = {"minimum": pb.CURVE_PHASE_MINIMUM, "linear": pb.CURVE_PHASE_LINEAR}


def _blocks(path: Path) -> Iterator[Samples]:
    with open_source(path, path.name) as reader:
        while (block := reader.read(BLOCK_FRAMES)).shape[1]:
            yield block


def _rate_hz(path: Path) -> int:
    with open_source(path, path.name) as reader:
        return int(reader.format.sample_rate_hz)


def _reference(path: Path) -> dsp.Reference:
    profiling: dsp.Profiler | None = None
    rate_hz = _rate_hz(path)
    for block in _blocks(path):
        profiling = profiling or dsp.Profiler(rate_hz, block.shape[0])
        profiling.add(block)
    try:
        if profiling is not None:
            return dsp.Reference(profiling.result())
    except dsp.AudioError as error:
        raise SourceError("SOURCE_NOT_JUDGED", f"{path.name}: {error}", "choose another reference") from error
    raise SourceError("SOURCE_EMPTY", f"{path.name} has no samples", "choose another reference", file=path.name)


def _insert(spec: dsp.ProcessorSpec) -> pb.Processor:
    """Return a found processor as a recipe's insert."""
    if isinstance(spec, dsp.CurveEq):
        points = [pb.CurvePoint(frequency_hz=hz, gain_db=level) for hz, level in spec.points]
        return pb.Processor(curve_eq=pb.CurveEq(curve=points, phase=_PHASES[spec.phase], length_ms=spec.length_ms))
    if isinstance(spec, dsp.Compressor):
        return pb.Processor(
            compressor=pb.Compressor(
                threshold_db=spec.threshold_db,
                ratio=spec.ratio,
                attack_ms=spec.attack_ms,
                release_ms=spec.release_ms,
                knee_db=spec.knee_db,
                lookahead_ms=spec.lookahead_ms,
            )
        )
    if isinstance(spec, dsp.Width):
        return pb.Processor(width=pb.Width(width=spec.width))
    raise TypeError(f"matching wrote a {type(spec).__name__}, which no recipe has")


def match_recipe(
    recipe: pb.MasterRecipe, mix: Path, references: Sequence[Path], aspects: Sequence[str] = dsp.ASPECTS
) -> tuple[str, ...]:
    """Write what makes a mix like its references at the start of a recipe's chain, and their loudness as its target.

    Parameters
    ----------
    recipe : MasterRecipe
        Changed in place; a loudness that it has written out stays.
    mix : Path
        The mix to master.
    references : sequence of Path
        Masters to be like, mono or stereo, of any rate.
    aspects : sequence of str
        Some of tone, dynamics, width, loudness.

    Returns
    -------
    tuple of str
        One sentence per aspect: what was found, and what is done about it.

    Raises
    ------
    SourceError
        A file cannot be read, or is silent.
    """
    known = [_reference(path) for path in references]
    settings = dsp.MatchSettings(tuple(aspect for aspect in dsp.ASPECTS if aspect in aspects))
    try:
        found = dsp.match(lambda: _blocks(mix), _rate_hz(mix), known, settings)
    except dsp.AudioError as error:
        raise SourceError("SOURCE_NOT_JUDGED", f"{mix.name}: {error}", "choose another mix") from error
    inserts = [*map(_insert, found.processors), *recipe.chain]
    recipe.ClearField("chain")
    recipe.chain.extend(inserts)
    for moving in recipe.automation:  # the inserts that it means have moved to the back
        moving.position += len(found.processors)
    written = recipe.target.name or recipe.target.HasField("integrated_lufs")
    if found.target_lufs is not None and not written:
        recipe.target.integrated_lufs = found.target_lufs
    return found.reasons
