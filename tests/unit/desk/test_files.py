"""Files appear whole or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.analysis import write_json
from tapelog_desk.errors import OutputError
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.printing import Printer, output_paths, printing
from tapelog_desk.spill import Spill

WAV24 = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24)
FLAC16 = pb.OutputFormat(container=pb.CONTAINER_FLAC, bit_depth=16)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path):
    """The old file stays, the unfinished one is gone."""
    path = tmp_path / "x.json"
    path.write_text("old")

    def fail_half_way() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path):
    """The message names the file and what to check."""
    with pytest.raises(OutputError, match="No such file") as caught, atomic_file(tmp_path / "no" / "x"):
        pass
    assert caught.value.reason == "OUTPUT_NOT_WRITABLE"


@pytest.mark.parametrize("output", [WAV24, FLAC16], ids=["wav", "flac"])
def test_an_interrupted_print_leaves_nothing(tmp_path: Path, output: pb.OutputFormat):
    """Whatever ends a render, no file with its name and no scrap of one is left."""
    printer = Printer([output], [tmp_path / "x"], sample_rate_hz=48_000, channels=2, dither_key=bytes(32))

    def interrupt() -> None:
        with printing(printer):
            printer.write(np.zeros((2, 10_000)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_a_typed_error(tmp_path: Path):
    """/dev/full refuses every byte, as a full disk does."""
    with Spill(tmp_path, 2) as spill:
        spill._file.close()
        spill._file = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115  # the spill closes it
        with pytest.raises(OutputError, match="No space left"):
            spill.write(np.zeros((2, 10_000)))


def test_outputs_of_one_container_are_told_apart():
    """A name is plain until a second file of the container needs it."""
    wav16 = pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=16)
    assert [path.name for path in output_paths([WAV24, FLAC16], Path(), "mix")] == ["mix.wav", "mix.flac"]
    assert [path.name for path in output_paths([WAV24, wav16], Path(), "mix")] == ["mix-24bit.wav", "mix-16bit.wav"]


def test_a_spill_gives_back_what_it_took(tmp_path: Path):
    """Values on the float32 grid survive, pass after pass, and no file is to be seen."""
    samples = np.random.default_rng(4).uniform(-2, 2, (2, 70_001)).astype(np.float32).astype(np.float64)
    with Spill(tmp_path, 2) as spill:
        for start in range(0, 70_001, 999):
            spill.write(samples[:, start : start + 999])
        for _ in range(2):
            assert np.array_equal(np.concatenate(list(spill.blocks()), axis=1), samples)
        assert list(tmp_path.iterdir()) == []
        assert spill.frames == 70_001


def test_json_written_in_pieces_is_the_json_of_the_whole(tmp_path: Path):
    """Long and short lists, nested and empty values: the same bytes as from one text."""
    plain = {"a": list(range(2_500)), "b": {"c": [], "d": {}, "e": [[0.1, None]] * 1_001}, "f": "ü", "g": [1.5e-7]}
    write_json(tmp_path / "whole.json", plain)
    whole = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    assert (tmp_path / "whole.json").read_text(encoding="utf-8") == f"{whole}\n"
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "other.json", {"a": float("nan")})
    assert not (tmp_path / "other.json").exists()
