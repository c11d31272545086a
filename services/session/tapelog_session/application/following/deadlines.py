"""Process (c): approvals that are overdue raise an event, and never approve anything."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from tapelog_chassis.aggregates.gaps import CLOSED
from tapelog_chassis.clock import Clock
from tapelog_chassis.errors import Aborted, Unavailable
from tapelog_chassis.event_log import LogUnavailable, Metadata
from tapelog_chassis.ids import follow_up_request_id

from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.following.processes import PARTY
from tapelog_session.application.reading.lists import Deadline
from tapelog_session.application.reading.views import Views
from tapelog_session.domain import policies

CHECK_S: Final = 5.0
"""How late an alert may be; deadlines are hours."""
STEP: Final = "deadline"

_log = structlog.get_logger(__name__)


async def watch_deadlines(aggregates: Aggregates, views: Views, clock: Clock) -> None:
    """Raise an alert for every deadline that passes, for ever."""
    closed: set[Deadline] = set()
    while True:
        for deadline in views.overdue(clock.now()):
            if deadline in closed:
                continue
            try:
                await raise_alert(aggregates, deadline, clock)
            except CLOSED as refusal:
                closed.add(deadline)
                _log.error("missed deadline of a song that is closed", song=deadline.song, cause=refusal.message)
            except (Aborted, Unavailable, LogUnavailable) as failure:
                _log.warning("alert of a missed deadline waits", song=deadline.song, cause=str(failure))
        await asyncio.sleep(CHECK_S)


async def raise_alert(aggregates: Aggregates, deadline: Deadline, clock: Clock) -> None:
    """Record on the song that approvals are overdue; a repeat changes nothing."""
    cause = f"{deadline.tenant}/{deadline.song}/{deadline.kind}/{deadline.number}/{deadline.due.isoformat()}"
    await aggregates.songs.execute(
        aggregates.songs.aggregate(deadline.tenant, deadline.song),
        lambda song: policies.miss_deadline(song, deadline.kind, deadline.number, clock.now()),
        request_id=follow_up_request_id(cause, STEP),
        request_hash="0" * 64,
        metadata=Metadata(actor=PARTY, project=deadline.project, song=deadline.song),
    )
