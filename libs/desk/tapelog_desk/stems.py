"""Stems of a mix: what goes into the mix node, in groups, through the mix's own fader, so that they sum to the mix.

The stems are the very signals that the console adds: buses and tracks after their chains, faders, pans and sends,
sidechains and shared buses included. The chain on the mix node itself is left out, because what compresses the whole
has no meaning for a part; so the stems sum to the mix as it is before that chain, and to the mix itself where it has
none. The sum is measured while it is made.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_dsp.automation import Fader
from tapelog_recipe import Violation, resolved, validate_mix

from tapelog_desk.analysis import Progress, measurements_json, write_json
from tapelog_desk.console import mix_spec
from tapelog_desk.errors import DeskError, RecipeRefusedError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.impulses import impulses
from tapelog_desk.mixdown import MIX_CHANNELS, Tape, resolved_outputs
from tapelog_desk.printing import Printer, printing
from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut
from tapelog_desk.sources import Resolve

SCHEMA: Final = "tapelog.stems/1"
"""Name of the report's JSON form."""

OUTPUT: Final = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32)
SHARED: Final = "shared"
"""The stem of what several stems feed, such as a reverb, and of what no stem names."""

GROUPS_MAX: Final = 64
MEMBERS_MAX: Final = 256

ROUNDING: Final = 2.0**-24
"""A signal is rounded to float32 by at most so much of its height, and so is the mix."""


@dataclass(frozen=True, slots=True)
class StemGroup:
    """What goes into one stem: ids of tracks and buses, tags of tracks."""

    id: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stems:
    """Finished stems.

    Attributes
    ----------
    rendered : Rendered
        One file per stem in order, and the report.
    labels : tuple of str
        The stems' ids.
    residual_dbfs : float
        Highest sample of the difference between the sum of the stems and the mix; minus infinity where there is none.
    """

    rendered: Rendered
    labels: tuple[str, ...]
    residual_dbfs: float


def check_groups(recipe: pb.MixRecipe, groups: Sequence[StemGroup]) -> list[Violation]:
    """Return what is wrong with the groups of a recipe's stems."""
    found = []
    known = {strip.id for strip in _strips(recipe)} | {tag for track in recipe.tracks for tag in track.tags}
    if len(groups) > GROUPS_MAX:
        found.append(Violation("groups", f"there are {len(groups)}, the limit is {GROUPS_MAX}"))
    seen: dict[str, str] = {}
    ids = [group.id for group in groups]
    for number, group in enumerate(groups[:GROUPS_MAX]):
        place = f"groups[{number}]"
        if not group.id or group.id == SHARED or ids.count(group.id) > 1 or len(group.id) > MEMBERS_MAX:
            found.append(Violation(f"{place}.id", f"{group.id[:64]!r} must be a name of its own, and not {SHARED!r}"))
        if not 1 <= len(group.members) <= MEMBERS_MAX:
            found.append(Violation(f"{place}.members", f"there are {len(group.members)}, name 1 to {MEMBERS_MAX}"))
        for member in group.members:
            if member not in known:
                found.append(Violation(f"{place}.members", f"no track, bus or tag is called {member[:64]!r}"))
            elif seen.setdefault(member, group.id) != group.id:
                text = f"{member!r} is in {seen[member]!r} already; a stem holds what no other stem holds"
                found.append(Violation(f"{place}.members", text))
    return found


def stem_of_inputs(recipe: pb.MixRecipe, groups: Sequence[StemGroup]) -> dict[str, str]:
    """Return the stem of every track and bus that goes straight into the mix, in the order in which they are added.

    A track is where its id is named, or else the first of its tags. A bus is where its id is named, or else where all
    tracks go that can be heard in it; if these are several stems, it is shared.
    """
    named = {member: group.id for group in groups for member in group.members}
    into_mix = [strip.id for strip in _strips(recipe) if not strip.output_bus]
    if not groups:
        return {name: name for name in into_mix}
    stems = {}
    for track in recipe.tracks:
        words = (track.id, *track.tags)
        stems[track.id] = next((named[word] for word in words if word in named), SHARED)
    feeds: dict[str, set[str]] = {bus.id: set() for bus in recipe.buses}
    for strip in _strips(recipe):
        for target in (strip.output_bus, *(send.bus for send in strip.sends)):
            if target in feeds:
                feeds[target].add(strip.id)
    for bus in recipe.buses:
        heard = _tracks_into(bus.id, feeds, set())
        of_tracks = {stems[name] for name in heard}
        stems[bus.id] = named.get(bus.id) or (of_tracks.pop() if len(of_tracks) == 1 else SHARED)
    return {name: stems[name] for name in into_mix}


def _strips(recipe: pb.MixRecipe) -> list[pb.RecipeTrack | pb.RecipeBus]:
    return [*recipe.tracks, *recipe.buses]


def _tracks_into(name: str, feeds: Mapping[str, set[str]], passed: set[str]) -> set[str]:
    """Return every track that can be heard in a bus."""
    passed.add(name)
    found: set[str] = set()
    for source in feeds[name]:
        if source not in feeds:
            found.add(source)
        elif source not in passed:
            found |= _tracks_into(source, feeds, passed)
    return found


def render_stems(
    recipe: pb.MixRecipe,
    resolve: Resolve,
    groups: Sequence[StemGroup],
    out_dir: Path,
    *,
    digest: str,
    output: pb.OutputFormat | None = None,
    progress: Progress | None = None,
) -> Stems:
    """Render a mix into stems, all as long as the mix, beside a report, ``stems.json``.

    Parameters
    ----------
    recipe : MixRecipe
        As written.
    resolve : callable
        Finds the file of a source.
    groups : sequence of StemGroup
        The stems; none is one for every bus and track that goes straight into the mix.
    out_dir : Path
        An existing folder.
    digest : str
        64 hex digits that name the stems; the key of their dither.
    output : OutputFormat, optional
        Of every stem; by default 32-bit float WAV.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    RecipeRefusedError, SourceError, OutputError
        What is wrong, and what to do.
    DeskError
        ``STEMS_DO_NOT_SUM``: the sum is further from the mix than `ROUNDING` allows; a defect, never a setting.
    """
    violations = [*validate_mix(recipe, services=False), *check_groups(recipe, groups)]
    if violations:
        raise RecipeRefusedError(violations)
    begun = time.perf_counter()
    whole = resolved(recipe)
    stem_of = stem_of_inputs(whole, groups)
    labels = [group.id for group in groups] or list(dict.fromkeys(stem_of.values()))
    labels = [label for label in [*labels, SHARED] if label in stem_of.values()]
    (form,) = resolved_outputs([output if output is not None and output.container else OUTPUT])
    with ExitStack() as stack:
        printers = []
        for number in range(1, len(labels) + 1):
            suffix = "flac" if form.container == pb.CONTAINER_FLAC else "wav"
            path = out_dir / f"stem-{number:02d}.{suffix}"
            key = bytes.fromhex(digest)[:-2] + number.to_bytes(2, "big")
            printer = Printer(
                [form], [path], sample_rate_hz=whole.sample_rate_hz, channels=MIX_CHANNELS, dither_key=key
            )
            printers.append(stack.enter_context(printing(printer)))
        summed = _Sum()
        for stems, mix in _blocks(whole, resolve, stem_of, labels, progress):
            for printer, stem in zip(printers, stems, strict=True):
                printer.write(stem)
            summed.add(stems, mix)
        made = [printer.finish() for printer in printers]
    if summed.residual > summed.bound:
        problem = f"the stems differ from the mix by {summed.residual:.3g}, more than rounding ({summed.bound:.3g})"
        raise DeskError("STEMS_DO_NOT_SUM", problem, "report this recipe: the console's sum is not what it should be")
    audio = tuple(own[0][0] for own in made)
    report = out_dir / "stems.json"
    write_json(report, stems_json(labels, stem_of, audio, summed, has_mix_chain=bool(whole.mix_chain)))
    files = (RenderedFileOut("stems", report, "application/json"),)
    timings = {"stems_s": time.perf_counter() - begun}
    rendered = Rendered(audio, files, digest, made[0][1], timings_s=timings)
    return Stems(rendered, tuple(labels), decibels(summed.residual))


def _blocks(
    whole: pb.MixRecipe,
    resolve: Resolve,
    stem_of: Mapping[str, str],
    labels: Sequence[str],
    progress: Progress | None,
) -> Iterator[tuple[list[Samples], Samples]]:
    """Yield the stems' blocks in order, and the mix before its chain."""
    with ExitStack() as files:
        tape = Tape(whole, resolve, files)
        spec = replace(mix_spec(whole, tape.channels, impulses(resolve)), processors=(), automation=())
        try:
            graph = dsp.MixGraph(spec, taps=tuple(stem_of))
        except dsp.DspError as error:
            raise RecipeRefusedError([Violation("", str(error))]) from error
        fader = Fader(spec.gain_db, [spec.gain_automation], spec.sample_rate)
        length = max(tape.length_frames + round(whole.tail_s * whole.sample_rate_hz), 1)
        with closing(dsp.render(graph, tape.readers)) as blocks:
            for block in blocks:
                gains = fader.gains(block.start_frame, block.mix.shape[1])
                stems = []
                for label in labels:
                    inputs = [block.taps[name] for name, stem in stem_of.items() if stem == label]
                    stems.append(dsp.round_to_float32(np.sum(inputs, axis=0) * gains))
                yield stems, block.mix
                if progress is not None:
                    progress(min((block.start_frame + block.mix.shape[1]) / length, 1.0))


class _Sum:
    """Measures how far the stems' sum is from the mix, and how far rounding may put it."""

    def __init__(self) -> None:
        self.residual = 0.0
        self.bound = 0.0

    def add(self, stems: Sequence[Samples], mix: Samples) -> None:
        self.residual = max(self.residual, float(np.abs(np.sum(stems, axis=0) - mix).max(initial=0.0)))
        heights = sum(float(np.abs(signal).max(initial=0.0)) for signal in (*stems, mix))
        self.bound = max(self.bound, ROUNDING * heights)


def decibels(value: float) -> float:
    """Return a sample's height in dBFS; minus infinity for 0."""
    return 20.0 * math.log10(value) if value else -math.inf


def stems_json(
    labels: Sequence[str],
    stem_of: Mapping[str, str],
    audio: Sequence[RenderedAudio],
    summed: _Sum,
    *,
    has_mix_chain: bool,
) -> dict[str, Any]:
    """Return stems as JSON values, in the form `SCHEMA`."""
    return {
        "schema": SCHEMA,
        "engine_version": dsp.ENGINE_VERSION,
        "sums_to": "the mix before its chain" if has_mix_chain else "the mix",
        "residual_dbfs": round(decibels(summed.residual), 2) if summed.residual else None,
        "residual_max_dbfs": round(decibels(summed.bound), 2) if summed.bound else None,
        "stems": [
            {
                "id": label,
                "inputs": [name for name, stem in stem_of.items() if stem == label],
                "sha256": own.result.sha256,
                "sample_digest": own.result.sample_digest,
                "measurements": measurements_json(own.result.measurements),
            }
            for label, own in zip(labels, audio, strict=True)
        ],
    }
