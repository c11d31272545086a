"""A public event and its two forms: the protobuf message of gRPC streams, the JSON CloudEvent of webhooks."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf import any_pb2, json_format, symbol_database
from google.protobuf.message import DecodeError
from tapelog.common.v1 import event_pb2

# Imported so that their messages can be found by name.
from tapelog.notify.v1 import events_pb2 as _notify  # noqa: F401
from tapelog.render.v1 import events_pb2 as _render  # noqa: F401
from tapelog.session.v1 import events_pb2 as _session  # noqa: F401

from .event_filter import EventFilter
from .links import event_link, resource_link
from .threads import Thread, thread_of

BODY_BYTES_MAX: Final = 20_000
"""Standard Webhooks: bodies stay under 20 kB; a larger event is sent without its data."""
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TYPE_URL_PREFIX: Final = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """
    One message of the public stream.

    Attributes
    ----------
    position
        Place in the public stream: the cursor.
    sequence
        Place in the aggregate, from 1 without gaps.
    schema
        Full name of the protobuf message in `data`.
    """

    id: str
    type: str
    source: str
    time: datetime
    tenant: str
    project: str
    song: str
    aggregate: str
    sequence: int
    position: int
    actor: str
    on_behalf_of: str
    role_used: str
    correlation_id: str
    causation_id: str
    schema: str
    data: bytes

    @property
    def thread(self) -> Thread | None:
        """The thread of a note's event; None for every other."""
        return thread_of(self.type, self.data)

    def passes(self, event_filter: EventFilter) -> bool:
        """Whether a filter lets it through."""
        thread = self.thread if event_filter.thread is not None else None
        return event_filter.matches(type_=self.type, project=self.project, song=self.song, thread=thread)


def to_message(event: PublicEvent) -> event_pb2.Event:
    """Make the message of gRPC streams."""
    message = event_pb2.Event(
        id=event.id,
        type=event.type,
        source=event.source,
        tenant=event.tenant,
        project=event.project,
        song=event.song,
        aggregate=event.aggregate,
        sequence=event.sequence,
        position=event.position,
        actor=event.actor,
        on_behalf_of=event.on_behalf_of,
        role_used=event.role_used,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        data=any_pb2.Any(type_url=TYPE_URL_PREFIX + event.schema, value=event.data),
    )
    message.time.FromDatetime(event.time)
    return message


def to_json(event: PublicEvent) -> bytes:
    """
    Make the body of a webhook: a CloudEvent 1.0 in the JSON format.

    `data` is the event's message in protobuf's JSON form with the field names of the protos. Where the body would
    reach `BODY_BYTES_MAX`, or the message is not known here, there is no `data`. `dataref` is there always:
    `tapelog:events/<position>`, which `GetEvent` reads; `resource` links to what the event is about.
    """
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.aggregate,
        "time": event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "dataschema": f"proto:{event.schema}",
        # CloudEvents integers have 32 bits, so that sequence and position travel as text.
        "sequence": str(event.sequence),
        "position": str(event.position),
        "tenant": event.tenant,
    }
    optional = {
        "project": event.project,
        "song": event.song,
        "actor": event.actor,
        "onbehalfof": event.on_behalf_of,
        "roleused": event.role_used,
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
        "thread": event.thread.value if event.thread is not None else "",
        "resource": resource_link(event.type, id_=event.aggregate, project=event.project, song=event.song),
        # What has no position is in no stream: a test delivery.
        "dataref": event_link(event.position) if event.position else "",
    }
    attributes |= {name: value for name, value in optional.items() if value}
    data = data_as_json(event)
    if data is not None:
        body = _dump({**attributes, "datacontenttype": "application/json", "data": data})
        if len(body) < BODY_BYTES_MAX:
            return body
    return _dump(attributes)


def data_as_json(event: PublicEvent) -> dict[str, Any] | None:
    """Return the message in protobuf's JSON form; None where it is not known here, or has no such form."""
    try:
        message = symbol_database.Default().GetSymbol(event.schema).FromString(event.data)
        found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    except (KeyError, DecodeError, json_format.Error, TypeError, ValueError):
        # A time that is none or a foreign Any can be stored and cannot be written; nobody may be held up by one.
        return None
    return found


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
