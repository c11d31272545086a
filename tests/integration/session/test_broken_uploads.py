"""Uploads over lines that break and servers that are killed: each goes on where it broke off, and arrives whole."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.objects import ObjectNotFoundError, ObjectStore
from tapelog_chassis.testing import eventually
from tapelog_chassis.unfinished import PART_BYTES
from tapelog_client import Progress, StaticTokenSource, Tapelog
from tapelog_client.channel import open_channel
from tapelog_client.errors import InvalidArgument, OutOfRange, ResourceExhausted, TapelogApiError

from tests.faults.harness.battery import Row

from .service_process import environment_of, start

MIB = 2**20
CHUNK = 65_536
SLACK = 8 * MIB
"""What lies in buffers between the two ends when the line is cut: HTTP/2 windows and sockets, on a busy machine."""


def wav_of(size_bytes: int, seed: int = 1) -> bytes:
    """Return a WAV of noise of a size."""
    body = random.Random(seed).randbytes(size_bytes - 44)
    head = b"RIFF" + (size_bytes - 8).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += bytes.fromhex("0100010080bb00000077010002001000") + b"data" + len(body).to_bytes(4, "little")
    return head + body


class Line:
    """A line to a server that can be cut; counts what a client sends."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._open: set[asyncio.StreamWriter] = set()
        self.sent_bytes = 0
        self.cut_at: list[int] = []
        self.address = ""

    async def __aenter__(self) -> "Line":
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._cut()
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            beyond_reader, beyond = await asyncio.open_connection(self._host, int(self._port))
        except OSError:
            writer.close()
            return
        self._open |= {writer, beyond}
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(self._pump(reader, beyond, counts=True), self._pump(beyond_reader, writer))
        finally:
            beyond.transport.abort()
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False) -> None:
        while data := await reader.read(CHUNK):
            self.sent_bytes += len(data) if counts else 0
            if self.cut_at and self.sent_bytes >= self.cut_at[0]:
                self.cut_at.pop(0)
                self._cut()
                return
            writer.write(data)
            await writer.drain()
        writer.close()

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


def client(studio: Any, address: str) -> Tapelog:
    """Return the SDK as the recording engineer."""
    token = studio._issuer.mint(audiences=["session"], tenant="acme", party="rex", kind="person")
    return Tapelog.connect(session=address, tokens=StaticTokenSource(token))


def unfinished_in(objects: ObjectStore) -> list[Path]:
    """Return every file of an upload that is on its way, half-written parts included."""
    assert objects.folder is not None
    return [path for path in (objects.folder / "unfinished").rglob("*") if path.is_file()]


def noise_file(folder: Path, size_bytes: int) -> tuple[Path, str]:
    """Write a WAV of noise; return it and its digest."""
    path = folder / "take.wav"
    path.write_bytes(wav_of(size_bytes))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
async def line(settings: Any, serving: Any, issuer: Any, studio_class: Any) -> AsyncIterator[tuple[Line, Any]]:
    """Run a service behind a line; return the line and the studio with its project, which does not use it."""
    async with serving(settings) as address, open_channel(address) as channel, Line(address) as cuttable:
        studio = studio_class(channel, issuer, ObjectStore(settings.objects_url))
        await studio.begin()
        yield cuttable, studio


async def test_a_line_cut_twice_costs_what_was_on_it(line: tuple[Line, Any], tmp_path: Path) -> None:
    """48 MiB over a line cut after 16 and 32: the SDK goes on by itself, and resends what the cuts swallowed alone."""
    cuttable, studio = line
    path, sha256 = noise_file(tmp_path, 48 * MIB)
    cuttable.cut_at = [16 * MIB, 32 * MIB]
    steps: list[Progress] = []
    async with client(studio, cuttable.address) as api:
        asset = await api.assets.upload(studio.project, path, progress=steps.append)
    assert asset.sha256 == sha256
    assert cuttable.cut_at == []
    sys.stdout.write(f"\n48 MiB, cut twice: {cuttable.sent_bytes / MIB - 48:.1f} MiB sent again")
    assert cuttable.sent_bytes <= 48 * MIB + 2 * SLACK + MIB
    whole = hashlib.sha256()
    async for chunk in studio.objects.open_stream(sha256):
        whole.update(chunk)
    assert whole.hexdigest() == sha256
    assert unfinished_in(studio.objects) == []
    assert steps[-1] == Progress("send", 48 * MIB, 48 * MIB)


class Upload:
    """One upload by hand: a header and the bytes."""

    def __init__(self, studio: Any, data: bytes) -> None:
        self._studio = studio
        self._data = data
        digest = hashlib.sha256(data).hexdigest()
        self.header = wire.UploadHeader(
            parent=studio.project,
            sha256=digest,
            size_bytes=len(data),
            original_filename="take.wav",
            request_id=str(uuid.uuid4()),
        )

    async def send(self, start: int, end: int, *, party: str = "rex", data: bytes = b"") -> Any:
        """Send bytes and say that this was all."""
        self.header.offset_bytes = start
        body = (data or self._data)[start:end]

        async def requests() -> AsyncIterator[wire.UploadAssetRequest]:
            yield wire.UploadAssetRequest(header=self.header)
            for at in range(0, len(body), MIB):
                yield wire.UploadAssetRequest(chunk=body[at : at + MIB])

        return await self._studio.calls(party).upload(self._studio.stub.UploadAsset, requests())

    async def committed(self, party: str = "rex") -> int:
        """Ask how much is kept."""
        answer = await self._studio.call(party, "GetUpload", wire.GetUploadRequest(header=self.header))
        return int(answer.committed_bytes)


async def test_what_is_kept_of_an_upload(booked: Any) -> None:
    """Nothing of it is visible; it goes on at its own offset alone, for who began it; then no byte is asked again."""
    upload = Upload(booked, wav_of(3 * MIB))
    assert await upload.committed() == 0
    with pytest.raises(InvalidArgument) as ended:
        await upload.send(0, 2 * MIB)
    assert ended.value.reason == "SIZE_MISMATCH"
    assert await upload.committed() == 2 * MIB
    with pytest.raises(ObjectNotFoundError):
        await booked.objects.stat(upload.header.sha256)
    with pytest.raises(OutOfRange) as wrong:
        await upload.send(MIB, 3 * MIB)
    assert wrong.value.metadata["committed_bytes"] == str(2 * MIB)
    assert await upload.committed("pia") == 0, "another's upload is none of hers"
    asset = await upload.send(2 * MIB, 3 * MIB)
    assert asset.media_type == "audio/wav"
    assert await upload.committed() == 3 * MIB
    assert await upload.send(3 * MIB, 3 * MIB) == asset, "a lost answer costs no byte"


async def test_a_rest_that_is_not_the_same_files_is_dropped_whole(booked: Any) -> None:
    """The digest is of all bytes, wherever they came from: a rest of another file is refused, and nothing is kept."""
    upload = Upload(booked, wav_of(2 * MIB))
    with pytest.raises(InvalidArgument):
        await upload.send(0, MIB)
    with pytest.raises(InvalidArgument) as refused:
        await upload.send(MIB, 2 * MIB, data=wav_of(2 * MIB, seed=2))
    assert refused.value.reason == "HASH_MISMATCH"
    assert await upload.committed() == 0
    assert unfinished_in(booked.objects) == []
    assert (await upload.send(0, 2 * MIB)).size_bytes == 2 * MIB


async def test_no_audio_is_dropped_wherever_it_goes_on(booked: Any) -> None:
    """A file of forty bytes and then words: refused as soon as its head is known."""
    upload = Upload(booked, b"words " * 1000)
    with pytest.raises(InvalidArgument) as short:
        await upload.send(0, 40)
    assert short.value.reason == "SIZE_MISMATCH"
    with pytest.raises(InvalidArgument) as refused:
        await upload.send(40, 6000)
    assert refused.value.reason == "NOT_AUDIO"
    assert unfinished_in(booked.objects) == []


async def test_an_upload_beyond_the_quota_is_refused_before_its_first_byte(
    settings: Any, serving: Any, issuer: Any, studio_class: Any
) -> None:
    """Uploads count, each object once; the refusal has stored, wanted and allowed bytes, and nothing of it is kept."""
    small = settings.model_copy(update={"tenant_quota_gib": 0})
    async with serving(small) as address, open_channel(address) as channel:
        studio = studio_class(channel, issuer, ObjectStore(settings.objects_url))
        await studio.begin()
        upload = Upload(studio, wav_of(MIB))
        with pytest.raises(ResourceExhausted) as refused:
            await upload.send(0, MIB)
        assert refused.value.reason == "STORAGE_QUOTA"
        assert refused.value.metadata == {"stored_bytes": "0", "size_bytes": str(MIB), "limit_bytes": "0"}
        assert unfinished_in(studio.objects) == []


@pytest.mark.faults
async def test_a_service_killed_in_the_middle_loses_one_part_at_most(
    settings: Any, issuer: Any, studio_class: Any, tmp_path: Path, row: Row
) -> None:
    """Kill -9 after 40 and after 80 of 120 MiB: the SDK waits for the new process and resends 32 MiB a kill at most."""
    port, environment = environment_of(settings)
    size_bytes, kills = 120 * MIB, [40 * MIB, 80 * MIB]
    path, sha256 = noise_file(tmp_path, size_bytes)
    process = await start(environment)
    restarts: list[asyncio.Task[None]] = []

    async def restart() -> None:
        nonlocal process
        await process.wait()
        process = await start(environment)

    def watch(step: Progress) -> None:
        if step.phase == "send" and kills and step.done_bytes >= kills[0]:
            kills.pop(0)
            os.kill(process.pid, signal.SIGKILL)
            restarts.append(asyncio.create_task(restart()))

    try:
        async with open_channel(f"127.0.0.1:{port}") as channel, Line(f"127.0.0.1:{port}") as counted:
            studio = studio_class(channel, issuer, ObjectStore(settings.objects_url))
            await eventually(_once(studio.begin), within_s=30)
            async with client(studio, counted.address) as api:
                asset = await api.assets.upload(studio.project, path, progress=watch)
        await asyncio.gather(*restarts)
    finally:
        process.terminate()
        await process.wait()
    assert asset.sha256 == sha256
    assert not kills
    resent = counted.sent_bytes - size_bytes
    row(
        "F13 upload",
        "session killed twice during an upload of 120 MiB: whole, one part a kill sent again, nothing half made left",
        f"{resent / MIB:.1f} MiB sent again",
    )
    assert resent <= 2 * (PART_BYTES + SLACK) + MIB
    assert unfinished_in(studio.objects) == []


def _once(begin: Callable[[], Any]) -> Callable[[], Any]:
    async def begun() -> bool:
        with contextlib.suppress(TapelogApiError):
            await begin()
            return True
        return False

    return begun
