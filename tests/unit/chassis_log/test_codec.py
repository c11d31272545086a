"""Events and headers: the CloudEvents NATS binding, there and back."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog_chassis.event_log import AggregateId, CorruptStream, Metadata, chain, codec
from tapelog_chassis.testing import new_event

SONG = AggregateId("session", "acme", "sng-1")
TEXT = st.text(max_size=60)


def stored(metadata: Metadata = Metadata(), **changes: object):  # noqa: B008 - frozen default
    """Make a stored event at position 7."""
    event = replace(new_event("1", b"body"), **changes)
    return replace(chain.seal(SONG, 0, chain.genesis_hash(SONG), [event], metadata)[0], position=7)


def test_the_attributes_are_the_specified_ones() -> None:
    """Every required and promised header is there, with the values of the event."""
    event = stored(
        Metadata(correlation_id="c-1", causation_id="c-2"), time=datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    )
    headers = codec.encode(event)
    assert {name: value for name, value in headers.items() if name.startswith(("ce-", "Nats-"))} == {
        "ce-specversion": "1.0",
        "ce-id": event.event_id,
        "ce-type": "tapelog.thing.thing_happened.v1",
        "ce-source": "/tapelog/session",
        "ce-time": "2026-02-03T04:05:06.000007Z",
        "ce-subject": "sng-1",
        "ce-dataschema": "proto:google.protobuf.BytesValue",
        "ce-datacontenttype": "application/protobuf",
        "ce-sequence": "1",
        "ce-tenant": "acme",
        "ce-correlationid": "c-1",
        "ce-causationid": "c-2",
        "Nats-Msg-Id": event.event_id,
    }


def test_values_are_encoded_as_in_the_specification() -> None:
    """The specification's own example, and the characters it names."""
    assert codec.encode_value("Euro € 😀") == "Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert codec.encode_value('a"b%c') == "a%22b%25c"
    assert codec.encode_value("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~") == "!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=len(fields(Metadata)) - 1, max_size=len(fields(Metadata)) - 1),
    membership_sequence=st.integers(0, 2**63),
    data=st.binary(max_size=100),
    time=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(timezone(timedelta(hours=-5)))),  # noqa: DTZ001 - hypothesis takes bounds without a zone
)
def test_any_event_survives_its_headers(
    texts: list[str], membership_sequence: int, data: bytes, time: datetime
) -> None:
    """Whatever text is in the metadata, decoding the printable headers gives back the same event."""
    names = [field.name for field in fields(Metadata) if field.name != "membership_sequence"]
    metadata = Metadata(membership_sequence=membership_sequence, **dict(zip(names, texts, strict=True)))
    event = stored(metadata, data=data, time=time)
    headers = codec.encode(event)
    assert all(0x21 <= ord(character) <= 0x7E for value in headers.values() for character in value)
    assert codec.decode(SONG.subject, headers, data, 7) == event


@pytest.mark.parametrize(
    "change",
    [
        {"ce-sequence": None},
        {"ce-sequence": "one"},
        {"ce-id": None},
        {"ce-time": "yesterday"},
        {"tl-hash": None},
        {"tl-membership-sequence": "x"},
        {"ce-tenant": "rival"},
        {"ce-tenant": None},
    ],
)
def test_a_message_that_is_no_event_is_corrupt(change: dict[str, str | None]) -> None:
    """A missing, unreadable or contradicting header is reported with the subject, never guessed."""
    headers = {**codec.encode(stored()), **{name: value for name, value in change.items() if value is not None}}
    for name in [name for name, value in change.items() if value is None]:
        del headers[name]
    with pytest.raises(CorruptStream, match=r"es\.session\.acme\.sng-1"):
        codec.decode(SONG.subject, headers, b"body", 7)
