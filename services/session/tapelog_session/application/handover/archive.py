"""The second copy of what was delivered: every file of a package copied, and both copies read whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from tapelog.session.v1 import events_pb2
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.errors import Unavailable
from tapelog_chassis.objects import (
    DigestMismatchError,
    ObjectCorruptError,
    ObjectNotFoundError,
    ObjectStore,
    ObjectStoreUnavailableError,
)

from tapelog_session.application.access import Call
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.song_commands import Request, load_song, on_song
from tapelog_session.domain import songs
from tapelog_session.domain.errors import Unknown
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.names import SongName
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Song

FILE_BYTES_MAX: Final = 8 * 1024**3
"""Longest delivered file: four hours of 32-bit stereo at 192 kHz."""
RETRY_S: Final = 1.0


async def verify_delivery(
    aggregates: Aggregates,
    stores: tuple[ObjectStore, ObjectStore],
    call: Call,
    request: Request,
    *,
    name: SongName,
    delivery: str,
) -> Outcome[Song]:
    """Copy the package into the archive, read both copies whole, and record on the song what was found.

    Parameters
    ----------
    stores : tuple of ObjectStore
        Where the files are, and the archive.

    Raises
    ------
    Unavailable
        A store does not answer; nothing is recorded.
    """
    ids.validate_request_id(request.request_id)
    verified = events_pb2.PackageVerified(delivery=delivery)

    async def prepare() -> None:
        song = await load_song(aggregates, call.tenant, name)
        require_stage(song, "VerifyDelivery")
        package = (await aggregates.deliveries.load(aggregates.deliveries.aggregate(call.tenant, delivery))).state
        if not package.exists or SongName(package.project, package.song) != name:
            raise Unknown("NO_SUCH_DELIVERY", f"there is no {name.delivery(delivery)}", delivery=delivery)
        verified.CopyFrom(await _look(stores, package, delivery))

    return await on_song(
        aggregates,
        call,
        request,
        name,
        lambda song, _: songs.record_verification(song, verified),
        prepare=prepare,
    )


async def _look(
    stores: tuple[ObjectStore, ObjectStore], package: DeliveryPackage, delivery: str
) -> events_pb2.PackageVerified:
    source, archive = stores
    names = {file.sha256: file.filename for file in package.files} | {package.manifest_sha256: "the manifest"}
    findings: list[str] = []
    for sha256, filename in sorted(names.items(), key=lambda item: item[1]):
        for word, fault in (
            ("store", await _fault(source, sha256)),
            ("archive", await _copy_fault(source, archive, sha256)),
        ):
            if fault:
                findings.append(f"{filename} in the {word}: {fault}")
    whole = sum(not any(f" in the {word}: " in finding for finding in findings) for word in ("store", "archive"))
    return events_pb2.PackageVerified(delivery=delivery, files=len(names), stores=whole, findings=findings)


async def _fault(store: ObjectStore, sha256: str) -> str:
    """Read an object whole; return what is wrong with it, or the empty string."""
    try:
        async with aclosing(_stream(store, sha256)) as chunks:
            async for _ in chunks:
                pass
    except ObjectNotFoundError:
        return "is missing"
    except ObjectCorruptError as failure:
        return f"has other content: {failure}"
    except ObjectStoreUnavailableError as failure:
        raise _unavailable() from failure
    return ""


async def _copy_fault(source: ObjectStore, archive: ObjectStore, sha256: str) -> str:
    """Bring an object into the archive if it is not there, and read it back."""
    try:
        if not await archive.exists(sha256):
            async with aclosing(_stream(source, sha256)) as chunks:
                await archive.put_stream(chunks, max_bytes=FILE_BYTES_MAX, expected_sha256=sha256)
    except (ObjectNotFoundError, ObjectCorruptError, DigestMismatchError):
        return "could not be copied"
    except ObjectStoreUnavailableError as failure:
        raise _unavailable() from failure
    return await _fault(archive, sha256)


async def _stream(store: ObjectStore, sha256: str) -> AsyncGenerator[bytes, None]:
    async for chunk in store.open_stream(sha256):
        yield chunk


def _unavailable() -> Unavailable:
    return Unavailable("OBJECT_STORE_UNAVAILABLE", "a store does not answer; verify again", retry_after_s=RETRY_S)
