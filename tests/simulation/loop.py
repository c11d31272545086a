"""An event loop on a virtual clock: where everybody waits, time jumps to the next timer, and nothing is ever slept."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Deadlock(Exception):  # noqa: N818 - names a state
    """Every task waits for something that can not happen any more."""


class _Skip(selectors.SelectSelector):
    """Waits for nothing: it moves the clock on by as long as it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("no task can run any more and no timer is set")
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which an hour of waiting takes no time, and what runs in a thread elsewhere runs in line."""

    def __init__(self) -> None:
        self._skip = _Skip()
        super().__init__(self._skip)

        self.set_exception_handler(_report)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._skip.now_s

    def run_in_executor(  # type: ignore[override]  # a future that is done, as the base class' own is once it is
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run at once: a thread would be another clock."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the caller's
            future.set_exception(failure)
        return future


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what nobody took, but for tasks that outlived their process by a moment and were told so."""
    failure = context.get("exception")
    while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    if not isinstance(failure, asyncio.CancelledError):
        loop.default_exception_handler(context)


class VirtualClock:
    """A `Clock` that tells the running loop's virtual time, wrong by as much as a machine's clock may be."""

    def __init__(self, skew_s: float = 0.0) -> None:
        self._skew_s = skew_s

    def now(self) -> datetime:
        """Return the virtual time of day."""
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time() + self._skew_s)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a virtual clock, and clear away whatever still runs at its end."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
