"""The hash chain, computed a second time by hand."""

import hashlib
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from tapelog_chassis.event_log import AggregateId, CorruptStream, InvalidEvent, Metadata, chain
from tapelog_chassis.testing import new_event

SONG = AggregateId("session", "acme", "sng-1")
WHO = Metadata(actor="pty-ana", membership_sequence=7, external_ref="booking\n9")


def history(count: int) -> list:
    """Make a correct stored history."""
    sealed = chain.seal(SONG, 0, chain.genesis_hash(SONG), [new_event(str(n)) for n in range(count)], WHO)
    return [replace(event, position=10 * event.sequence) for event in sealed]


def test_the_chain_is_what_the_document_says() -> None:
    """Genesis is the hash of the name; each link covers the hash before, the event's attributes, headers and body."""
    previous = hashlib.sha256(b"es.session.acme.sng-1").hexdigest()
    for event in history(3):
        time = event.time.isoformat(timespec="microseconds").replace("+00:00", "Z")
        lines = ["2", previous, event.event_id, event.type, str(event.sequence), event.schema, time]
        lines += ["tl-actor:pty-ana", "tl-membership-sequence:7", "tl-external-ref:booking%0A9", "", ""]
        text = "\n".join(lines).encode() + event.data
        assert event.previous_hash == previous
        assert event.hash == hashlib.sha256(text).hexdigest()
        previous = event.hash


def test_a_correct_history_verifies_whole_and_in_part() -> None:
    """The whole history passes, and a rest passes after the hash of the event before it."""
    events = history(5)
    chain.verify(SONG, events)
    chain.verify(SONG, events[2:], after_sequence=2, previous_hash=events[1].hash)
    chain.verify(SONG, [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda events: events[:1] + events[2:], "sequence 3"),
        (lambda events: [events[0], events[2], events[1]], "sequence 3"),
        (lambda events: [events[0], *events], "sequence 1"),
        (lambda events: events[1:], "sequence 2"),
        (lambda events: [replace(events[0], data=b"other"), *events[1:]], "content"),
        (lambda events: [replace(events[0], type="tapelog.thing.other.v1"), *events[1:]], "content"),
        (lambda events: [replace(events[0], schema="google.protobuf.Empty"), *events[1:]], "content"),
        (lambda events: [replace(events[0], time=events[0].time + timedelta(microseconds=1)), *events[1:]], "headers"),
        (lambda events: [replace(events[0], hash="0" * 64), *events[1:]], "content"),
        (lambda events: [replace(events[0], aggregate=AggregateId("session", "rival", "sng-1"))], "rival"),
        (lambda events: [events[0], replace(events[1], position=1)], "position"),
    ],
    ids=["gap", "swap", "repeat", "no start", "body", "type", "schema", "time", "hash", "owner", "order"],
)
def test_every_change_is_found(change, reason) -> None:  # noqa: ANN001 - the parameters above
    """A gap, a swap, a repeat, a missing start, another body, type, hash, owner or order is named."""
    with pytest.raises(CorruptStream, match=reason):
        chain.verify(SONG, change(history(3)))


@pytest.mark.parametrize("field", [field.name for field in fields(Metadata)])
def test_every_metadata_header_is_covered(field: str) -> None:
    """Another actor, role, request or cause, and one that is taken away or added, does not fit the hash."""
    events = history(1)
    old = getattr(WHO, field)
    changes = [old + 1, 0] if isinstance(old, int) else [f"{old}x", "pty-ben", ""]
    for new in changes:
        if new == old:
            continue
        with pytest.raises(CorruptStream, match="headers"):
            chain.verify(SONG, [replace(events[0], metadata=replace(WHO, **{field: new}))])


@pytest.mark.parametrize("token", ["", "A", "1a", "a.b", "a*", "a b", "-a", "a_b", "ä", "a" * 33, "a\n"])
def test_a_name_that_is_no_token_is_refused(token: str) -> None:
    """Nothing that could change a subject's meaning gets into one."""
    for parts in ((token, "acme", "sng-1"), ("session", token, "sng-1"), ("session", "acme", token)):
        with pytest.raises(InvalidEvent, match="1 to 32"):
            AggregateId(*parts)


def test_a_name_is_read_back() -> None:
    """Subject and name are one thing; any other subject is refused."""
    assert AggregateId.parse(SONG.subject) == SONG
    for subject in ("", "es.session.acme", "pub.session.acme.sng-1", "es.session.acme.sng-1.x"):
        with pytest.raises(InvalidEvent):
            AggregateId.parse(subject)
