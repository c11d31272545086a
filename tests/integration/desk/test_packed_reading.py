"""Tracks read as whole numbers, straight into the lanes, sound as they do read as floats."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tapelog_dsp as dsp
from tapelog_desk.files.decoders import Samples
from tapelog_desk.files.readers import AudioReader, open_audio

RATE = 48_000
FRAMES = 20_011


class Floats:
    """A file read by its floats alone."""

    def __init__(self, reader: AudioReader) -> None:
        self._reader = reader

    def read(self, frames: int) -> Samples:
        """Return the next frames."""
        return self._reader.read(frames)


def mixed(files: dict[str, Path], block_frames: int, *, packed: bool, threads: int) -> bytes:
    """Return a mix of files: two tracks start late, one is cut off by the song's end."""
    readers = {name: open_audio(path) for name, path in files.items()}
    tracks = tuple(
        dsp.TrackSpec(
            name, reader.format.channels, -1.0 * k, 0.05 * k, start_frame=[0, 0, 777, 4_096][k % 4],
            processors=(dsp.HighPass(60.0 + k), dsp.Compressor(-30.0, 3.0)),
        )
        for k, (name, reader) in enumerate(readers.items())
    )  # fmt: skip
    graph = dsp.MixGraph(dsp.MixSpec(RATE, tracks, length_frames=22_000, tail_s=0.0))
    assert set(graph.packable) == set(files)
    used = readers if packed else {name: Floats(reader) for name, reader in readers.items()}
    blocks = dsp.render(graph, used, block_frames=block_frames, threads=threads)
    result = np.concatenate([block.mix for block in blocks], axis=1).tobytes()
    for reader in readers.values():
        reader.close()
    return result


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("wav", "FLOAT")],
)
def test_whole_numbers_sound_like_floats(tmp_path: Path, kind: str, subtype: str) -> None:
    """Every word length, mono and stereo beside each other, in blocks that end anywhere, on one thread and on two."""
    random = np.random.default_rng(5)
    files = {}
    for k in range(20):  # ten mono and ten stereo: a full set of lanes, and two tracks left over
        path = tmp_path / f"t{k}.{kind}"
        samples = (random.standard_normal((FRAMES - 31 * k, 1 + k % 2)) * 0.2).clip(-1.0, 1.0)
        soundfile.write(path, samples, RATE, subtype=subtype)
        files[f"t{k}"] = path
    want = mixed(files, 16_384, packed=False, threads=1)
    assert mixed(files, 16_384, packed=True, threads=1) == want
    assert mixed(files, 1_013, packed=True, threads=2) == want


def test_loudest_whole_numbers(tmp_path: Path) -> None:
    """The ends of the range come through a neutral mix as they are."""
    samples = np.tile(np.array([-(1 << 31), (1 << 31) - 256, 0, 256, -256], dtype=np.int32), (2, 20)).T
    readers = {}
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="PCM_24")
        readers[name] = open_audio(tmp_path / f"{name}.wav")
    tracks = tuple(dsp.TrackSpec(name, 2) for name in readers)
    graph = dsp.MixGraph(dsp.MixSpec(RATE, tracks, tail_s=0.0))
    mix = np.concatenate([block.mix for block in dsp.render(graph, readers)], axis=1)
    assert (mix == 2.0 * samples.T / float(1 << 31)).all()
    for reader in readers.values():
        reader.close()
