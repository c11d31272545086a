"""Running services side by side in one process: started one after another, stopped in order, crashing together."""

import asyncio
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.event_log import LogTampered
from tapelog_chassis.lifecycle import Run
from tapelog_chassis.nats import NatsError
from tapelog_chassis.settings import ServiceSettings

from tapelog_cli.errors import PartFailed, first_leaf

READY_S: Final = 60.0
"""How long a part may take to serve; a replay of a large log is the long case."""
STOP_S: Final = 30.0
"""How long a part may drain before it is cancelled."""

Settings = TypeVar("Settings", bound=ServiceSettings)


class Part:
    """A running service.

    Attributes
    ----------
    name : str
    fields : dict of str to object
        What it reported when it was ready, such as its `address`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.fields: dict[str, object] = {}
        self.stop = asyncio.Event()
        self.is_ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it serves."""
        return str(self.fields["address"])

    def ready(self, **fields: object) -> None:
        """Note that it serves."""
        self.fields = fields
        self.is_ready.set()

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {self.fields!r})"


class Parts:
    """The services of a stack in one TaskGroup. Use as `async with Parts() as parts`.

    When one stops without being asked, all are cancelled and `PartFailed` names it. At the end they drain in the order
    in which they were started.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._parts: list[Part] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._drain()
        finally:
            await self._group.__aexit__(kind, error, traceback)

    async def start(self, name: str, run: Run[Settings], settings: Settings) -> Part:
        """Start a service and wait until it serves.

        Raises
        ------
        PartFailed
            It did not serve within `READY_S`.
        """
        part = Part(name)
        part.task = self._group.create_task(_supervise(part, run, settings), name=name)
        self._parts.append(part)
        try:
            async with asyncio.timeout(READY_S):
                await part.is_ready.wait()
        except TimeoutError:
            raise PartFailed(name, f"it did not serve within {READY_S:g} s") from None
        return part

    async def _drain(self) -> None:
        for part in self._parts:
            part.stop.set()
            if part.task is not None and not part.task.done():
                await asyncio.wait({part.task}, timeout=STOP_S)
                part.task.cancel()


async def _supervise(part: Part, run: Run[Any], settings: ServiceSettings) -> None:
    try:
        await run(settings, ready=part.ready, stop=part.stop)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        cause = _tampering(error) or first_leaf(error)
        if isinstance(cause, (ConfigRefusal, NatsError, LogTampered)):
            raise cause from None  # says what to change, and ends the process with the code for wrong set-ups
        raise PartFailed(part.name, f"{cause}" or type(cause).__name__) from error
    if not part.stop.is_set():
        raise PartFailed(part.name, "it ended without being asked to")


def _tampering(error: BaseException) -> BaseException | None:
    """Return what was found to be wrong with the log; other parts of a service may have stumbled over it too."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for item in error.exceptions if (found := _tampering(item)) is not None), None)
    return error if isinstance(error, LogTampered) else None
