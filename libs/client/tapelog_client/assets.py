"""Uploads and downloads: hashed, in chunks, resumed."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final, Literal

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc

from tapelog_client.client_errors import DigestMismatch
from tapelog_client.errors import DeadlineExceeded, Internal, OutOfRange, TapelogApiError, Unavailable
from tapelog_client.group import Group, timestamp

CHUNK_BYTES: Final = 1024 * 1024
"""The largest chunk that the session service takes."""
ATTEMPTS_MAX: Final = 5
"""Of one transfer without a byte more; a service that was killed is back within seconds."""
PAUSE_S: Final = 0.5
"""Before the second attempt; doubled before each further one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is: first the file is hashed, then it is sent."""

    phase: Literal["hash", "send", "receive"]
    done_bytes: int
    total_bytes: int


ProgressFn = Callable[[Progress], None]


class Assets(Group):
    """Uploaded bytes: `api.assets`."""

    async def upload(
        self, project: str, path: Path, *, progress: ProgressFn | None = None, request_id: str = ""
    ) -> res.Asset:
        """Upload a file to `projects/{project}`; the same bytes again are the same asset.

        Goes on by itself where the connection broke, and gives up when nothing more arrives for several attempts. With
        the `request_id` of an upload that this or another process began, it goes on with that one.

        Raises
        ------
        OSError
            The file cannot be read.
        InvalidArgument
            The service does not take it: truncated, no audio it knows, over a limit.
        """
        report = progress or _silent
        sha256, size_bytes = await asyncio.to_thread(_hash_file, path, report)
        header = rpc.UploadHeader(
            parent=project,
            sha256=sha256,
            size_bytes=size_bytes,
            original_filename=path.name,
            request_id=request_id or str(uuid.uuid4()),
        )
        may_be_begun = bool(request_id)
        failures, furthest = 0, 0
        while True:
            try:
                if may_be_begun:
                    header.offset_bytes = (await self.get_upload(header)).committed_bytes
                return await self._link.upload(self._link.session.UploadAsset, _parts(header, path, report))
            except TapelogApiError as error:
                if not _may_go_on(error):
                    raise
                failures = 0 if header.offset_bytes > furthest else failures + 1
                furthest = max(furthest, header.offset_bytes)
                if failures == ATTEMPTS_MAX:
                    raise
            may_be_begun = True
            if failures:
                await asyncio.sleep(PAUSE_S * 2 ** (failures - 1))

    async def get_upload(self, header: rpc.UploadHeader) -> rpc.Upload:
        """Say how much the service keeps of an upload that was begun with a header."""
        return await self._link.unary(self._link.session.GetUpload, rpc.GetUploadRequest(header=header))

    async def get(
        self, project: str, sha256: str, *, as_of_sequence: int = 0, as_of_time: datetime | None = None
    ) -> res.Asset:
        """Read the record of an asset, now, or as it was after so many of its events or at a time."""
        name = f"{project}/assets/{sha256}"
        request = rpc.GetAssetRequest(name=name, as_of_sequence=as_of_sequence, as_of_time=timestamp(as_of_time))
        return await self._link.unary(self._link.session.GetAsset, request)

    async def download(self, project: str, sha256: str, path: Path, *, progress: ProgressFn | None = None) -> Path:
        """Fetch an object of a project's songs into `path`, whole or not at all.

        Raises
        ------
        DigestMismatch
            The bytes are not the ones asked for.
        NotFound
            No song of the project refers to such an object.
        """
        report = progress or _silent
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with part.open("wb") as file:
                actual = await self._receive(project, sha256, file, report)
            if actual != sha256:
                raise DigestMismatch(sha256, actual)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    async def stream(
        self, project: str, sha256: str, *, offset_bytes: int = 0
    ) -> AsyncGenerator[rpc.DownloadObjectResponse, None]:
        """Yield the blocks of an object from an offset on, as they come; goes on after a broken link.

        The bytes are not hashed: who needs them whole and verified calls `download`.

        Raises
        ------
        NotFound
            No song of the project refers to such an object.
        """
        failures = 0
        pause_s = PAUSE_S
        while True:
            request = rpc.DownloadObjectRequest(parent=project, sha256=sha256, offset_bytes=offset_bytes)
            try:
                async with aclosing(self._link.stream(self._link.session.DownloadObject, request)) as parts:
                    async for part in parts:
                        yield part
                        offset_bytes += len(part.chunk)
                        failures, pause_s = 0, PAUSE_S
            except Unavailable:
                failures += 1
                if failures == ATTEMPTS_MAX:
                    raise
                await asyncio.sleep(pause_s)
                pause_s *= 2
            else:
                return

    async def _receive(self, project: str, sha256: str, file: IO[bytes], report: ProgressFn) -> str:
        """Write all bytes and return their hash."""
        digest = hashlib.sha256()
        total_bytes = 0
        async with aclosing(self.stream(project, sha256)) as parts:
            async for part in parts:
                total_bytes = part.size_bytes or total_bytes
                await asyncio.to_thread(file.write, part.chunk)
                digest.update(part.chunk)
                report(Progress("receive", file.tell(), total_bytes))
        return digest.hexdigest()


def _may_go_on(error: TapelogApiError) -> bool:
    """Whether an upload that ended so can go on: the connection broke, or it was to go on at a wrong place.

    gRPC says INTERNAL, without a reason of the service, where a connection broke in the middle of a message.
    """
    return isinstance(error, (Unavailable, DeadlineExceeded, OutOfRange)) or (
        isinstance(error, Internal) and not error.reason
    )


def _silent(_: Progress) -> None:
    """Report to nobody."""


def _hash_file(path: Path, report: ProgressFn) -> tuple[str, int]:
    """Return the SHA-256 and the number of bytes that went into it."""
    digest = hashlib.sha256()
    total_bytes = path.stat().st_size
    done_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done_bytes += len(chunk)
            report(Progress("hash", done_bytes, total_bytes))
    return digest.hexdigest(), done_bytes


async def _parts(header: rpc.UploadHeader, path: Path, report: ProgressFn) -> AsyncIterator[rpc.UploadAssetRequest]:
    yield rpc.UploadAssetRequest(header=header)
    done_bytes = header.offset_bytes
    with path.open("rb") as file:
        file.seek(header.offset_bytes)
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield rpc.UploadAssetRequest(chunk=chunk)
            done_bytes += len(chunk)
            report(Progress("send", done_bytes, header.size_bytes))
