"""A process's life: settings, signals, readiness, drain, exit code."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import pydantic
import structlog

from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.event_log import CorruptStream, LogTampered, PositionAhead
from tapelog_chassis.observability.logs import configure_logs
from tapelog_chassis.observability.profiling import profiling_on_demand
from tapelog_chassis.observability.tracing import exporting
from tapelog_chassis.settings import ServiceSettings

EXIT_OK: Final = 0
EXIT_CRASH: Final = 1
EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h: starting again will not help, somebody has to change a setting."""

STOP_S_MAX: Final = 30.0
"""How long `run` may take to end once it was asked to, before it is cancelled."""
CANCEL_S_MAX: Final = 5.0
"""How long its clean-up may take once it was cancelled."""

GC_THRESHOLDS: Final = (50_000, 20, 50)
"""Allocations between two searches for cycles. A call makes thousands of objects and hardly a cycle, and loaded
aggregates are a large, immutable heap that need not be walked through every few calls."""

_DAMAGED: Final = (LogTampered, CorruptStream, PositionAhead)
"""What a follower of the log, or its guard, finds in one that was changed, cut or rolled back."""
_HOPELESS: Final = {False: "configuration refused", True: "the log is damaged"}
"""What is logged where starting again does not help, by whether it is the log."""

_log = structlog.get_logger(__name__)

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
SettingsT_contra = TypeVar("SettingsT_contra", bound=ServiceSettings, contravariant=True)


class Ready(Protocol):
    """Called once by `run` when it serves, with what others want to know: `ready(address=server.address)`."""

    def __call__(self, **fields: object) -> None:
        """Report readiness."""
        ...


class Run(Protocol[SettingsT_contra]):
    """A service's composition root: serves until `stop` is set, then drains and returns."""

    def __call__(self, settings: SettingsT_contra, *, ready: Ready, stop: asyncio.Event) -> Awaitable[None]:
        """Serve."""
        ...


def run_service(
    run: Run[SettingsT], load_settings: Callable[[], SettingsT], *, service: str, stop_s_max: float = STOP_S_MAX
) -> int:
    """Run a service's process to its end and return the exit code.

    `SIGTERM` or `SIGINT` sets `stop`; a second one cancels at once.

    Parameters
    ----------
    run : Run
    load_settings : Callable[[], SettingsT]
        Usually the settings class itself.
    service : str
        Its name in the log.
    stop_s_max : float
        Seconds from the signal until `run` is cancelled.

    Returns
    -------
    int
        0 after an orderly stop, 78 when the configuration is refused or the log was found changed, 1 after a crash or
        a cut drain.
    """
    configure_logs()
    try:
        settings = load_settings()
    except pydantic.ValidationError as failure:
        fields = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in failure.errors())
        _log.error("configuration refused", service=service, detail=fields)
        return EXIT_CONFIG
    configure_logs(settings.log_level)
    structlog.contextvars.bind_contextvars(service=service)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        settings.check_listeners()
        with exporting(service, settings.trace_endpoint, settings.trace_ratio):
            asyncio.run(_supervise(run, settings, service=service, stop_s_max=stop_s_max))
    except (ConfigRefusal, *_DAMAGED) as refusal:
        _log.error(_HOPELESS[not isinstance(refusal, ConfigRefusal)], detail=str(refusal))
        return EXIT_CONFIG
    except BaseExceptionGroup as group:
        refusals, others = group.split((ConfigRefusal, *_DAMAGED))
        if refusals is not None and others is None:
            damaged = refusals.subgroup(_DAMAGED) is not None
            _log.error(_HOPELESS[damaged], detail="; ".join(map(str, _leaves(refusals))))
            return EXIT_CONFIG
        _log.exception("crashed")
        return EXIT_CRASH
    except _DrainCut:
        _log.error("stop took too long and was cut", limit_s=stop_s_max)
        return EXIT_CRASH
    except Exception:  # noqa: BLE001 - the last one who can log it
        _log.exception("crashed")
        return EXIT_CRASH
    _log.info("stopped")
    return EXIT_OK


class _DrainCut(Exception):  # noqa: N818 - internal signal
    """The service did not end in time."""


async def _supervise(run: Run[SettingsT], settings: SettingsT, *, service: str, stop_s_max: float) -> None:
    stop = asyncio.Event()
    hurry = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    task = asyncio.ensure_future(run(settings, ready=_report_ready, stop=stop))
    try:
        with profiling_on_demand(settings.data_dir / "profiles", service):
            await _first(task, stop)
        if not task.done():
            _log.info("stopping", limit_s=stop_s_max)
            await _first(task, hurry, timeout_s=stop_s_max)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_S_MAX)
        raise _DrainCut
    await task


async def _first(task: asyncio.Future[Any], event: asyncio.Event, *, timeout_s: float | None = None) -> None:
    """Wait until the task ends, the event is set, or the time is over."""
    waiting: asyncio.Future[Any] = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _report_ready(**fields: object) -> None:
    # Modules, messages and what was set up stay for good: looked through with every full collection they stop the loop
    # for a tenth of a second and more (docs/adr/0064).
    gc.collect()
    gc.freeze()
    _log.info("ready", **fields)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for item in group.exceptions
        for leaf in (_leaves(item) if isinstance(item, BaseExceptionGroup) else [item])
    ]
