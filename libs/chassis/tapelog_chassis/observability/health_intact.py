"""Whether a service's logs hold nothing but events: the health name `intact`, apart from whether it can do its work.

A foreign message closes one aggregate, and everybody else is served; so it takes no service out of use.
"""

import asyncio
from collections.abc import Collection
from typing import Final, Protocol

from tapelog_chassis.observability.foreign import ForeignMessages

LOOK_EVERY_S: Final = 1.0


class Intact(Protocol):
    """The server whose state is told."""

    async def set_intact(self, intact: bool) -> None:
        """Say `SERVING` or `NOT_SERVING` to whoever asks for `intact`."""
        ...


async def keep_intact(server: Intact, foreign: Collection[ForeignMessages], *, every_s: float = LOOK_EVERY_S) -> None:
    """Look for ever; `NOT_SERVING` from the first foreign message to the next start that finds none."""
    was_intact = True
    while True:
        is_intact = not any(map(len, foreign))
        if is_intact != was_intact:
            await server.set_intact(is_intact)
        was_intact = is_intact
        await asyncio.sleep(every_s)
