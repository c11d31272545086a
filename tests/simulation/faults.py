"""What goes wrong between processes: requests and answers are lost, late, doubled; processes die in the middle."""

import asyncio
import contextlib
import contextvars
import hashlib
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

TIMEOUT_S: Final = 1.0
"""How long a caller waits for an answer."""
LATE_S: Final = (1.0, 4.0)
"""When a request takes effect that its caller has given up."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """
    How bad it is.

    Attributes
    ----------
    lost_request, lost_reply, late, doubled
        Share of the calls that never arrive, that are not answered, that arrive when the caller has given up, and that
        arrive twice.
    delay_s
        Mean time that a call or an answer is on its way; each differs, so that calls overtake one another.
    """

    lost_request: float = 0.0
    lost_reply: float = 0.0
    late: float = 0.0
    doubled: float = 0.0
    delay_s: float = 0.0


CALM: Final = Weather()
FAIR: Final = Weather(delay_s=0.002)


class Died(asyncio.CancelledError):
    """The process that was calling is dead: nothing that it still does reaches anybody."""


@dataclass(slots=True)
class Trace:
    """What happened, in order, as one digest; the same seed makes the same."""

    keep: bool = False
    lines: list[str] = field(default_factory=list)
    count: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, *words: object) -> None:
        """Note something; ids that are drawn at random have no place here."""
        line = f"{asyncio.get_running_loop().time():.6f} {' '.join(map(str, words))}"
        self.count += 1
        self._digest.update(line.encode() + b"\n")
        if self.keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """The digest over everything so far."""
        return str(self._digest.hexdigest())


_life: contextvars.ContextVar["_Life | None"] = contextvars.ContextVar("life", default=None)


class Process:
    """
    A process of the system: tasks that live and die together.

    Parameters
    ----------
    name
        For the trace.
    main
        Starts it from nothing but what is stored; called again after each death.
    """

    def __init__(self, name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.name = name
        self.is_up = False
        self.starts = 0
        self._main = main
        self._tasks: set[asyncio.Task[Any]] = set()
        self._life = object()
        self.failure: BaseException | None = None
        """What its main task, which should run for ever, ended with."""

    def start(self) -> None:
        """Start it."""
        self.is_up, self.starts = True, self.starts + 1
        self._life = object()
        self.spawn(self._main())

    def kill(self) -> None:
        """Kill it: from here on nothing that its tasks do has any effect."""
        self.is_up = False
        self._life = object()
        for task in sorted(self._tasks, key=lambda task: task.get_name()):
            task.cancel()
        self._tasks.clear()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something in it."""
        context = contextvars.copy_context()
        context.run(_life.set, _Life(self, self._life))
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None and self.is_up:
            self.failure = failure

    def lives(self, life: object) -> bool:
        """Whether it is still the process that began as `life`."""
        return self.is_up and self._life is life


@dataclass(frozen=True, slots=True)
class _Life:
    process: Process
    life: object


def caller() -> str:
    """Return the name of the process that runs, and end what still runs in a dead one (`Died`)."""
    current = _life.get()
    if current is None:
        return "test"
    if not current.process.lives(current.life):
        raise Died
    return current.process.name


class Network:
    """Carries calls; as bad as its weather, which may change."""

    def __init__(self, rng: random.Random, weather: Weather = CALM, trace: Trace | None = None) -> None:
        self.rng = rng
        self.weather = weather
        self.trace = trace or Trace()

    async def pause(self) -> None:
        """Be on the way."""
        caller()
        if self.weather.delay_s:
            await asyncio.sleep(self.rng.expovariate(1.0 / self.weather.delay_s))
            caller()

    async def call(
        self, effect: Callable[[], T], *, unknown: Callable[[], Exception], name: str, timeout_s: float = TIMEOUT_S
    ) -> T:
        """
        Have something done elsewhere.

        Parameters
        ----------
        effect
            Done at once where it arrives; what it raises is an answer too.
        unknown
            Makes what the caller gets instead of an answer.
        """
        who, weather, rng = caller(), self.weather, self.rng
        await self.pause()
        if weather.lost_request and rng.random() < weather.lost_request:
            self.trace.add(who, name, "request lost")
            await self._give_up(timeout_s)
            raise unknown()
        if weather.late and rng.random() < weather.late:
            self.trace.add(who, name, "late")
            asyncio.get_running_loop().call_later(timeout_s + rng.uniform(*LATE_S), _in_vain, effect)
            await self._give_up(timeout_s)
            raise unknown()
        if weather.doubled and rng.random() < weather.doubled:
            self.trace.add(who, name, "doubled")
            asyncio.get_running_loop().call_later(rng.uniform(0.0, LATE_S[1]), _in_vain, effect)
        try:
            answer = effect()
        except NoAnswer as failure:
            self.trace.add(who, name, "no answer")
            await self._give_up(timeout_s)
            raise unknown() from failure
        finally:
            lost = bool(weather.lost_reply) and rng.random() < weather.lost_reply
            if lost:
                self.trace.add(who, name, "reply lost")
        if lost:
            await self._give_up(timeout_s)
            raise unknown()
        await self.pause()
        return answer

    async def _give_up(self, timeout_s: float) -> None:
        await asyncio.sleep(timeout_s)
        caller()


class NoAnswer(Exception):  # noqa: N818 - names a state
    """Whoever was called is down, or went down with the call."""


def _in_vain(effect: Callable[[], Any]) -> None:
    """Let a call take effect whose answer nobody waits for."""
    with contextlib.suppress(Exception):  # nobody is there to be told
        effect()
