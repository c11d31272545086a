"""Our side of the workloads, a whole process each.

``ours.py w1 STEMS TRACKS SECONDS OUT``, ``w2 IN OUT [IN OUT ...]``, ``w3 IN``, ``product STEMS TRACKS SECONDS FOLDER``.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # a program, not a test: its neighbour is no package

import tapelog_dsp as dsp
from tapelog_desk.files.readers import open_audio
from tapelog_desk.limits import BLOCK_FRAMES

THREADS = os.cpu_count() or 1


def master(blocks: Iterable[dsp.Audio], out: Path) -> None:
    """Run the mastering chain into a spill file and measure it, then limit, dither and write: the product's own parts.

    The peers do not search the loudness that the limiter leaves, so neither does this.
    """
    import session  # here and below: metering needs none of it
    from tapelog.common.v1 import recipe_pb2
    from tapelog_desk.files.pcm import pack_integers
    from tapelog_desk.files.writers import open_writer
    from tapelog_desk.spill import Spill

    chain, loudness = dsp.MasterChain(session.master()), dsp.LoudnessMeter(session.RATE, 2)
    with Spill(out.parent, 2) as spill:
        for block in chain.blocks(blocks):
            loudness.add(block)
            spill.write(block)
        drive_db = session.TARGET_LUFS - loudness.result().integrated_lufs
        writer = open_writer(out, recipe_pb2.CONTAINER_WAV, sample_rate_hz=session.RATE, channels=2, bit_depth=24)
        dither = dsp.Dither(bits=24, digest=b"\1" * 32, channels=2)
        limiter = dsp.TruePeakLimiter(session.CEILING_DBTP)
        limited = dsp.limit_blocks(spill.blocks(), sample_rate=session.RATE, drive_db=drive_db, limiter=limiter)
        for block in dsp.ahead(limited, threads=THREADS):
            integers, _ = dither.process(block)
            writer.write(pack_integers(integers, 3), integers)
        writer.close()


def w1(stems: Path, tracks: int, seconds: int, out: Path) -> None:
    """Mix and master a session of stems."""
    import session

    with ExitStack() as files:
        readers = {f"t{i}": files.enter_context(open_audio(stems / f"t{i % 32:03d}.wav")) for i in range(tracks)}
        graph = dsp.MixGraph(session.mix(tracks, seconds))
        mixed = dsp.render(graph, readers, threads=THREADS)
        master((block.mix for block in mixed), out)


def w2(source: Path, out: Path) -> None:
    """Master a stereo mix."""
    with open_audio(source) as reader:
        master(_blocks(reader), out)


def _blocks(reader: object) -> Iterator[dsp.Audio]:
    while (block := reader.read(BLOCK_FRAMES)).shape[1]:  # type: ignore[attr-defined]
        yield block


def w3(source: Path) -> None:
    """Measure a file: I, range, M and S series, true peak."""
    from tapelog_desk.metering import measure_file

    numbers = measure_file(source).measurements
    sys.stdout.write(f"{numbers.integrated_lufs:.3f} LUFS {numbers.loudness_range_lu:.2f} LU "
                     f"{numbers.true_peak_dbtp:.2f} dBTP\n")  # fmt: skip


def product(stems: Path, tracks: int, seconds: int, folder: Path) -> None:
    """Do W1 as `tapelog mix` and `tapelog master` do.

    Beyond what the peers do that pins every source by its digest, measures and digests what is written, draws its
    waveform, and searches the drive with which the limited master really has its loudness.
    """
    import recipes  # the other workloads need no recipes
    from tapelog_desk import beside, render_master, render_mix

    folder.mkdir()
    mixed = render_mix(recipes.mix(tracks, seconds), beside(stems), (), folder, threads=THREADS)
    source = mixed.audio[0].path
    render_master(recipes.master(source), beside(folder), folder, best_effort=True)


def start(stems: Path, tracks: int, seconds: int, out: Path) -> None:
    """Print when everything was loaded, when the first block of a mix was there, and when its master was written."""
    import session

    moments = [(time.monotonic(), time.process_time())]

    def noted(blocks: Iterable[dsp.MixBlock]) -> Iterator[dsp.Audio]:
        for block in blocks:
            moments.append((time.monotonic(), time.process_time()))
            yield block.mix

    with ExitStack() as files:
        readers = {f"t{i}": files.enter_context(open_audio(stems / f"t{i % 32:03d}.wav")) for i in range(tracks)}
        short = {name: _Short(reader, seconds * session.RATE) for name, reader in readers.items()}
        master(noted(dsp.render(dsp.MixGraph(session.mix(tracks, seconds)), short, threads=THREADS)), out)
    moments = [*moments[:2], (time.monotonic(), time.process_time())]
    sys.stdout.write(" ".join(str(moment[clock]) for clock in (0, 1) for moment in moments))


class _Short:
    """The beginning of a recording."""

    def __init__(self, reader: dsp.BlockReader, frames: int) -> None:
        self._reader, self._left = reader, frames

    def read(self, frames: int) -> dsp.Audio:
        """Return the next frames, until the beginning is over."""
        block = self._reader.read(min(frames, self._left))
        self._left -= block.shape[1]
        return block


if __name__ == "__main__":
    kind, *words = sys.argv[1:]
    if kind == "w1":
        w1(Path(words[0]), int(words[1]), int(words[2]), Path(words[3]))
    elif kind == "w2":
        for source, out in zip(words[::2], words[1::2], strict=True):
            w2(Path(source), Path(out))
    elif kind == "product":
        product(Path(words[0]), int(words[1]), int(words[2]), Path(words[3]))
    elif kind == "start":
        start(Path(words[0]), int(words[1]), int(words[2]), Path(words[3]))
    else:
        w3(Path(words[0]))
