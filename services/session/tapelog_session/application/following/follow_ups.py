"""What a fact of one aggregate means for another: recorded there with a request_id that follows from the fact.

Called right after the command, so that its caller reads the result, and again by the process that reads the log, so
that a crash in between loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from tapelog.session.v1 import events_pb2
from tapelog_chassis.event_log import Metadata, StoredEvent
from tapelog_chassis.ids import follow_up_request_id

from tapelog_session.application.aggregates import EVENTS, Aggregates
from tapelog_session.application.following.processes import PARTY
from tapelog_session.domain import songs, studio_session
from tapelog_session.domain.gates import send_backs
from tapelog_session.domain.handover import delivery

STEP: Final = "follow-up"
_CAUSES: Final = frozenset(
    message.DESCRIPTOR.full_name
    for message in (
        events_pb2.StageSentBack,
        events_pb2.DeliveryAccepted,
        events_pb2.DeliveryReturned,
        events_pb2.StudioSessionOpened,
        events_pb2.ContributionLogged,
        events_pb2.ContributionConfirmed,
        events_pb2.ContributionDisputed,
    )
)


async def follow_up(aggregates: Aggregates, events: Sequence[StoredEvent]) -> None:
    """Record on other aggregates what follows from these events; nothing for most. A repeat changes nothing."""
    for stored in events:
        if stored.schema in _CAUSES:
            await _follow(aggregates, stored, EVENTS.decode(stored))


async def _follow(aggregates: Aggregates, stored: StoredEvent, message: Message) -> None:
    tenant, song = stored.aggregate.tenant, stored.metadata.song
    match message:
        case events_pb2.StageSentBack() if message.send_back.returned_delivery:
            sent_back = message.send_back
            await aggregates.deliveries.execute(
                aggregates.deliveries.aggregate(tenant, sent_back.returned_delivery),
                lambda package: delivery.give_back(package, sent_back),
                request_id=follow_up_request_id(stored.event_id, STEP),
                request_hash=stored.hash,
                metadata=_because_of(stored),
            )
        case events_pb2.DeliveryAccepted():
            accepted_by = message.accepted_by
            await aggregates.songs.execute(
                aggregates.songs.aggregate(tenant, song),
                lambda state: songs.record_acceptance(state, stored.aggregate.id, accepted_by),
                request_id=follow_up_request_id(stored.event_id, STEP),
                request_hash=stored.hash,
                metadata=_because_of(stored),
            )
        case events_pb2.DeliveryReturned() if message.returned_by:
            advice = delivery.advice_of(message, stored.aggregate.id)
            await aggregates.songs.execute(
                aggregates.songs.aggregate(tenant, song),
                lambda state: send_backs.record_return(state, advice),
                request_id=follow_up_request_id(stored.event_id, STEP),
                request_hash=stored.hash,
                metadata=_because_of(stored),
            )
        case (
            events_pb2.StudioSessionOpened()
            | events_pb2.ContributionLogged()
            | events_pb2.ContributionConfirmed()
            | events_pb2.ContributionDisputed()
        ):
            await _settle(aggregates, stored)


async def _settle(aggregates: Aggregates, stored: StoredEvent) -> None:
    """Count the contributions of a studio session on its song, as they are right after the fact."""
    session = await aggregates.sessions.load(stored.aggregate, as_of_sequence=stored.sequence)
    count = studio_session.count_of(session.state, stored.sequence)
    await aggregates.songs.execute(
        aggregates.songs.aggregate(stored.aggregate.tenant, session.state.song),
        lambda song: studio_session.settle(song, count),
        request_id=follow_up_request_id(stored.event_id, STEP),
        request_hash=stored.hash,
        metadata=_because_of(stored),
    )


def _because_of(stored: StoredEvent) -> Metadata:
    known = stored.metadata
    return Metadata(
        actor=PARTY,
        correlation_id=known.correlation_id,
        causation_id=stored.event_id,
        project=known.project,
        song=known.song,
        external_ref=known.external_ref,
    )
