"""Building and accepting delivery packages: files, documents and manifest into the store, then the facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis import ids
from tapelog_chassis.aggregates.commands import Outcome
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.rpc.etag import check_etag

from tapelog_session.application.access import Access, Call, authorize
from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.handover import packages
from tapelog_session.application.handover.packages import Material
from tapelog_session.application.ports import Parties
from tapelog_session.application.song_commands import Request, load_song, no_such_song
from tapelog_session.domain.errors import Condition, InvalidCommand, Unknown
from tapelog_session.domain.handover import delivery as domain
from tapelog_session.domain.handover import package_contents
from tapelog_session.domain.handover.delivery import DeliveryPackage
from tapelog_session.domain.names import SongName, parse_version
from tapelog_session.domain.permissions import MASTERING_STAGE
from tapelog_session.domain.project import Project
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning.versions import MASTER


async def build_delivery(
    aggregates: Aggregates,
    objects: ObjectStore,
    parties: Parties,
    call: Call,
    request: Request,
    *,
    name: SongName,
    mixer_initials: str,
    spec: pb.DeliverySpec,
) -> Versioned[DeliveryPackage]:
    """Build a package: a draft in MASTERING, the final one in DELIVERED.

    The package's facts come first and the song's after them; a retry goes on where the first attempt ended.

    Raises
    ------
    NotNow
        `DELIVERY_INCOMPLETE`, with everything that is missing; in MASTERING the song records it.
    """
    ids.validate_request_id(request.request_id)
    access = await authorize(aggregates.projects, call, name.project)
    song = await aggregates.songs.load(aggregates.songs.aggregate(call.tenant, name.song))
    if not song.exists or song.state.project != name.project:
        raise no_such_song(name)
    delivery = ids.derive_id("dlv", call.tenant, call.principal.party, call.rpc, request.request_id)
    aggregate = aggregates.deliveries.aggregate(call.tenant, delivery)
    if request.request_id in song.requests:
        await _on_song(aggregates, access, request, song.state, delivery=delivery)
        return await aggregates.deliveries.load(aggregate)
    package = await aggregates.deliveries.load(aggregate)
    if package.exists:
        _require_same_request(package, request)
    else:
        check_etag(request.etag, song.sequence)
        domain.check_request(song.state, mixer_initials, spec)
        gaps = package_contents.gaps(song.state, spec)
        material = (
            None
            if gaps
            else await _material(aggregates, parties, access, song, mixer_initials=mixer_initials, spec=spec)
        )
        if material is not None:
            gaps = await _missing_objects(objects, material)
        if gaps or material is None:
            if song.state.stage == MASTERING_STAGE:
                findings = [domain.finding_of(gap) for gap in gaps]
                await _on_song(aggregates, access, request, song.state, findings=findings)
            raise domain.incomplete(gaps)
        built = [fact for fact in await packages.store(objects, material) if fact is not None]
        package = await _record(aggregates, access, request, delivery=delivery, built=built, song=song.state)
    await _on_song(aggregates, access, request, song.state, delivery=delivery, master_number=_master_of(package.state))
    return package


async def accept_delivery(
    aggregates: Aggregates, call: Call, request: Request, name: SongName, delivery: str
) -> Outcome[DeliveryPackage]:
    """Accept the final package on behalf of the label."""
    return await _on_package(
        aggregates,
        call,
        request,
        name,
        delivery=delivery,
        decide=lambda song, state, _: domain.accept(song, state, call.party),
    )


async def hand_over_delivery(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: SongName,
    delivery: str,
    *,
    recipient: str,
    comment: str,
) -> Outcome[DeliveryPackage]:
    """Record that the final package was handed over to a member who acts for the label."""

    def decide(song: Song, state: DeliveryPackage, project: Project) -> Sequence[Message]:
        events = domain.hand_over(song, state, recipient, comment)
        if pb.ROLE_LABEL not in project.roles_of(recipient):
            raise InvalidCommand("NOT_THE_LABEL", [("recipient", f"{recipient} does not hold ROLE_LABEL")])
        return events

    return await _on_package(aggregates, call, request, name, delivery=delivery, decide=decide)


async def return_delivery(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: SongName,
    *,
    delivery: str,
    wanted: pb.SendBackAdvice,
) -> Outcome[DeliveryPackage]:
    """Return the final package on behalf of the label; what it asks of the song follows."""
    advice = pb.SendBackAdvice()
    advice.CopyFrom(wanted)
    advice.party = call.party
    return await _on_package(
        aggregates,
        call,
        request,
        name,
        delivery=delivery,
        decide=lambda song, state, _: domain.return_to_studio(song, state, advice),
    )


async def _on_package(
    aggregates: Aggregates,
    call: Call,
    request: Request,
    name: SongName,
    *,
    delivery: str,
    decide: Callable[[Song, DeliveryPackage, Project], Sequence[Message]],
) -> Outcome[DeliveryPackage]:
    """Execute a command on a package of a song."""
    access = await authorize(aggregates.projects, call, name.project)
    song = await load_song(aggregates, call.tenant, name)
    aggregate = aggregates.deliveries.aggregate(call.tenant, delivery)
    package = (await aggregates.deliveries.load(aggregate)).state
    if not package.exists or SongName(package.project, package.song) != name:
        raise Unknown("NO_SUCH_DELIVERY", f"there is no {name.delivery(delivery)}", delivery=delivery)

    return await aggregates.deliveries.execute(
        aggregate,
        lambda state: decide(song, state, access.project),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=name.song, external_ref=song.external_ref),
        expected_etag=request.etag,
    )


async def _material(
    aggregates: Aggregates,
    parties: Parties,
    access: Access,
    song: Versioned[Song],
    *,
    mixer_initials: str,
    spec: pb.DeliverySpec,
) -> Material:
    """Gather what the package is made of, as the song and the project are now."""
    return await packages.material_of(
        aggregates,
        parties,
        access.call.tenant,
        song.state.name,
        mixer_initials=mixer_initials,
        spec=spec,
        song_sequence=song.sequence,
        project_sequence=access.membership_sequence,
    )


async def _missing_objects(objects: ObjectStore, material: Material) -> tuple[Condition, ...]:
    """Return a gap for every file whose bytes are not in the store."""
    return tuple(
        [
            Condition("OBJECT_MISSING", file.version, f"{file.filename} is not in the object store; restore it")
            for file in material.contents().files
            if not await objects.exists(file.sha256)
        ]
    )


async def _record(
    aggregates: Aggregates,
    access: Access,
    request: Request,
    *,
    delivery: str,
    built: Sequence[Message],
    song: Song,
) -> Versioned[DeliveryPackage]:
    outcome = await aggregates.deliveries.execute(
        aggregates.deliveries.aggregate(access.call.tenant, delivery),
        lambda state: () if state.exists else built,
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=song.id, external_ref=song.external_ref),
    )
    return outcome.versioned


async def _on_song(
    aggregates: Aggregates,
    access: Access,
    request: Request,
    song: Song,
    *,
    findings: Sequence[str] = (),
    delivery: str = "",
    master_number: int | None = None,
) -> None:
    """Record the result on the song; a repeat of a request that failed refuses with the gaps of the first time."""
    master = song.approved(MASTER)
    number = (master.number if master else 0) if master_number is None else master_number
    outcome = await aggregates.songs.execute(
        aggregates.songs.aggregate(access.call.tenant, song.id),
        lambda state: domain.record_precheck(state, findings, delivery, number),
        request_id=request.request_id,
        request_hash=request.request_hash,
        metadata=access.metadata(song=song.id, external_ref=song.external_ref),
        expected_etag=request.etag,
    )
    recorded = events_pb2.DeliveryPrechecked.FromString(outcome.events[0].data)
    if outcome.replayed and not recorded.passed:
        raise domain.incomplete([domain.condition_of(finding) for finding in recorded.findings])


def _master_of(package: DeliveryPackage) -> int:
    """Return the number of the master in a package."""
    return next(parse_version(file.version, "version").number for file in package.files if file.role == "master")


def _require_same_request(package: Versioned[DeliveryPackage], request: Request) -> None:
    record = package.requests.get(request.request_id)
    if record is not None and record.request_hash != request.request_hash:
        text = f"{request.request_id} was already used for another request; make a new one"
        raise InvalidCommand("REQUEST_ID_REUSED", [("request_id", text)])
