"""What a delivery package is made of, gathered from the log: now to build it, as it was then to rebuild it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_chassis.objects import ObjectStore

from tapelog_session.application.access import Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.ports import Parties
from tapelog_session.application.studio_sessions import credits_of
from tapelog_session.domain.errors import NotNow, Unknown
from tapelog_session.domain.handover import package_contents
from tapelog_session.domain.handover.credits import Credits, missing, rin_xml
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.handover.package_contents import Contents
from tapelog_session.domain.names import SongName
from tapelog_session.domain.permissions import MASTERING_STAGE
from tapelog_session.domain.song import Song

DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024
"""A recipe, a manifest, credits or words."""


@dataclasses.dataclass(frozen=True, slots=True)
class Material:
    """Everything that the bytes of a package follow from."""

    song: Song
    credits: Credits
    mixer_initials: str
    spec: pb.DeliverySpec
    song_sequence: int
    project_sequence: int

    @property
    def artist_name(self) -> str:
        """Whose song it is."""
        return self.credits.project.artist_name

    def contents(self) -> Contents:
        """Return files and documents."""
        return package_contents.contents(
            self.song,
            self.artist_name,
            self.mixer_initials,
            spec=self.spec,
            credits_xml=rin_xml(self.credits, live=False),
        )


async def material_of(
    aggregates: Aggregates,
    parties: Parties,
    tenant: str,
    name: SongName,
    *,
    mixer_initials: str,
    spec: pb.DeliverySpec,
    song_sequence: int,
    project_sequence: int,
) -> Material:
    """Gather the material as it was at a sequence of the song and one of the project."""
    project = await aggregates.projects.load(
        aggregates.projects.aggregate(tenant, name.project), as_of_sequence=project_sequence
    )
    song = await aggregates.songs.load(aggregates.songs.aggregate(tenant, name.song), as_of_sequence=song_sequence)
    written = await credits_of(aggregates, parties, tenant, project.state, song, time=song.time)
    # The version of the message is the cycle: draft and final package of one cycle hold the same bytes.
    credits_ = dataclasses.replace(written, sequence=song.state.cycle)
    return Material(song.state, credits_, mixer_initials, spec, song_sequence, project_sequence)


async def store(
    objects: ObjectStore, material: Material
) -> tuple[events_pb2.DeliveryBuilt, events_pb2.CreditsExported | None]:
    """Write documents and manifest, and return the facts of the package they make."""
    found = material.contents()
    files = list(found.files)
    for document in found.documents:
        await objects.put_stream(_once(document.content), max_bytes=DOCUMENT_BYTES_MAX)
        files.append(_file_of(document))
    files.sort(key=lambda file: file.filename)
    manifest = package_contents.manifest(material.song, material.artist_name, files, material.spec)
    stored = await objects.put_stream(_once(manifest), max_bytes=DOCUMENT_BYTES_MAX)
    built = events_pb2.DeliveryBuilt(
        project=material.song.project,
        song=material.song.id,
        draft=material.song.stage == MASTERING_STAGE,
        files=files,
        manifest_sha256=stored.sha256,
        spec=material.spec,
        mixer_initials=material.mixer_initials,
        song_sequence=material.song_sequence,
        project_sequence=material.project_sequence,
    )
    return built, _exported(material, files)


async def rebuild(
    aggregates: Aggregates, parties: Parties, call: Call, name: SongName, delivery: str
) -> rpc.RebuildDeliveryResponse:
    """Make a package's documents and manifest anew from the log, and compare them with what was delivered."""
    await authorize(aggregates.projects, call, name.project)
    package = (await aggregates.deliveries.load(aggregates.deliveries.aggregate(call.tenant, delivery))).state
    _require_rebuildable(package, name, delivery)
    material = await material_of(
        aggregates,
        parties,
        call.tenant,
        name,
        mixer_initials=package.mixer_initials,
        spec=package.spec or package_contents.DEFAULT,
        song_sequence=package.song_sequence,
        project_sequence=package.project_sequence,
    )
    found = material.contents()
    files = sorted([*found.files, *map(_file_of, found.documents)], key=lambda file: file.filename)
    manifest = package_contents.manifest(material.song, material.artist_name, files, material.spec)
    digest = hashlib.sha256(manifest).hexdigest()
    different = sorted(_names(files) ^ _names(package.files))
    return rpc.RebuildDeliveryResponse(
        identical=digest == package.manifest_sha256 and not different,
        manifest_sha256=digest,
        different=list(dict.fromkeys(filename for filename, _ in different)),
    )


def _require_rebuildable(package: DeliveryPackage, name: SongName, delivery: str) -> None:
    if not package.exists or SongName(package.project, package.song) != name:
        raise Unknown("NO_SUCH_DELIVERY", f"there is no {name.delivery(delivery)}", delivery=delivery)
    if not package.song_sequence:
        text = f"delivery {delivery} was built before packages said of what; its files stand in the store"
        raise NotNow("NOT_REBUILDABLE", text, delivery=delivery)


def _names(files: Iterable[pb.DeliveryFile]) -> set[tuple[str, str]]:
    return {(file.filename, file.sha256) for file in files}


def _file_of(document: package_contents.Document) -> pb.DeliveryFile:
    return pb.DeliveryFile(
        filename=document.filename,
        role=document.role,
        sha256=hashlib.sha256(document.content).hexdigest(),
        size_bytes=len(document.content),
        media_type=document.media_type,
        version=document.version,
        recipe_digest=document.recipe_digest,
    )


def _exported(material: Material, files: Iterable[pb.DeliveryFile]) -> events_pb2.CreditsExported | None:
    """Return the fact that the credits were written out, if they were."""
    of_credits = next((file for file in files if file.role == "credits"), None)
    if of_credits is None:
        return None
    return events_pb2.CreditsExported(
        sha256=of_credits.sha256,
        message_version=material.credits.sequence,
        missing=[f"{gap.code} {gap.subject}: {gap.description}" for gap in missing(material.credits)],
    )


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
