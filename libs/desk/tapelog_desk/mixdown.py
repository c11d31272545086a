"""A mix from its recipe: files in, files out, constant memory in the length of the song."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import Violation, recipe_digest, resolved, validate_mix

from tapelog_desk.analysis import Progress, analysis_json, write_json
from tapelog_desk.console import mix_spec
from tapelog_desk.errors import RecipeRefusedError, SourceError
from tapelog_desk.files.readers import AudioReader, open_audio
from tapelog_desk.files.streams import BlockReader, Muted, Resampled
from tapelog_desk.impulses import impulses
from tapelog_desk.limits import METER_RATE_MAX_HZ, MIX_CHANNELS_MAX
from tapelog_desk.nodes.mixing import NodeUse, prepare
from tapelog_desk.nodes.signals import NodeCorrupt
from tapelog_desk.nodes.store import NodeStore
from tapelog_desk.printing import Printer, output_paths, printing
from tapelog_desk.rendered import Rendered, RenderedAudio, RenderedFileOut
from tapelog_desk.sources import Resolve, by_content, pinned

DEFAULT_OUTPUTS = (pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=32),)
"""A mix for mastering is 32-bit float: nothing is dithered twice."""

MIX_CHANNELS = 2


def resolved_outputs(outputs: Sequence[pb.OutputFormat]) -> list[pb.OutputFormat]:
    """Return outputs with container and depth written out."""
    holder = resolved(pb.MasterRecipe(outputs=outputs))
    return list(holder.outputs)


def open_source(path: Path, name: str) -> AudioReader:
    """Open a source that is to be heard.

    Raises
    ------
    SourceError
        It cannot be read, or has more than two channels or too high a rate.
    """
    reader = open_audio(path, name=name)
    audio = reader.format
    if audio.channels > MIX_CHANNELS_MAX or audio.sample_rate_hz > METER_RATE_MAX_HZ:
        reader.close()
        problem = (
            f"{name} has {audio.channels} channels at {audio.sample_rate_hz} Hz; "
            f"a mix takes mono or stereo up to {METER_RATE_MAX_HZ} Hz"
        )
        raise SourceError("SOURCE_CHANNELS_REFUSED", problem, "split or resample it", file=name)
    return reader


def at_rate(reader: AudioReader, sample_rate_hz: int) -> BlockReader:
    """Return a reader at another rate, or itself."""
    audio = reader.format
    if audio.sample_rate_hz == sample_rate_hz:
        return reader
    return Resampled(reader, channels=audio.channels, input_rate_hz=audio.sample_rate_hz, output_rate_hz=sample_rate_hz)


class Tape:
    """The sources of a mix, open and ready to roll."""

    def __init__(self, recipe: pb.MixRecipe, resolve: Resolve, stack: ExitStack) -> None:
        self.readers: dict[str, BlockReader] = {}
        self.channels: dict[str, int] = {}
        self.containers: dict[str, str] = {}
        self.is_resampled = False
        self.length_frames = 0
        for track in recipe.tracks:
            reader = stack.enter_context(open_source(resolve(track.source), f"track {track.id}"))
            self.channels[track.id] = reader.format.channels
            self.containers[track.id] = reader.format.container
            self.is_resampled = self.is_resampled or reader.format.sample_rate_hz != recipe.sample_rate_hz
            declared = reader.declared_frames * recipe.sample_rate_hz // reader.format.sample_rate_hz
            self.length_frames = max(self.length_frames, track.start_frame + declared)
            stream = at_rate(reader, recipe.sample_rate_hz)
            self.readers[track.id] = Muted(stream) if track.mute else stream


def mix_blocks(
    recipe: pb.MixRecipe,
    resolve: Resolve,
    *,
    threads: int = 1,
    use: NodeUse | None = None,
    progress: Progress | None = None,
    expect: Callable[[int], None] | None = None,
) -> Generator[dsp.MixBlock, None, None]:
    """Mix a resolved, valid recipe block by block.

    Parameters
    ----------
    recipe : MixRecipe
        Resolved.
    resolve : callable
        Finds the file of a source.
    threads : int
        More than one reads and runs the tracks in so many threads; it cannot be heard.
    use : NodeUse, optional
        Where signals inside the mix are kept; it cannot be heard either.
    progress : callable, optional
        Told the share that is done.
    expect : callable, optional
        Told before the first block how many frames will come, as far as the sources' heads say.

    Yields
    ------
    MixBlock
        In order from frame 0.

    Raises
    ------
    SourceError, RecipeRefusedError
        A source cannot be used; a setting is beyond the core.
    NodeCorrupt
        A kept signal was damaged and is gone: mix again.
    """
    with ExitStack() as files:
        tape = Tape(recipe, resolve, files)
        impulse_of = impulses(resolve)
        spec = mix_spec(recipe, tape.channels, impulse_of)
        try:
            prepared = prepare(spec, tape, use, files, impulse_of)
            graph = dsp.MixGraph(
                prepared.spec, sums=prepared.sums, beds=prepared.lies_on, outs=prepared.outs,
                played=tuple(prepared.played),
            )  # fmt: skip
        except dsp.DspError as error:
            raise RecipeRefusedError([Violation("", str(error))]) from error
        length = max(tape.length_frames + round(recipe.tail_s * recipe.sample_rate_hz), 1)
        if expect is not None:
            expect(length)
        # Closed here, so that no thread still reads when the files are closed.
        rendered = dsp.render(
            graph, prepared.readers, beds=prepared.beds, played=prepared.played, keep=prepared.keep, threads=threads
        )
        with closing(rendered) as blocks:
            for block in blocks:
                yield block
                if progress is not None:
                    progress(min((block.start_frame + block.mix.shape[1]) / length, 1.0))


def render_mix(
    recipe: pb.MixRecipe,
    resolve: Resolve,
    outputs: Sequence[pb.OutputFormat],
    out_dir: Path,
    *,
    name: str = "mix",
    paths: Sequence[Path] = (),
    seed: str | None = None,
    analysis_file: bool = True,
    threads: int = 1,
    nodes: NodeStore | None = None,
    progress: Progress | None = None,
) -> Rendered:
    """Render a mix into files.

    Parameters
    ----------
    recipe : MixRecipe
        As written; it is checked, resolved and pinned here.
    resolve : callable
        Finds the file of a source.
    outputs : sequence of OutputFormat
        Files to make; none is one 32-bit float WAV.
    out_dir : Path
        An existing folder.
    name : str
        Name of the files without extension.
    paths : sequence of Path
        Where each output goes, instead of `out_dir` and `name`.
    seed : str, optional
        64 hex digits that key the dither; by default the digest of the pinned recipe.
    analysis_file : bool
        Whether the analysis is written beside the audio, as ``<name>.analysis.json``.
    threads : int
        More than one reads and runs the tracks in so many threads; it cannot be heard.
    nodes : NodeStore, optional
        Where signals inside the mix are kept, so that a revision costs what it changes; the bytes are the same.
    progress : callable, optional
        Told the share that is done; what it raises ends the render and leaves nothing behind.

    Returns
    -------
    Rendered
        The same recipe gives the same bytes, whatever the machine, block size or thread.

    Raises
    ------
    RecipeRefusedError, SourceError, OutputError
        What is wrong, and what to do.
    """
    violations = validate_mix(recipe, services=False)
    if violations:
        raise RecipeRefusedError(violations)
    begun = time.perf_counter()
    known = pinned(recipe, resolve)
    digest = recipe_digest(known)
    found = by_content(recipe, known, resolve)
    whole, formats = resolved(known), resolved_outputs(outputs or DEFAULT_OUTPUTS)
    use = None if nodes is None else NodeUse(nodes, whole, found)
    pinned_at = time.perf_counter()
    places = paths or output_paths(formats, out_dir, name)
    audio: tuple[RenderedAudio, ...] | None = None
    while audio is None:
        printer = Printer(
            formats, places, sample_rate_hz=whole.sample_rate_hz, channels=MIX_CHANNELS,
            dither_key=bytes.fromhex(seed or digest),
        )  # fmt: skip
        # A damaged node is removed by whoever meets it, so this ends.
        with suppress(NodeCorrupt), printing(printer):
            heard = mix_blocks(whole, found, threads=threads, use=use, progress=progress, expect=printer.expect)
            for block in heard:
                printer.write(block.mix)
            audio, analysis = printer.finish()
    files: tuple[RenderedFileOut, ...] = ()
    if analysis_file:
        path = out_dir / f"{name}.analysis.json"
        write_json(path, analysis_json(analysis, kind="mix", recipe_digest=digest))
        files = (RenderedFileOut("analysis", path, "application/json"),)
    ended = time.perf_counter()
    timings = {"pin_s": pinned_at - begun, "mix_s": ended - pinned_at}
    return Rendered(audio, files, digest, analysis, remarks=tuple(printer.remarks()), timings_s=timings)
