from typing import Any

import pytest
from tapelog.common.v1 import event_pb2
from tapelog.render.v1 import events_pb2, resources_pb2
from tapelog_cli.demo import reconcile
from tapelog_cli.demo.errors import Disagreement
from tapelog_cli.demo.received import Inbox, Received

NOTE = "tapelog.song.note_added.v1"
RESERVED = "tapelog.usage_account.usage_reserved.v1"
SETTLED = "tapelog.usage_account.usage_settled.v1"
FACTS = [Received(id=f"event-{position}", type=NOTE, position=position) for position in (1, 2, 4)]


def _inbox(events: list[Received]) -> Inbox:
    inbox = Inbox("tool")
    for event in events:
        inbox.add(event)
    return inbox


def test_repeats_are_counted_and_dropped() -> None:
    """At-least-once delivery may repeat; the event id tells."""
    inbox = _inbox([*FACTS, FACTS[1]])

    assert inbox.events == FACTS
    assert inbox.repeats == 1


def test_equal_feeds_agree() -> None:
    """A subscriber that has more than was compared is not behind, only ahead."""
    later = Received(id="event-9", type=NOTE, position=9)

    reconcile._check_inbox(_inbox([*FACTS, later]), FACTS)


@pytest.mark.parametrize(
    ("had", "says"),
    [
        (FACTS[:2], "lacks 1 events"),
        ([FACTS[0], FACTS[2]], "event 2"),
        ([FACTS[1], FACTS[0], FACTS[2]], "event 1"),
        ([], "lacks 3 events"),
    ],
    ids=["one missing at the end", "one missing inside", "out of order", "nothing"],
)
def test_a_missing_or_misplaced_event_is_a_disagreement(had: list[Received], says: str) -> None:
    """The message names the subscriber and the first event that differs."""
    with pytest.raises(Disagreement, match=f"tool.*{says}"):
        reconcile._check_inbox(_inbox(had), FACTS)


def _event(position: int, sequence: int, aggregate: str = "sng-1") -> event_pb2.Event:
    return event_pb2.Event(type=NOTE, id=f"event-{position}", aggregate=aggregate, sequence=sequence, position=position)


def test_gaps_in_an_aggregate_are_a_disagreement() -> None:
    """Each aggregate counts from 1 without gaps; public positions rise."""
    reconcile._check_order([_event(1, 1), _event(3, 1, "job-1"), _event(4, 2)])

    with pytest.raises(Disagreement, match="sequence 3 follows 1"):
        reconcile._check_order([_event(1, 1), _event(2, 3)])
    with pytest.raises(Disagreement, match="position 1 follows 2"):
        reconcile._check_order([_event(2, 1), _event(1, 2)])


def _entry(state: Any, quantity_ms: int = 1000) -> resources_pb2.UsageEntry:
    return resources_pb2.UsageEntry(usage_key="k" * 64, job="job-1", state=state, quantity_ms=quantity_ms)


def _usage_event(position: int, type_: str, payload: Any) -> event_pb2.Event:
    event = event_pb2.Event(position=position, type=type_)
    event.data.Pack(payload)
    return event


def _billed(position: int, type_: str, quantity_ms: int = 1000) -> dict[str, Any]:
    entry = {"usage_key": "k" * 64, "job": "job-1", "quantity_ms": str(quantity_ms)}
    return {"position": str(position), "type": type_, "data": {"entry": entry}}


def test_three_ledgers_that_tell_the_same_agree() -> None:
    """The service's ledger, the fold of the events, and what billing got by webhook are equal."""
    entry = _entry(resources_pb2.USAGE_STATE_SETTLED)
    public = [
        _usage_event(1, RESERVED, events_pb2.UsageReserved(entry=entry)),
        _usage_event(2, SETTLED, events_pb2.UsageSettled(entry=entry)),
    ]

    reconcile._check_ledger([entry], [_billed(1, RESERVED), _billed(2, SETTLED)], public)


def test_an_invoice_that_differs_is_a_disagreement() -> None:
    """A quantity that billing has otherwise, or an event it lacks, is named."""
    entry = _entry(resources_pb2.USAGE_STATE_SETTLED)
    public = [_usage_event(2, SETTLED, events_pb2.UsageSettled(entry=entry))]

    with pytest.raises(Disagreement, match="billing's own ledger differ in 1 entries"):
        reconcile._check_ledger([entry], [_billed(2, SETTLED, quantity_ms=2000)], public)
    with pytest.raises(Disagreement, match="billing's own ledger differ"):
        reconcile._check_ledger([entry], [], public)
    with pytest.raises(Disagreement, match="the fold of the usage events differ"):
        reconcile._check_ledger([_entry(resources_pb2.USAGE_STATE_RESERVED)], [_billed(2, SETTLED)], public)
