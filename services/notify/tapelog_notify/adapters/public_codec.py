"""The form of public events on NATS: CloudEvents binary mode, protobuf body, our `tl-*` headers."""

from collections.abc import Mapping
from typing import Final

import structlog
from tapelog_chassis.event_log import CorruptStream
from tapelog_chassis.event_log.codec import (
    MSG_ID,
    SCHEMA_SCHEME,
    decode_value,
    encode,
    parse_time,
)
from tapelog_chassis.nats import Delivery
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.nats.publish import Draft
from tapelog_chassis.topology import es_stream, pub_subject

from tapelog_notify import telemetry
from tapelog_notify.application.ports import Outgoing, Positions
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.domain.threads import audience_of

_log = structlog.get_logger(__name__)

SOURCE_POSITION: Final = "tl-source-position"
"""How far every log was published with this message: `ES_SESSION=12,ES_RENDER=7`."""

_PUBLIC_TL: Final = frozenset(
    {"tl-actor", "tl-on-behalf-of", "tl-role-used", "tl-project", "tl-song", "tl-external-ref"}
)
"""Our headers that outsiders get; hashes, request ids and membership sequences stay inside."""


def encode_public(outgoing: Outgoing) -> Draft:
    """Return a public message; its body is the event's own."""
    event = outgoing.event
    metadata = event.metadata
    audience = audience_of(event.type, event.data)
    subject = pub_subject(event.aggregate.tenant, metadata.project, metadata.song, event.type, audience=audience)
    headers = {name: value for name, value in encode(event).items() if not name.startswith("tl-") or name in _PUBLIC_TL}
    headers[MSG_ID] = event.event_id
    headers[SOURCE_POSITION] = format_positions(outgoing.positions)
    return Draft(subject, event.data, headers)


def format_positions(positions: Positions) -> str:
    """Write the value of `tl-source-position`."""
    return ",".join(f"{es_stream(context)}={position}" for context, position in positions.items())


def parse_positions(text: str, contexts: Mapping[str, str]) -> dict[str, int]:
    """Read `tl-source-position`; `contexts` maps stream names to contexts."""
    pairs = (item.partition("=") for item in text.split(",") if item)
    return {contexts[stream]: int(position) for stream, _, position in pairs if stream in contexts}


def decode_public(delivery: Delivery | StoredMessage) -> PublicEvent:
    """
    Read a public event back from its message.

    Raises
    ------
    CorruptStream
        If a header is missing or unreadable, or the subject is another tenant's.
    """
    headers = delivery.headers
    tenant = delivery.subject.split(".")[1]

    def text(name: str) -> str:
        return decode_value(headers.get(name, ""))

    try:
        return PublicEvent(
            id=decode_value(headers["ce-id"]),
            type=decode_value(headers["ce-type"]),
            source=decode_value(headers["ce-source"]),
            time=parse_time(decode_value(headers["ce-time"])),
            tenant=_same(decode_value(headers["ce-tenant"]), tenant),
            project=text("tl-project"),
            song=text("tl-song"),
            aggregate=decode_value(headers["ce-subject"]),
            sequence=int(headers["ce-sequence"]),
            position=delivery.position,
            actor=text("tl-actor"),
            on_behalf_of=text("tl-on-behalf-of"),
            role_used=text("tl-role-used"),
            correlation_id=text("ce-correlationid"),
            causation_id=text("ce-causationid"),
            schema=decode_value(headers["ce-dataschema"]).removeprefix(SCHEMA_SCHEME),
            data=delivery.data,
        )
    except (KeyError, ValueError) as error:
        raise CorruptStream(
            delivery.subject, 0, f"the message at position {delivery.position} is not a public event ({error!r})"
        ) from error


def _same(named: str, tenant: str) -> str:
    """Return the tenant that headers name, if it is that of the subject, by which the broker filters."""
    if named != tenant:
        raise ValueError("its tenant header contradicts its subject")
    return named


def readable(message: Delivery | StoredMessage) -> PublicEvent | None:
    """
    Read a public event back; None, with an alert, for what is none.

    The public stream is a copy that its projector alone writes: what it would not have written is not a fact that
    could be missed, and must not hold up those behind it.
    """
    try:
        return decode_public(message)
    except CorruptStream as error:
        telemetry.FOREIGN_PASSED_BY.inc()
        _log.error("foreign message passed by", position=message.position, cause=error.reason, alert=True)
        return None
