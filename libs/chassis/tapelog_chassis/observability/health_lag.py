"""Whether what a service shows is current: the health name `current`, apart from whether it can do its work.

A service that is behind is not taken out of use, because nobody else would be ahead of it; whoever wants to know asks.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from tapelog_chassis.event_log import EventLog, EventLogError

LOOK_EVERY_S: Final = 5.0
BEHIND_S: Final = 30.0
"""A reader that has not reached by now what the log's end was so long ago is behind."""

_log = structlog.get_logger(__name__)


class Current(Protocol):
    """The server whose state is told."""

    async def set_current(self, current: bool) -> None:
        """Say `SERVING` or `NOT_SERVING` to whoever asks for `current`."""
        ...


@dataclass(frozen=True, slots=True)
class Follower:
    """What reads a log: its name, the log's context, and how far it is."""

    name: str
    context: str
    position: Callable[[], int]


async def keep_current(
    server: Current,
    log: EventLog,
    followers: Sequence[Follower],
    *,
    every_s: float = LOOK_EVERY_S,
    behind_s: float = BEHIND_S,
) -> None:
    """Look for ever; what cannot be read is not known to be behind, and health tells about that."""
    loop = asyncio.get_running_loop()
    ends: dict[str, list[tuple[float, int]]] = {}
    was_behind: list[str] = []
    while True:
        now_s = loop.time()
        try:
            for context in sorted({follower.context for follower in followers}):
                ends.setdefault(context, []).append((now_s, await log.head(context)))
        except EventLogError:
            await asyncio.sleep(every_s)
            continue
        behind = []
        for follower in followers:
            due = [end for at_s, end in ends[follower.context] if now_s - at_s >= behind_s]
            if due and follower.position() < due[-1]:
                behind.append(f"{follower.name} ({follower.position()} of {due[-1]})")
        for context, seen in ends.items():
            old = [item for item in seen if now_s - item[0] >= behind_s]
            ends[context] = [*old[-1:], *(item for item in seen if now_s - item[0] < behind_s)]
        if bool(behind) != bool(was_behind):
            _log.warning("behind", what=behind) if behind else _log.info("current again", what=was_behind)
            await server.set_current(not behind)
        was_behind = behind
        await asyncio.sleep(every_s)
