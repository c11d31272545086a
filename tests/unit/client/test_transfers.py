import random
from pathlib import Path

import pytest
from tapelog_client import DigestMismatch, Progress, Tapelog
from tapelog_client.assets import ATTEMPTS_MAX
from tapelog_client.errors import InvalidArgument

from .conftest import SmallSession


def _file(path: Path, size_bytes: int) -> Path:
    path.write_bytes(random.Random(1).randbytes(size_bytes))
    return path


async def test_an_upload_arrives_whole_in_chunks_of_a_mebibyte(
    api: Tapelog, small_session: SmallSession, tmp_path: Path
) -> None:
    """A file larger than one chunk arrives byte for byte, in chunks of at most 1 MiB, and progress ends at 100 %."""
    path = _file(tmp_path / "take.wav", 2 * 1024 * 1024 + 17)
    seen: list[Progress] = []

    asset = await api.assets.upload("projects/prj-1", path, progress=seen.append)

    assert small_session.objects[asset.sha256] == path.read_bytes()
    assert small_session.chunk_sizes == [1024 * 1024, 1024 * 1024, 17]
    assert seen[-1] == Progress("send", path.stat().st_size, path.stat().st_size)
    assert [step.phase for step in seen] == ["hash"] * 3 + ["send"] * 3


async def test_an_upload_that_breaks_off_goes_on_where_it_did(
    api: Tapelog, small_session: SmallSession, tmp_path: Path
) -> None:
    """More breaks than attempts: each goes on with the first one's request id, and no byte is sent twice."""
    path = _file(tmp_path / "take.wav", 7 * 1024 * 1024 + 17)
    small_session.cuts = 7
    seen: list[Progress] = []

    asset = await api.assets.upload("projects/prj-1", path, progress=seen.append)

    assert small_session.objects[asset.sha256] == path.read_bytes()
    # gRPC repeats a call by itself that broke before anything of it was sent.
    assert small_session.upload_offsets == sorted(small_session.upload_offsets)
    assert len(set(small_session.upload_offsets)) > ATTEMPTS_MAX
    assert len(set(small_session.request_ids)) == 1
    # In between it may go back: what was on the line when it broke is sent again.
    assert seen[-1] == Progress("send", path.stat().st_size, path.stat().st_size)


async def test_a_file_that_changes_while_it_is_sent_is_refused(
    api: Tapelog, small_session: SmallSession, tmp_path: Path
) -> None:
    """Bytes that are not the hashed ones never become an asset."""
    path = _file(tmp_path / "take.wav", 4000)

    def overwrite(step: Progress) -> None:
        if step.phase == "hash":
            path.write_bytes(b"other bytes")

    with pytest.raises(InvalidArgument) as refused:
        await api.assets.upload("projects/prj-1", path, progress=overwrite)

    assert refused.value.fields[0].field == "header.sha256"
    assert small_session.objects == {}


async def test_a_download_goes_on_where_it_broke_off(api: Tapelog, small_session: SmallSession, tmp_path: Path) -> None:
    """After a broken link only the rest is asked for, and the file is whole."""
    path = _file(tmp_path / "in.wav", 4500)
    asset = await api.assets.upload("projects/prj-1", path)
    small_session.cuts = 2

    target = await api.assets.download("projects/prj-1", asset.sha256, tmp_path / "out" / "copy.wav")

    assert target.read_bytes() == path.read_bytes()
    assert small_session.offsets == [0, 1000, 2000]


async def test_a_download_of_other_bytes_leaves_no_file(
    api: Tapelog, small_session: SmallSession, tmp_path: Path
) -> None:
    """Bytes whose hash is not the one asked for are refused, and nothing stays behind."""
    small_session.objects["0" * 64] = b"not these"

    with pytest.raises(DigestMismatch):
        await api.assets.download("projects/prj-1", "0" * 64, tmp_path / "out" / "copy.wav")

    assert list((tmp_path / "out").iterdir()) == []
