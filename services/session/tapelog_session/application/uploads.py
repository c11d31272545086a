"""Bytes in and out: uploads become visible only as a whole and as declared; downloads show what a project refers to."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

import structlog
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.errors import OutOfRange, ResourceExhausted, Unavailable
from tapelog_chassis.objects import (
    DigestMismatchError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
    ObjectTooLargeError,
)
from tapelog_chassis.unfinished import BrokeOffError, Coming, UnfinishedUploads, WrongOffsetError

from tapelog_session.application.access import Access, Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.reading.resources import asset_resource
from tapelog_session.application.reading.views import Views
from tapelog_session.application.song_commands import Request
from tapelog_session.domain import asset as domain
from tapelog_session.domain.checks import SHA256
from tapelog_session.domain.errors import InvalidCommand, Unknown
from tapelog_session.domain.names import asset_name

CHUNK_BYTES_MAX: Final = 1024 * 1024
RETRY_S: Final = 1.0
EXPIRE_EVERY_S: Final = 3600.0
"""How often uploads that nobody goes on with are looked for."""

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """What is going to be uploaded, as declared."""

    project: str
    sha256: str
    size_bytes: int
    original_filename: str
    offset_bytes: int = 0


async def upload_asset(
    aggregates: Aggregates,
    views: Views,
    unfinished: UnfinishedUploads,
    call: Call,
    request: Request,
    *,
    upload: Upload,
    chunks: AsyncIterator[bytes],
    tenant_bytes_max: int,
) -> pb.Asset:
    """Receive an asset and register it in the project; the same bytes again are the same asset.

    Raises
    ------
    ResourceExhausted
        The tenant's audio fills its room.
    InvalidCommand
        The bytes are not what was declared, or no audio, or the request_id was used for another file; nothing becomes
        visible.
    OutOfRange
        The upload is to go on where it did not break off.
    """
    access = await _authorize(aggregates, call, request, upload)
    await views.caught_up()
    if _is_registered(views, call, request):
        return await _registered(aggregates, call, upload)
    _require_quota(views, call, upload, tenant_bytes_max)
    coming = _coming(call, request, upload)
    head = await unfinished.head(coming, domain.SNIFF_BYTES) if upload.offset_bytes else b""
    incoming = _Incoming(chunks, upload, head)
    try:
        async with aclosing(incoming.checked()) as checked:
            await unfinished.receive(coming, upload.offset_bytes, checked)
    except WrongOffsetError as failure:
        raise _wrong_offset(upload.offset_bytes, failure.committed) from None
    except ObjectTooLargeError:
        raise _mismatch(f"more than the declared {upload.size_bytes} bytes came; declare the file's size") from None
    except BrokeOffError as failure:
        text = f"the upload ended after {failure.received} of the declared {upload.size_bytes} bytes"
        raise _mismatch(f"{text}; ask GetUpload how many are kept, and send the rest") from None
    except DigestMismatchError as failure:
        text = f"the {upload.size_bytes} bytes received have SHA-256 {failure.actual}, declared was {failure.expected}"
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


async def committed_bytes(
    aggregates: Aggregates, views: Views, unfinished: UnfinishedUploads, call: Call, request: Request, *, upload: Upload
) -> int:
    """Return how many bytes of an upload are kept: all of them once its asset is registered.

    Raises
    ------
    InvalidCommand
        The header cannot be right, or the request_id was used for another file.
    """
    await _authorize(aggregates, call, request, upload)
    await views.caught_up()
    if _is_registered(views, call, request):
        return upload.size_bytes
    try:
        return await unfinished.committed(_coming(call, request, upload))
    except ObjectStoreUnavailableError as failure:
        raise _unavailable() from failure


async def expire_uploads(objects: ObjectStore, unfinished: UnfinishedUploads) -> None:
    """Drop what broke off and was not gone on with, and what killed processes left half written, for ever."""
    while True:
        try:
            dropped = await unfinished.expire() + await objects.sweep()
        except ObjectStoreUnavailableError as failure:
            _log.warning("unfinished uploads could not be cleared away", cause=str(failure))
        else:
            if dropped:
                _log.info("unfinished uploads cleared away", count=dropped)
        await asyncio.sleep(EXPIRE_EVERY_S)


async def _authorize(aggregates: Aggregates, call: Call, request: Request, upload: Upload) -> Access:
    ids.validate_request_id(request.request_id, field="header.request_id")
    domain.check_header(upload.sha256, upload.size_bytes, upload.original_filename)
    return await authorize(aggregates.projects, call, upload.project, owns=lambda _role: True)


def _require_quota(views: Views, call: Call, upload: Upload, tenant_bytes_max: int) -> None:
    """Refuse what would not fit into the tenant's room, before any of it comes."""
    stored = views.stored_bytes(call.tenant)
    if stored + upload.size_bytes <= tenant_bytes_max:
        return
    raise ResourceExhausted(
        "STORAGE_QUOTA",
        f"the audio of {call.tenant} has {stored} bytes, {upload.size_bytes} more would pass the limit of "
        f"{tenant_bytes_max}; nothing was stored, ask the operator for more",
        metadata={"stored_bytes": stored, "size_bytes": upload.size_bytes, "limit_bytes": tenant_bytes_max},
    )


def _is_registered(views: Views, call: Call, request: Request) -> bool:
    """Whether an upload has ended well before; raises `InvalidCommand` if that was another one."""
    known = views.upload_hash(call.tenant, request.request_id)
    if known not in ("", request.request_hash):
        text = f"{request.request_id} was already used for another upload; make a new one for a new file"
        raise InvalidCommand("REQUEST_ID_REUSED", [("header.request_id", text)])
    return bool(known)


async def _registered(aggregates: Aggregates, call: Call, upload: Upload) -> pb.Asset:
    known = await aggregates.assets.load(aggregates.assets.aggregate(call.tenant, domain.asset_id(upload.sha256)))
    return asset_resource(upload.project, known.state.projects[upload.project])


def _coming(call: Call, request: Request, upload: Upload) -> Coming:
    """Name an upload by all that makes it one, so that nobody goes on with another's."""
    words = "\n".join((call.party, upload.project, request.request_id, upload.sha256, str(upload.size_bytes)))
    return Coming(call.tenant, hashlib.sha256(words.encode()).hexdigest(), upload.size_bytes, upload.sha256)


class _Incoming:
    """Checks chunks on their way into the store: their sizes, and the audio header."""

    def __init__(self, chunks: AsyncIterator[bytes], upload: Upload, head: bytes) -> None:
        self._chunks = chunks
        self._size_bytes = upload.size_bytes
        self._left = upload.size_bytes - upload.offset_bytes
        self._head = head
        self.media_type = ""

    async def checked(self) -> AsyncGenerator[bytes, None]:
        """Yield the chunks; an error in the middle means that nothing is stored."""
        self._look(b"")
        async for chunk in self._chunks:
            if not 1 <= len(chunk) <= CHUNK_BYTES_MAX:
                text = f"a chunk has {len(chunk)} bytes, allowed are 1 to {CHUNK_BYTES_MAX}"
                raise InvalidCommand("INVALID_CHUNK", [("chunk", text)])
            self._left -= len(chunk)
            self._look(chunk)
            yield chunk
        if not self.media_type and self._left <= 0:
            self.media_type = domain.media_type_of(self._head, self._size_bytes)

    def _look(self, chunk: bytes) -> None:
        """Refuse what is no audio after its first bytes, not after two gigabytes."""
        if self.media_type:
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


def _wrong_offset(offset: int, committed: int) -> OutOfRange:
    text = f"{committed} bytes of this upload are kept, so it cannot go on from byte {offset}; send 0 to begin anew"
    values = {"committed_bytes": committed, "offset_bytes": offset}
    return OutOfRange("UPLOAD_OFFSET", text, metadata=values)


def _mismatch(description: str) -> InvalidCommand:
    return InvalidCommand("SIZE_MISMATCH", [("header.size_bytes", description)])


def _unavailable() -> Unavailable:
    return Unavailable("OBJECT_STORE_UNAVAILABLE", "the object store does not answer; try again", retry_after_s=RETRY_S)
