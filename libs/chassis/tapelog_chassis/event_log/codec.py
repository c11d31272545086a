"""
The one mapping between events and message headers: CloudEvents binary mode in the NATS binding.

Attributes travel as `ce-*` headers, values percent-encoded (space, double quote, percent and everything outside
printable ASCII), the body is the protobuf message. What is ours alone travels as `tl-*`. Public events use the same
functions (`cloud_event_headers`, `encode_value`, `decode_value`).

Source: CloudEvents 1.0.2, NATS protocol binding, section 3.1; header value encoding of the HTTP binding, 3.1.3.2.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from .errors import CorruptStream, EventTooLarge, InvalidEvent
from .port import MAX_EVENT_BYTES, AggregateId, Metadata, StoredEvent

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/protobuf"
SCHEMA_SCHEME: Final = "proto:"
"""`ce-dataschema` must be an absolute URI: `proto:` and the message's full name."""
MSG_ID: Final = "Nats-Msg-Id"
SEQUENCE: Final = "ce-sequence"
"""The event's place in its aggregate."""

AGGREGATES_MAX: Final = 1024
"""Names that are remembered: the events of one aggregate come one after another."""

MAX_VALUE_CHARS: Final = 512
"""One metadata value before encoding: ids and references, never text."""

_VISIBLE: Final = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')
_PLAIN: Final = re.compile(r"[!#$&-~]*")
"""Values that are their own encoding: nearly all, and worth not walking through one by one."""

_METADATA_HEADERS: Final = {
    "actor": "tl-actor",
    "on_behalf_of": "tl-on-behalf-of",
    "role_used": "tl-role-used",
    "membership_sequence": "tl-membership-sequence",
    "request_id": "tl-request-id",
    "request_hash": "tl-request-hash",
    "correlation_id": "ce-correlationid",
    "causation_id": "ce-causationid",
    "project": "tl-project",
    "song": "tl-song",
    "external_ref": "tl-external-ref",
    "traceparent": "ce-traceparent",
}
_METADATA_NAMES: Final = tuple(_METADATA_HEADERS.values())
_MEMBERSHIP: Final = list(_METADATA_HEADERS).index("membership_sequence")
_METADATA_VALUES: Final = operator.attrgetter(*_METADATA_HEADERS)


def encode_value(value: str) -> str:
    """Percent-encode a header value as the CloudEvents NATS binding demands."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_VISIBLE)


def decode_value(value: str) -> str:
    """Undo `encode_value`."""
    return unquote(value, errors="strict") if "%" in value else value


def format_time(time: datetime) -> str:
    """Render as RFC 3339 in UTC with microseconds, e.g. `2026-01-31T12:00:00.000000Z`."""
    text = (time if time.tzinfo is UTC else time.astimezone(UTC)).isoformat(timespec="microseconds")
    return text[:-6] + "Z"  # what it writes for UTC is "+00:00"


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; the result is in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def cloud_event_headers(
    *, event_id: str, type_: str, source: str, time: datetime, subject: str, schema: str, extensions: Mapping[str, str]
) -> dict[str, str]:
    """
    Make the headers of a binary-mode CloudEvent with a protobuf body.

    Parameters
    ----------
    event_id, type_, source, time, subject
        The attributes of the same names; values as people read them, encoded here.
    schema
        Full name of the protobuf message in the body.
    extensions
        Extension attributes by name (lower-case letters and digits); empty values are left out.
    """
    headers = {
        "ce-specversion": SPEC_VERSION,
        "ce-id": event_id,
        "ce-type": type_,
        "ce-source": source,
        "ce-time": format_time(time),
        "ce-subject": subject,
        "ce-dataschema": SCHEMA_SCHEME + schema,
        "ce-datacontenttype": CONTENT_TYPE,
    }
    for name, value in extensions.items():
        headers["ce-" + name] = value
    if not all(headers.values()):
        headers = {name: value for name, value in headers.items() if value}
    return _encoded(headers)


def _encoded(headers: dict[str, str]) -> dict[str, str]:
    """Encode the values; nearly always all of them are their own encoding, which one look tells."""
    if _PLAIN.fullmatch("".join(headers.values())):
        return headers
    return {name: encode_value(value) for name, value in headers.items()}


def source_of(context: str) -> str:
    """`ce-source` of a context's events: a URI reference that is the same on every machine."""
    return f"/tapelog/{context}"


def encode(event: StoredEvent, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    Make the headers of an event; its body is `event.data`.

    Parameters
    ----------
    event
    own
        `metadata_headers` of the event's metadata, where they are at hand.

    Raises
    ------
    InvalidEvent
        If a metadata value is longer than `MAX_VALUE_CHARS`.
    """
    aggregate, metadata = event.aggregate, event.metadata
    headers = cloud_event_headers(
        event_id=event.event_id,
        type_=event.type,
        source=source_of(aggregate.context),
        time=event.time,
        subject=aggregate.id,
        schema=event.schema,
        extensions={"sequence": str(event.sequence), "tenant": aggregate.tenant},
    )
    headers[MSG_ID] = event.event_id
    headers["tl-hash"] = event.hash
    headers["tl-previous-hash"] = event.previous_hash
    own = metadata_headers(metadata) if own is None else own
    if max(map(len, own.values()), default=0) > MAX_VALUE_CHARS:  # an encoded value is never shorter
        _check_values(metadata)
    headers.update(own)
    return headers


def _check_values(metadata: Metadata) -> None:
    for field in _METADATA_HEADERS:
        chars = len(str(getattr(metadata, field)))
        if chars > MAX_VALUE_CHARS:
            raise InvalidEvent(f"metadata {field} has {chars} characters, the limit is {MAX_VALUE_CHARS}")


def metadata_headers(metadata: Metadata) -> dict[str, str]:
    """Make the headers of the metadata: encoded values by header name, in the table's order, without empty ones."""
    values = _METADATA_VALUES(metadata)
    return _encoded({header: str(value) for header, value in zip(_METADATA_NAMES, values, strict=True) if value})


def _metadata_of(headers: Mapping[str, str]) -> Metadata:
    values: list[Any] = [headers.get(name, "") for name in _METADATA_NAMES]
    if "%" in "".join(values):
        values = [decode_value(value) for value in values]
    values[_MEMBERSHIP] = int(values[_MEMBERSHIP] or 0)
    return Metadata(*values)


@functools.lru_cache(maxsize=AGGREGATES_MAX)
def _aggregate_of(subject: str) -> AggregateId:
    return AggregateId.parse(subject)


def decode(subject: str, headers: Mapping[str, str], data: bytes, position: int) -> StoredEvent:
    """
    Read an event back from its message.

    Raises
    ------
    CorruptStream
        If a header is missing or unreadable, or contradicts the subject.
    """
    try:
        aggregate = _aggregate_of(subject)
        metadata = _metadata_of(headers)
        event = StoredEvent(
            aggregate=aggregate,
            sequence=int(headers[SEQUENCE]),
            position=position,
            event_id=decode_value(headers["ce-id"]),
            type=decode_value(headers["ce-type"]),
            schema=decode_value(headers["ce-dataschema"]).removeprefix(SCHEMA_SCHEME),
            time=parse_time(decode_value(headers["ce-time"])),
            data=data,
            metadata=metadata,
            hash=headers["tl-hash"],
            previous_hash=headers["tl-previous-hash"],
        )
    except (KeyError, ValueError) as error:
        raise CorruptStream(subject, 0, f"the message at position {position} is not an event ({error!r})") from error
    if decode_value(headers.get("ce-tenant", "")) != aggregate.tenant:
        raise CorruptStream(subject, event.sequence, "its tenant header contradicts its subject")
    return event


def changed_headers(event: StoredEvent, headers: Mapping[str, str]) -> list[str]:
    """Name the headers of ours that are not as this event has them: changed, added, or written in another way."""
    expected = encode(event)
    changed = {key for key, value in expected.items() if headers.get(key) != value}
    changed |= {key for key in headers if key.startswith(("ce-", "tl-")) and key not in expected}
    return sorted(changed)


def check_headers(event: StoredEvent, headers: Mapping[str, str]) -> None:
    """Refuse an event whose headers are not to the letter what the codec writes (`CorruptStream`)."""
    if changed := changed_headers(event, headers):
        raise CorruptStream(
            event.aggregate.subject, event.sequence, f"headers were changed or added: {', '.join(changed)}"
        )


def check_size(event: StoredEvent, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the headers and refuse an event that would not fit into a message (`EventTooLarge`); see `encode`."""
    headers = encode(event, own)
    size_bytes = len(event.data) + sum(map(len, headers)) + sum(map(len, headers.values())) + 4 * len(headers) + 12
    # The broker adds the expectation and batch headers of one append, under 256 bytes together.
    size_bytes += 256
    if size_bytes > MAX_EVENT_BYTES:
        raise EventTooLarge(event.event_id, size_bytes, MAX_EVENT_BYTES)
    return headers
