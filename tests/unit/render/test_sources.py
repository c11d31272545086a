"""Sources in a local folder: proved once, again when they were written or a day is over, and never trusted by name."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from tapelog_render.application.ports import EngineFailure
from tapelog_render.application.working.sources import ProvedFiles


def stored(folder: Path, content: bytes) -> tuple[str, Path]:
    """Write an object as the store does."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / sha256
    path.write_bytes(content)
    return sha256, path


async def test_a_flipped_bit_is_found_even_where_length_and_time_of_writing_are_as_before(tmp_path: Path):
    """The content is hashed at first; a change that hides its time of writing shows in the time of the last change."""
    sha256, path = stored(tmp_path, os.urandom(3_000_000))
    proved = ProvedFiles()
    await proved.prove({sha256: path})
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[1_234_567] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(EngineFailure) as failure:
        await proved.prove({sha256: path})
    assert failure.value.reason == "SOURCE_CORRUPT"
    assert not failure.value.is_final
    with pytest.raises(EngineFailure):
        await proved.prove({sha256: path})


async def test_a_proved_file_is_not_read_again_until_its_time_is_over(tmp_path: Path):
    """Access times tell nothing under every mount, so processor time does: the second proof costs next to none."""
    sha256, path = stored(tmp_path, bytes(80_000_000))
    proved = ProvedFiles()
    spent_s = []
    for checker in (proved, proved, ProvedFiles(proved_for_s=-1.0)):
        begun_s = time.thread_time() + time.process_time()
        await checker.prove({sha256: path})
        spent_s.append(time.thread_time() + time.process_time() - begun_s)
    assert spent_s[1] < spent_s[0] / 5


async def test_a_file_that_went_is_missing(tmp_path: Path):
    """Nobody is told to restore what only has to be uploaded again."""
    with pytest.raises(EngineFailure) as failure:
        await ProvedFiles().prove({"0" * 64: tmp_path / "none"})
    assert (failure.value.reason, failure.value.is_final) == ("SOURCE_MISSING", True)
