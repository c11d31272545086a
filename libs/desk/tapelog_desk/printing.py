"""Printing a finished signal: each depth is dithered, measured and digested once, whatever files it goes into."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog_dsp import Dither, ParameterError
from tapelog_dsp.kernels.pcm import FLOATS
from tapelog_recipe import Violation

from tapelog_desk.analysis import Analysis, Analyzer
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.files.atomic import commit, file_sha256, partial_path
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.pcm import SampleDigest, pack_floats, pack_integers
from tapelog_desk.files.writers import EXTENSIONS, MEDIA_TYPES, AudioWriter, open_writer
from tapelog_desk.rendered import RenderedAudio

FLOAT_BITS: Final = 32
"""The depth that is float and not dithered."""

SHAPINGS: Final = {
    recipe_pb2.NOISE_SHAPING_UNSPECIFIED: "none",
    recipe_pb2.NOISE_SHAPING_NONE: "none",
    recipe_pb2.NOISE_SHAPING_LIPSHITZ_5: "lipshitz-5",
    recipe_pb2.NOISE_SHAPING_F_WEIGHTED_9: "f-weighted-9",
}
"""A recipe's word -> the core's."""


def _print_of(output: recipe_pb2.OutputFormat) -> tuple[int, str]:
    """Return what files share that hold the same samples: word length and noise shaping."""
    return output.bit_depth, "none" if output.bit_depth == FLOAT_BITS else SHAPINGS[output.noise_shaping]


class _Depth:
    """All files of one word length and noise shaping: they hold the same samples."""

    def __init__(self, bits: int, shaping: str, *, sample_rate_hz: int, channels: int, dither_key: bytes) -> None:
        self.format = audio_pb2.AudioFormat(
            sample_rate_hz=sample_rate_hz, channels=channels, bit_depth=bits, is_float=bits == FLOAT_BITS
        )
        self.digest = SampleDigest(bits, is_float=bits == FLOAT_BITS)
        self.writers: list[AudioWriter] = []
        self._analyzer = Analyzer(self.format)
        self._dither: Dither | None = None
        if bits != FLOAT_BITS:
            self._dither = Dither(
                bits=bits, digest=dither_key, channels=channels, shaping=shaping, sample_rate=sample_rate_hz
            )

    def add(self, samples: Samples) -> None:
        if self._dither is None:
            integers, sample_bytes = None, FLOATS
            packed = pack_floats(samples, FLOAT_BITS)
        else:
            integers, _ = self._dither.process(samples)
            sample_bytes = self.format.bit_depth // 8
            packed = pack_integers(integers, sample_bytes)
        self.digest.add_bytes(packed)
        self._analyzer.add_packed(np.frombuffer(packed, dtype=np.uint8), sample_bytes)
        for writer in self.writers:
            writer.write(packed, integers)

    @property
    def clipped_samples(self) -> int:
        """Samples that the integer format could not hold."""
        return 0 if self._dither is None else self._dither.clipped_samples

    def result(self) -> Analysis:
        return self._analyzer.result()


class Printer:
    """Writes one signal into several files; use `printing`.

    Parameters
    ----------
    outputs : sequence of OutputFormat
        Resolved, at least one.
    paths : sequence of Path
        Where each goes.
    sample_rate_hz, channels : int
        Of the signal.
    dither_key : bytes
        32 bytes: the same key gives the same dither.
    """

    def __init__(
        self,
        outputs: Sequence[recipe_pb2.OutputFormat],
        paths: Sequence[Path],
        *,
        sample_rate_hz: int,
        channels: int,
        dither_key: bytes,
    ) -> None:
        self._outputs = outputs
        self._paths = paths
        self._partials = [partial_path(path) for path in paths]
        self._depths: dict[tuple[int, str], _Depth] = {}
        self._rate = sample_rate_hz
        self._channels = channels
        self._dither_key = dither_key
        self._writers: list[AudioWriter] = []

    def open(self) -> None:
        """Open every file under an unfinished name.

        Raises
        ------
        RecipeRefusedError
            Noise shaping at a rate that it is not made for.
        """
        for index, (output, partial) in enumerate(zip(self._outputs, self._partials, strict=True)):
            key = _print_of(output)
            if key not in self._depths:
                self._depths[key] = self._depth(*key, path=f"outputs[{index}].noise_shaping")
            writer = open_writer(
                partial, output.container, sample_rate_hz=self._rate, channels=self._channels, bit_depth=key[0]
            )
            self._writers.append(writer)
            self._depths[key].writers.append(writer)

    def _depth(self, bits: int, shaping: str, *, path: str) -> _Depth:
        try:
            return _Depth(
                bits, shaping, sample_rate_hz=self._rate, channels=self._channels, dither_key=self._dither_key
            )
        except ParameterError as error:
            raise RecipeRefusedError([Violation(path, str(error))]) from error

    def expect(self, length_frames: int) -> None:
        """Hear before the first block how long it will be: it saves reading the files again for their digests."""
        for writer in self._writers:
            writer.expect(length_frames)

    def write(self, samples: Samples) -> None:
        """Print the next block ``[channels, frames]``."""
        for depth in self._depths.values():
            depth.add(samples)

    def close(self) -> None:
        """Close every file, finished or not."""
        for writer in self._writers:
            writer.close()

    def discard(self) -> None:
        """Remove whatever has not got its name."""
        for partial in self._partials:
            partial.unlink(missing_ok=True)

    def finish(self) -> tuple[tuple[RenderedAudio, ...], Analysis]:
        """Give every file its name.

        Returns
        -------
        tuple of RenderedAudio, Analysis
            The files in order, and the analysis of the first one's samples.
        """
        self.close()
        analyses = {key: depth.result() for key, depth in self._depths.items()}
        made = []
        files = zip(self._outputs, self._writers, self._partials, self._paths, strict=True)
        for output, writer, partial, path in files:
            depth, analysis = self._depths[_print_of(output)], analyses[_print_of(output)]
            result = audio_pb2.AudioResult(
                sha256=writer.sha256 or file_sha256(partial),
                sample_digest=depth.digest.hexdigest(),
                size_bytes=partial.stat().st_size,
                media_type=MEDIA_TYPES[output.container],
                format=depth.format,
                measurements=analysis.measurements,
            )
            result.format.container = EXTENSIONS[output.container]
            result.format.length_frames = analysis.measurements.length_frames
            commit(partial, path)
            made.append(RenderedAudio(path, result))
        first = analyses[_print_of(self._outputs[0])]
        first.audio.CopyFrom(made[0].result)
        return tuple(made), first

    def remarks(self) -> Iterator[str]:
        """Yield what a person should know of the files."""
        for (bits, _), depth in self._depths.items():
            if depth.clipped_samples:
                advice = "lower the mix or print 32-bit float"
                yield f"{depth.clipped_samples} samples exceed full scale and are clipped at {bits} bits: {advice}"


def output_paths(outputs: Iterable[recipe_pb2.OutputFormat], out_dir: Path, name: str) -> list[Path]:
    """Return a path per output: ``mix.wav``, or ``mix-16bit.wav`` where a container is asked for twice."""
    listed = list(outputs)
    count = Counter(output.container for output in listed)
    return [
        out_dir
        / f"{name}{f'-{output.bit_depth}bit' if count[output.container] > 1 else ''}.{EXTENSIONS[output.container]}"
        for output in listed
    ]


@contextmanager
def printing(printer: Printer) -> Iterator[Printer]:
    """Open a printer; whatever ends the block, no unfinished file is left."""
    try:
        printer.open()
        yield printer
    finally:
        printer.close()
        printer.discard()
