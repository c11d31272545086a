"""Keeps calls that are too many from becoming calls: what a full server does with them costs next to nothing.

To refuse a call as a call costs a quarter of what serving it costs, nearly all of it in grpcio; with five times too
many there would be nothing left to serve with. The server therefore asks the transport for the next unary call only
while there is room for it, or while it may refuse one by name. What is not asked for waits in the transport, in C, up
to a written number; what comes then is ended there, with CANCELLED, for a hundredth of a call's price (ADR 0108).

Health, reflection and whatever streams have entrances of their own and are never kept waiting.
"""

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server

from tapelog_chassis import telemetry
from tapelog_chassis.rpc.grpc_options import channel_options
from tapelog_chassis.rpc.handlers import Handlers
from tapelog_chassis.rpc.slots import Slots

REFUSALS_PER_CALL: Final = 0.2
"""How many are refused by name, with details and the time to come back, for each call that is let in: what that costs
is a fortieth of what they cost."""
REFUSALS_PER_S: Final = 50.0
"""And so many when none is let in."""
REFUSALS_AT_ONCE: Final = 50.0
ASKED_AHEAD: Final = 256
"""Calls asked for before they are there, where there is room: what comes at once while the loop does something else."""
BEHIND_DOOR: Final = 32
"""Calls that wait in the transport before it begins to end some at random."""
BEHIND_DOOR_MAX: Final = 128
"""Calls that wait in the transport; it ends all that come then. A tenth of a second's work: with the line
(`slots.LINE_S`) less than callers wait, so that what is served is not served in vain, on a slow machine either."""

Refusal = tuple[int, str, tuple[tuple[str, bytes], ...]]
"""Code, message and trailing metadata."""


class Budget:
    """Says how often something may happen: in proportion to something else, and a little in any case."""

    def __init__(self) -> None:
        self._left, self._at_s = REFUSALS_AT_ONCE, time.monotonic()

    def earn(self) -> None:
        """Note that a call was let in."""
        self._left = min(REFUSALS_AT_ONCE, self._left + REFUSALS_PER_CALL)

    def take(self) -> float:
        """Take one and return 0, or return in how many seconds there will be one."""
        now_s = time.monotonic()
        self._left = min(REFUSALS_AT_ONCE, self._left + (now_s - self._at_s) * REFUSALS_PER_S)
        self._at_s = now_s
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / REFUSALS_PER_S


class _Door(cygrpc.AioServer):  # type: ignore[misc]  # compiled, without types
    """Asks the transport for calls; grpcio asks this class instead, one call after the other for each entrance.

    `_request_call` is the entrance of all methods that have none of their own.
    """

    def __init__(self, slots: Slots, refusal: Refusal, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._slots = slots
        self._refusal = refusal
        self._budget = Budget()
        self._asked: dict[bytes, deque[asyncio.Task[Any]]] = {}

    async def _server_main_loop(self, started: Any) -> None:
        try:
            await super()._server_main_loop(started)
        finally:
            asked = [task for tasks in self._asked.values() for task in tasks]
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _request_registered_call(self, method: bytes) -> Any:
        ask = functools.partial(super()._request_registered_call, method)
        return await self._next(method, ask, ASKED_AHEAD)

    async def _request_call(self) -> Any:
        ask = super()._request_call
        while True:
            is_refused = await self._room_or_refusal()
            call = await self._next(b"", ask, min(ASKED_AHEAD, self._slots.room))
            if not is_refused or self._slots.room:
                self._budget.earn()
                return call
            telemetry.RPCS_SHED.labels("unary").inc()
            await self._refuse(call)

    async def _next(self, entrance: bytes, ask: Callable[[], Awaitable[Any]], ahead: int) -> Any:
        """Return an entrance's next call; ask for one at least, and for so many."""
        asked = self._asked.setdefault(entrance, deque())
        while len(asked) < max(1, ahead):
            asked.append(asyncio.ensure_future(ask()))
        return await asked.popleft()

    async def _room_or_refusal(self) -> bool:
        """Wait until there is room, or until a call may be refused by name; say whether it is the latter."""
        while not self._slots.room:
            wait_s = self._budget.take()
            if not wait_s:
                return True
            telemetry.DOOR_CLOSED.inc()
            await self._slots.room_within(wait_s)
        return False

    async def _refuse(self, call: Any) -> None:
        code, message, trailing = self._refusal
        first = cygrpc.SendInitialMetadataOperation((), 0)
        with contextlib.suppress(grpc.aio.InternalError):  # its caller has gone
            await cygrpc._send_error_status_from_server(  # noqa: SLF001 - grpcio's own way, without making a call of it
                call, code, message, trailing, first, asyncio.get_running_loop()
            )


class DoorServer(_server.Server):
    """A server with a door.

    Parameters
    ----------
    handlers : Handlers
        All of its methods.
    slots : Slots
        Where the calls that were let in stand in line.
    refusal : Refusal
        What is said at the door.
    calls_max : int
        Calls of all kinds.
    """

    def __init__(self, handlers: Handlers, *, slots: Slots, refusal: Refusal, calls_max: int) -> None:
        self._loop = cygrpc.get_working_loop()
        options = (
            *channel_options(),
            ("grpc.server.max_pending_requests", BEHIND_DOOR),
            ("grpc.server.max_pending_requests_hard_limit", BEHIND_DOOR_MAX),
        )
        self._server = _Door(slots, refusal, self._loop, None, [handlers], (), options, calls_max)
        self._server.add_registered_method_handlers(handlers.apart)
