"""Which thread an event is of, and what an event links to."""

from typing import Any

import pytest
from google.protobuf import symbol_database
from tapelog.session.v1 import events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.links import event_link, position_of, resource_link
from tapelog_notify.domain.threads import NOTE_TYPES, Thread, thread_of, wanted_thread

NOTE_THREAD = pb.Note.DESCRIPTOR.fields_by_name["thread"].enum_type


def _says_a_thread(descriptor: Any, depth: int = 3) -> bool:
    return any(
        field.enum_type is NOTE_THREAD
        or (depth and field.message_type is not None and _says_a_thread(field.message_type, depth - 1))
        for field in descriptor.fields
    )


def test_every_event_that_says_a_thread_is_known_to_and_every_event_of_notes_says_one() -> None:
    """A new event with a thread that the filter does not know of fails here, and so does one of notes without."""
    messages = {type_: symbol_database.Default().GetSymbol(schema) for type_, schema in EVENT_TYPES.items()}
    assert {type_ for type_, message in messages.items() if _says_a_thread(message.DESCRIPTOR)} == NOTE_TYPES
    assert {type_ for type_ in messages if type_.startswith("tapelog.song.note")} == NOTE_TYPES


@pytest.mark.parametrize("type_", sorted(NOTE_TYPES))
def test_what_does_not_say_it_or_cannot_be_read_is_internal(type_: str) -> None:
    """Events of early versions and broken ones are not shown to the label."""
    client = EventFilter(thread=Thread.CLIENT)
    for data in (b"", b"\x00\xff"):
        assert thread_of(type_, data) is Thread.INTERNAL
        assert not client.matches(type_=type_, project="p", song="s", thread=thread_of(type_, data))


def test_the_thread_is_read_from_every_message() -> None:
    """Client where it says so."""
    added = events_pb2.NoteAdded(note=pb.Note(thread=pb.NOTE_THREAD_CLIENT)).SerializeToString()
    assert thread_of("tapelog.song.note_added.v1", added) is Thread.CLIENT
    for type_ in NOTE_TYPES - {"tapelog.song.note_added.v1"}:
        message = symbol_database.Default().GetSymbol(EVENT_TYPES[type_])
        assert thread_of(type_, message(thread=pb.NOTE_THREAD_CLIENT).SerializeToString()) is Thread.CLIENT
    assert thread_of("tapelog.song.stage_advanced.v1", b"") is None


def test_a_thread_there_is_not_is_refused() -> None:
    """A number of a later version does not become "both"."""
    with pytest.raises(InvalidValue):
        wanted_thread(7)


def test_links() -> None:
    """An event's link is read back; resources have the names that their Get takes; what has none has no link."""
    assert event_link(12) == "tapelog:events/12"
    assert [position_of(n) for n in ("tapelog:events/12", "events/12", "events/-1", "12", "events/x", "")] == [
        12, 12, None, None, None, None,
    ]  # fmt: skip
    place = {"project": "prj-1", "song": "sng-1"}
    assert resource_link("tapelog.song.stage_advanced.v1", id_="sng-1", **place) == "tapelog:projects/prj-1/songs/sng-1"
    assert resource_link("tapelog.render_job.render_failed.v1", id_="job-1", **place) == "tapelog:renderJobs/job-1"
    delivery = resource_link("tapelog.delivery_package.delivery_built.v1", id_="dlv-1", **place)
    assert delivery == "tapelog:projects/prj-1/songs/sng-1/deliveries/dlv-1"
    assert resource_link("tapelog.song.stage_advanced.v1", id_="sng-1", project="", song="") == ""
    assert resource_link("tapelog.asset.asset_registered.v1", id_="ast-1", **place) == ""
    assert resource_link("tapelog.subscription.test_delivery.v1", id_="sub-1", project="", song="") == (
        "tapelog:subscriptions/sub-1"
    )
