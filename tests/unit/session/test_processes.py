"""The driver of the process managers: in order, again when it may help, never skipping."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable

from tapelog_chassis.errors import DataLoss, WrittenByNewer
from tapelog_session.application.following.processes import (
    PUT_OFF_S,
    UNEXPECTED_MAX,
    ForeignMessageError,
    ProcessState,
    UnprocessableError,
    drive,
)
from tapelog_session.application.ports import RenderUnavailable


@dataclasses.dataclass
class Event:
    """A step that fails a few times before it succeeds."""

    label: str
    failures: list[Exception] = dataclasses.field(default_factory=list)
    leases: int = 0
    is_done: bool = False
    put_off_s: float = 0.0

    async def in_progress(self) -> None:
        """Count the renewals of the lease."""
        self.leases += 1

    async def done(self) -> None:
        """Note that it is settled."""
        self.is_done = True

    async def put_off(self, delay_s: float) -> None:
        """Note for how long it was given back."""
        self.put_off_s = delay_s


async def _feed(events: Iterable[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


async def _handle(event: Event) -> None:
    if event.failures:
        raise event.failures.pop(0)


async def test_a_service_that_does_not_answer_is_waited_for_with_the_lease_kept() -> None:
    """Two refusals for now: the event is dealt with at the third attempt, and those behind it after it."""
    events = [Event("a", [RenderUnavailable("busy"), RenderUnavailable("busy")]), Event("b")]
    state = ProcessState()
    await drive("test", _feed(events), _handle, state)
    assert [event.is_done for event in events] == [True, True]
    assert (events[0].leases, state.handled, state.stopped_at) == (2, 2, "")


async def test_an_event_that_can_never_be_dealt_with_stops_the_process() -> None:
    """It stays unsettled, and so does what is behind it."""
    events = [Event("a"), Event("b", [UnprocessableError("no such song")]), Event("c")]
    state = ProcessState()
    await drive("test", _feed(events), _handle, state)
    assert [event.is_done for event in events] == [True, False, False]
    assert (state.handled, state.stopped_at) == (1, "b")


async def test_an_unexpected_failure_is_tried_a_few_times_and_then_stops() -> None:
    """A defect is not a reason to lose an event, nor to try for ever."""
    event = Event("a", [KeyError("defect")] * (UNEXPECTED_MAX + 1))
    state = ProcessState()
    await asyncio.wait_for(drive("test", _feed([event]), _handle, state), 30)
    assert (event.is_done, state.attempts, state.stopped_at) == (False, UNEXPECTED_MAX, "a")


async def test_what_a_newer_version_wrote_is_put_off_and_holds_nobody_up() -> None:
    """It stays unsettled, for whoever knows it; what is behind it is dealt with."""
    events = [Event("a", [WrittenByNewer("WRITTEN_BY_NEWER_VERSION", "newer")]), Event("b")]
    state = ProcessState()
    await drive("test", _feed(events), _handle, state)
    assert [(event.is_done, event.put_off_s) for event in events] == [(False, PUT_OFF_S), (True, 0.0)]
    assert (state.handled, state.put_off, state.stopped_at) == (1, 1, "")


async def test_an_event_of_a_closed_song_is_passed_by() -> None:
    """A song whose history is damaged takes nothing any more, and stops no process."""
    events = [Event("a", [DataLoss("HISTORY_CORRUPT", "damaged")]), Event("b", [ForeignMessageError("junk")])]
    state = ProcessState()
    await drive("test", _feed(events), _handle, state)
    assert [event.is_done for event in events] == [True, True]
    assert (state.handled, state.stopped_at) == (2, "")
