"""Act 7: what the three subscribers and the usage ledger have, against the event log."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from tapelog.common.v1 import event_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1 import resources_pb2 as render

from tapelog_cli.demo.errors import Disagreement
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.received import Inbox, Received
from tapelog_cli.demo.show import Show
from tapelog_cli.demo.subscribers import Subscribers

CATCH_UP_S: Final = 30.0
"""How long subscribers may take to have everything after the last step."""
LOOK_AGAIN_S: Final = 0.1

Ledger = dict[str, tuple[str, int]]
"""Per usage key and job: where the claim stands, and its quantity in milliseconds."""

LAST_FACT: Final = "tapelog.delivery_package.delivery_accepted.v1"
"""What the story ends with: a comparison without it would leave out its end."""

SETTLING: Final = {
    "tapelog.usage_account.usage_reserved.v1": render.USAGE_STATE_RESERVED,
    "tapelog.usage_account.usage_settled.v1": render.USAGE_STATE_SETTLED,
    "tapelog.usage_account.usage_released.v1": render.USAGE_STATE_RELEASED,
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared and found equal.

    Attributes
    ----------
    events : list of Event
        Every public event, in order.
    song_events : int
        Facts of the song in its own log.
    counts : dict of str to int
        Events per subscriber.
    entries : list of UsageEntry
        The ledger.
    """

    events: list[event_pb2.Event]
    song_events: int
    counts: dict[str, int]
    entries: list[render.UsageEntry]


async def reconcile(booking: Booking, subscribers: Subscribers, show: Show) -> Agreement:
    """Compare everything, again while subscribers catch up; `Disagreement` names the first thing that differs."""
    deadline_s = time.monotonic() + CATCH_UP_S
    while True:
        try:
            agreement = await _compare(booking, subscribers)
        except Disagreement:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(LOOK_AGAIN_S)
        else:
            break
    for name, count in agreement.counts.items():
        show.say(name, f"{count} events, in order, none missing, none twice")
    entries = agreement.entries
    settled = sum(entry.state == render.USAGE_STATE_SETTLED for entry in entries)
    show.say("Usage ledger", f"{len(entries)} entries, {settled} settled: equal to billing's own and to the event log")
    totals = f"{agreement.song_events} facts of the song, {len(agreement.events)} public events"
    show.say("", f"all agree with the event log: {totals}", style="green")
    return agreement


async def _compare(booking: Booking, subscribers: Subscribers) -> Agreement:
    log = [event async for event in booking.producer.songs.events(booking.song)]
    public = await _read_public(subscribers)
    if not any(event.type == LAST_FACT for event in public):
        raise Disagreement(f"the public stream does not have {LAST_FACT} yet")
    _check_order(public)
    _check_song(log, public, booking.song_id)
    facts = [Received(id=event.id, type=event.type, position=event.position) for event in public]
    for inbox in subscribers.inboxes:
        _check_inbox(inbox, inbox.expected(facts))
    if subscribers.billing.refused:
        raise Disagreement(f"{subscribers.billing.refused} webhook deliveries had a wrong signature or time")
    entries = [entry async for entry in booking.producer.usage.entries(booking.project_id)]
    _check_ledger(entries, subscribers.billing.usage, public)
    counts = {inbox.name: len(inbox.expected(facts)) for inbox in subscribers.inboxes}
    return Agreement(events=public, song_events=len(log), counts=counts, entries=entries)


async def _read_public(subscribers: Subscribers) -> list[event_pb2.Event]:
    """Read the public stream again from its first event, as far as the alert screen has seen it."""
    last_position = max((event.position for event in subscribers.alerts.events), default=0)
    if last_position == 0:
        raise Disagreement("no event has reached the alert screen")
    found: list[event_pb2.Event] = []
    async with asyncio.timeout(CATCH_UP_S), aclosing(subscribers.studio.events.subscribe(after_position=0)) as events:
        async for event in events:
            found.append(event)
            if event.position >= last_position:
                break
    return found


def _check_order(public: Sequence[event_pb2.Event]) -> None:
    """Public positions rise; each aggregate's own sequence runs from 1 without gaps."""
    last_position = 0
    heads: dict[str, int] = {}
    for event in public:
        if event.position <= last_position:
            raise Disagreement(f"public position {event.position} follows {last_position}")
        aggregate = f"{event.type.split('.')[1]} {event.aggregate}"  # a project and its usage account share an id
        head = heads.get(aggregate, 0)
        if event.sequence != head + 1:
            raise Disagreement(f"{aggregate}: sequence {event.sequence} follows {head}")
        last_position, heads[aggregate] = event.position, event.sequence


def _check_song(log: Sequence[event_pb2.Event], public: Sequence[event_pb2.Event], song: str) -> None:
    published = [event.id for event in public if event.aggregate == song]
    if published != (facts := [event.id for event in log]):
        raise Disagreement(f"the song's log has {len(facts)} facts, the public stream has {len(published)} of them")


def _check_inbox(inbox: Inbox, expected: Sequence[Received]) -> None:
    had = inbox.events[: len(expected)]
    for position, (want, have) in enumerate(zip(expected, had, strict=False)):
        if want != have:
            raise Disagreement(f"{inbox.name}: event {position + 1} is {have.type} at {have.position}, not {want}")
    if len(had) < len(expected):
        missing = expected[len(had)]
        raise Disagreement(f"{inbox.name} lacks {len(expected) - len(had)} events, first {missing}")


def _check_ledger(
    entries: Sequence[render.UsageEntry], billed: Sequence[dict[str, Any]], public: Sequence[event_pb2.Event]
) -> None:
    """Compare the service's ledger with billing's own and with the fold of the events."""
    ledger = {
        _claim(entry.usage_key, entry.job): (render.UsageState.Name(entry.state), entry.quantity_ms)
        for entry in entries
    }
    from_events = _fold_events(public)
    from_billing = _fold_billing(billed, last_position=public[-1].position)
    for name, other in (("the fold of the usage events", from_events), ("billing's own ledger", from_billing)):
        if ledger != other:
            differing = sorted(key for key in ledger.keys() | other.keys() if ledger.get(key) != other.get(key))
            first = differing[0]
            raise Disagreement(
                f"usage ledger and {name} differ in {len(differing)} entries, first {first}: "
                f"{ledger.get(first)} against {other.get(first)}"
            )


def _fold_events(public: Sequence[event_pb2.Event]) -> Ledger:
    ledger: Ledger = {}
    for event in public:
        if (state := SETTLING.get(event.type)) is not None:
            payload = render_events.UsageSettled()  # reserved, settled and released carry the entry in field 1
            payload.ParseFromString(event.data.value)
            ledger[_claim(payload.entry.usage_key, payload.entry.job)] = (
                render.UsageState.Name(state),
                payload.entry.quantity_ms,
            )
    return ledger


def _fold_billing(billed: Sequence[dict[str, Any]], *, last_position: int) -> Ledger:
    ledger: Ledger = {}
    for event in billed:
        if int(event["position"]) <= last_position and (state := SETTLING.get(event["type"])) is not None:
            entry = event["data"]["entry"]
            ledger[_claim(entry["usage_key"], entry["job"])] = (
                render.UsageState.Name(state),
                int(entry.get("quantity_ms", 0)),
            )
    return ledger


def _claim(usage_key: str, job: str) -> str:
    return f"{usage_key[:16]}…/{job}"
