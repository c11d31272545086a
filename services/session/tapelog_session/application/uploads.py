"""Bytes in and out: uploads become visible only as a whole and as declared; downloads show what a project refers to."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.objects import (
    DigestMismatchError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
    ObjectTooLargeError,
)

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.resources import asset_resource
from tapelog_session.application.song_commands import Request
from tapelog_session.application.views import Views
from tapelog_session.domain import asset as domain
from tapelog_session.domain.checks import SHA256
from tapelog_session.domain.errors import InvalidCommand, Unknown
from tapelog_session.domain.names import asset_name

CHUNK_BYTES_MAX: Final = 1024 * 1024
RETRY_S: Final = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """What is going to be uploaded, as declared."""

    project: str
    sha256: str
    size_bytes: int
    original_filename: str


async def upload_asset(
    aggregates: Aggregates,
    views: Views,
    objects: ObjectStore,
    call: Call,
    request: Request,
    *,
    upload: Upload,
    chunks: AsyncIterator[bytes],
) -> pb.Asset:
    """Receive an asset and register it in the project; the same bytes again are the same asset.

    Raises
    ------
    InvalidCommand
        The bytes are not what was declared, or no audio, or the request_id was used for another file; nothing becomes
        visible.
    """
    ids.validate_request_id(request.request_id, field="header.request_id")
    domain.check_header(upload.sha256, upload.size_bytes, upload.original_filename)
    access = await authorize(aggregates.projects, call, upload.project, owns=lambda _role: True)
    await views.caught_up()
    if views.upload_hash(call.tenant, request.request_id) not in ("", request.request_hash):
        text = f"{request.request_id} was already used for another upload; make a new one for a new file"
        raise InvalidCommand("REQUEST_ID_REUSED", [("header.request_id", text)])
    incoming = _Incoming(chunks, upload.size_bytes)
    try:
        async with aclosing(incoming.checked()) as checked:
            await objects.put_stream(checked, max_bytes=upload.size_bytes, expected_sha256=upload.sha256)
    except ObjectTooLargeError:
        raise _mismatch(f"more than the declared {upload.size_bytes} bytes came; declare the file's size") from None
    except DigestMismatchError as failure:
        text = f"the {incoming.count} bytes received have SHA-256 {failure.actual}, declared was {failure.expected}"
        raise InvalidCommand("HASH_MISMATCH", [("header.sha256", f"{text}; send the file again")]) from None
    except ObjectStoreUnavailableError as failure:
        raise _unavailable() from failure
    registered = pb.Asset(
        name=asset_name(upload.project, upload.sha256),
        sha256=upload.sha256,
        size_bytes=upload.size_bytes,
        original_filename=upload.original_filename,
        media_type=incoming.media_type,
        uploaded_by=call.party,
    )
    outcome = await aggregates.assets.execute(
        aggregates.assets.aggregate(call.tenant, domain.asset_id(upload.sha256)),
        lambda state: domain.register(state, upload.project, registered),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(),
    )
    return asset_resource(upload.project, outcome.versioned.state.projects[upload.project])


class _Incoming:
    """Checks chunks on their way into the store: sizes, the audio header, the declared length."""

    def __init__(self, chunks: AsyncIterator[bytes], size_bytes: int) -> None:
        self._chunks = chunks
        self._size_bytes = size_bytes
        self._head = b""
        self.count = 0
        self.media_type = ""

    async def checked(self) -> AsyncGenerator[bytes, None]:
        """Yield the chunks; an error in the middle means that nothing is stored."""
        async for chunk in self._chunks:
            if not 1 <= len(chunk) <= CHUNK_BYTES_MAX:
                text = f"a chunk has {len(chunk)} bytes, allowed are 1 to {CHUNK_BYTES_MAX}"
                raise InvalidCommand("INVALID_CHUNK", [("chunk", text)])
            self.count += len(chunk)
            self._look(chunk)
            yield chunk
        if self.count < self._size_bytes:
            raise _mismatch(
                f"the upload ended after {self.count} of the declared {self._size_bytes} bytes; send the file again"
            )
        if not self.media_type:
            self.media_type = domain.media_type_of(self._head, self._size_bytes)

    def _look(self, chunk: bytes) -> None:
        """Refuse what is no audio after its first bytes, not after two gigabytes."""
        if len(self._head) >= domain.SNIFF_BYTES:
            return
        self._head += chunk[: domain.SNIFF_BYTES - len(self._head)]
        if len(self._head) >= domain.SNIFF_BYTES:
            self.media_type = domain.media_type_of(self._head, self._size_bytes)


@dataclasses.dataclass(frozen=True, slots=True)
class Download:
    """An object on its way out."""

    size_bytes: int
    chunks: AsyncIterator[bytes]


async def download_object(
    aggregates: Aggregates,
    views: Views,
    objects: ObjectStore,
    call: Call,
    *,
    project: str,
    sha256: str,
    offset_bytes: int,
) -> Download:
    """Open an object that the project refers to, from an offset."""
    await authorize(aggregates.projects, call, project)
    if SHA256.fullmatch(sha256) is None:
        raise InvalidCommand("INVALID_FIELD", [("sha256", f"{sha256[:70]!r} is not a SHA-256")])
    await views.caught_up()
    missing = Unknown("NO_SUCH_OBJECT", f"project {project} refers to no object {sha256}", sha256=sha256)
    if not views.refers_to(call.tenant, project, sha256):
        raise missing
    try:
        size_bytes = (await objects.stat(sha256)).size_bytes
    except ObjectNotFoundError:
        raise missing from None
    except ObjectStoreUnavailableError as failure:
        raise _unavailable() from failure
    if not 0 <= offset_bytes <= size_bytes:
        text = f"{offset_bytes} is outside the object's 0 to {size_bytes}"
        raise InvalidCommand("INVALID_FIELD", [("offset_bytes", text)])
    return Download(size_bytes, objects.open_stream(sha256, offset_bytes))


def _mismatch(description: str) -> InvalidCommand:
    return InvalidCommand("SIZE_MISMATCH", [("header.size_bytes", description)])


def _unavailable() -> Unavailable:
    return Unavailable("OBJECT_STORE_UNAVAILABLE", "the object store does not answer; try again", retry_after_s=RETRY_S)
