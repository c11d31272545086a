"""The DeliveryPackage aggregate: built, handed over, accepted, returned; and what the song keeps of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.checks import TEXT_CHARS_MAX, Fields
from tapelog_session.domain.errors import Condition, Moved, NotNow
from tapelog_session.domain.gates.send_backs import check_advice
from tapelog_session.domain.handover.naming import INITIALS
from tapelog_session.domain.handover.package_contents import check_spec
from tapelog_session.domain.permissions import require_stage
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning.versions import MASTER

StateValue: TypeAlias = "pb.DeliveryState.ValueType"
ReasonValue: TypeAlias = "pb.SendBackReason.ValueType"


@dataclasses.dataclass(frozen=True, slots=True)
class DeliveryPackage:
    """What was built, and what became of it. Without files before its first event."""

    id: str = ""
    project: str = ""
    song: str = ""
    state: StateValue = pb.DELIVERY_STATE_UNSPECIFIED
    files: tuple[pb.DeliveryFile, ...] = ()
    manifest_sha256: str = ""
    create_time: datetime | None = None
    accepted_by: str = ""
    return_comment: str = ""
    return_reason: ReasonValue = pb.SEND_BACK_REASON_UNSPECIFIED
    returned_by: str = ""
    handed_over_to: str = ""
    hand_over_time: datetime | None = None
    spec: pb.DeliverySpec | None = None
    mixer_initials: str = ""
    song_sequence: int = 0
    project_sequence: int = 0

    @property
    def exists(self) -> bool:
        """Whether it was built."""
        return self.state != pb.DELIVERY_STATE_UNSPECIFIED


def check_request(song: Song, mixer_initials: str, spec: pb.DeliverySpec) -> None:
    """Refuse a build in the wrong stage, with initials unfit for a file name, or by a spec nobody can meet."""
    require_stage(song, "BuildDelivery")
    fields = Fields()
    fields.that(
        INITIALS.fullmatch(mixer_initials) is not None, "mixer_initials", f"{mixer_initials[:20]!r}: 1 to 4 letters"
    )
    check_spec(fields, spec)
    fields.refuse()


def finding_of(condition: Condition) -> str:
    """Return a gap as the one line that is kept of it."""
    return f"{condition.code} {condition.subject}: {condition.description}"


def condition_of(finding: str) -> Condition:
    """Return the gap of a line."""
    head, _, description = finding.partition(": ")
    code, _, subject = head.partition(" ")
    return Condition(code, subject, description)


def incomplete(conditions: Sequence[Condition]) -> NotNow:
    """Return the refusal that lists every gap."""
    codes = ", ".join(dict.fromkeys(condition.code for condition in conditions))
    return NotNow("DELIVERY_INCOMPLETE", f"the package lacks: {codes}", conditions=conditions, missing=len(conditions))


def record_precheck(song: Song, findings: Sequence[str], delivery: str, master_number: int) -> Sequence[Message]:
    """Record on the song that a package was built, or what it lacks.

    Raises
    ------
    Moved
        Another master was approved while the package was built.
    """
    master = song.approved(MASTER)
    approved = master.number if master else 0
    if delivery and approved != master_number:
        text = f"the package was built of master {master_number}, approved is {approved or 'none'}; build it again"
        raise Moved("DELIVERY_OUTDATED", f"{text} with a new request_id", built=master_number, approved=approved)
    return [
        events_pb2.DeliveryPrechecked(
            passed=not findings, findings=findings, delivery=delivery, master_number=master_number
        )
    ]


def hand_over(song: Song, package: DeliveryPackage, recipient: str, comment: str) -> Sequence[Message]:
    """Record that the final package was handed over; nothing if it was, to the same recipient."""
    require_stage(song, "HandOverDelivery")
    fields = Fields()
    fields.id("recipient", recipient)
    fields.text("comment", comment, TEXT_CHARS_MAX, chars_min=0)
    fields.refuse()
    _require_final(song, package, "handed over")
    if package.handed_over_to == recipient:
        return []
    return [events_pb2.DeliveryHandedOver(recipient=recipient, comment=comment)]


def accept(song: Song, package: DeliveryPackage, party: str) -> Sequence[Message]:
    """Accept the song's newest package, if it is a final one."""
    require_stage(song, "AcceptDelivery")
    _require_final(song, package, "accepted")
    return [events_pb2.DeliveryAccepted(accepted_by=party)]


def return_to_studio(song: Song, package: DeliveryPackage, wanted: pb.SendBackAdvice) -> Sequence[Message]:
    """Return the song's newest package for the label, accepted or not yet; only the producer sends the song back.

    Parameters
    ----------
    wanted : SendBackAdvice
        Party, stage that has to be done again, reason, comment and notes.
    """
    require_stage(song, "ReturnDelivery")
    fields = Fields()
    fields.text("comment", wanted.comment, TEXT_CHARS_MAX)
    fields.refuse()
    check_advice(song, wanted)
    _require_final(song, package, "returned", states=(pb.DELIVERY_STATE_FINAL, pb.DELIVERY_STATE_ACCEPTED))
    return [
        events_pb2.DeliveryReturned(
            reason=wanted.reason,
            comment=wanted.comment,
            returned_by=wanted.party,
            to=wanted.to,
            notes=wanted.notes,
        )
    ]


def advice_of(returned: events_pb2.DeliveryReturned, delivery: str) -> pb.SendBackAdvice:
    """Return what a returned package asks of its song."""
    return pb.SendBackAdvice(
        party=returned.returned_by,
        role=pb.ROLE_LABEL,
        to=returned.to,
        reason=returned.reason,
        comment=returned.comment,
        notes=returned.notes,
        delivery=delivery,
    )


def _require_final(
    song: Song, package: DeliveryPackage, done: str, *, states: Sequence[StateValue] = (pb.DELIVERY_STATE_FINAL,)
) -> None:
    if song.delivery != package.id:
        raise NotNow("NOT_THE_NEWEST", f"delivery {package.id} was replaced by {song.delivery}; take that one")
    if package.state not in states:
        state = pb.DeliveryState.Name(package.state).removeprefix("DELIVERY_STATE_")
        raise NotNow(
            "NOT_FINAL", f"delivery {package.id} is {state}; only a final one can be {done}, and once", state=state
        )


def give_back(package: DeliveryPackage, sent_back: pb.SendBack) -> Sequence[Message]:
    """Return a package with its song; nothing if that is done, or it is a draft."""
    if package.state not in {pb.DELIVERY_STATE_FINAL, pb.DELIVERY_STATE_ACCEPTED}:
        return []
    return [events_pb2.DeliveryReturned(edge=sent_back.edge, reason=sent_back.reason, comment=sent_back.comment)]


def evolve(package: DeliveryPackage, event: Message, time: datetime) -> DeliveryPackage:
    """Return the package after an event."""
    match event:
        case events_pb2.DeliveryBuilt():
            return DeliveryPackage(
                project=event.project,
                song=event.song,
                state=pb.DELIVERY_STATE_DRAFT if event.draft else pb.DELIVERY_STATE_FINAL,
                files=tuple(event.files),
                manifest_sha256=event.manifest_sha256,
                create_time=time,
                spec=event.spec if event.HasField("spec") else None,
                mixer_initials=event.mixer_initials,
                song_sequence=event.song_sequence,
                project_sequence=event.project_sequence,
            )
        case events_pb2.CreditsExported():
            return package
        case events_pb2.DeliveryHandedOver():
            return dataclasses.replace(package, handed_over_to=event.recipient, hand_over_time=time)
        case events_pb2.DeliveryAccepted():
            return dataclasses.replace(package, state=pb.DELIVERY_STATE_ACCEPTED, accepted_by=event.accepted_by)
        case events_pb2.DeliveryReturned():
            return dataclasses.replace(
                package,
                state=pb.DELIVERY_STATE_RETURNED,
                return_comment=event.comment,
                return_reason=event.reason,
                returned_by=event.returned_by,
            )
    raise TypeError(f"{type(event).__name__} is not an event of a delivery package")
