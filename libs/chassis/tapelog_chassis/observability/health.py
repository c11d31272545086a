"""Health that tells the truth: a service that cannot reach or write its store does not say that it serves."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import nats.errors
import structlog
from nats.aio.client import Client

from tapelog_chassis import telemetry
from tapelog_chassis.nats.publish import FULL
from tapelog_chassis.topology import snapshot_subject

PROBE_EVERY_S: Final = 1.0
"""One synced write of a few bytes each time."""
PROBE_TIMEOUT_S: Final = 2.0
PROBE_ID: Final = ("health", "probe")
"""Tenant and id of the probe's one message in the bucket of snapshots, which every write replaces; no tenant or
aggregate has them, because ids begin with their type's prefix."""

Probe = Callable[[], Awaitable[str]]
"""Looks whether the store can be used; returns what is wrong, empty when nothing is."""

_log = structlog.get_logger(__name__)


class Serving(Protocol):
    """The server whose health is told."""

    async def set_serving(self, serving: bool) -> None:
        """Say `SERVING` or `NOT_SERVING` to whoever asks or watches."""
        ...


def store_probe(connection: Client, context: str, *, timeout_s: float = PROBE_TIMEOUT_S) -> Probe:
    """Return a probe that writes a small message where a context's snapshots are, on the disk of its log.

    A stream that is full is no failure: the broker answers, reading goes on, and commands are refused by name.
    """
    subject = snapshot_subject(context, *PROBE_ID)

    async def probe() -> str:
        if not connection.is_connected:
            return "no connection to the broker"
        try:
            message = await connection.request(subject, b"", timeout=timeout_s)
        except (nats.errors.Error, TimeoutError) as error:
            return f"the broker did not take a write ({type(error).__name__})"
        refusal = json.loads(message.data).get("error")
        if refusal is None or int(refusal.get("err_code", 0)) in FULL:
            return ""
        return f"the broker refused a write: {refusal.get('description', refusal)}"

    return probe


async def keep_health(
    server: Serving,
    probe: Probe,
    *,
    every_s: float = PROBE_EVERY_S,
    failing_s: float,
    unanswered_since_s: Callable[[], float] = lambda: 0.0,
) -> None:
    """Probe for ever: `NOT_SERVING` once it has failed for `failing_s`, `SERVING` with the first success.

    The process goes on in the meantime: it reconnects by itself, and starting it again would not help.

    Parameters
    ----------
    unanswered_since_s
        Since when the log leaves appends unanswered, 0 when it does not: one of the broker's streams can fail while
        the one that is probed works.
    """
    is_serving, failing_since_s = True, 0.0
    telemetry.STORE_SERVING.set(1)
    while True:
        begun_s = time.monotonic()
        wrong = await probe()
        now_s, unanswered_s = time.monotonic(), unanswered_since_s()
        if unanswered_s:
            wrong = wrong or "the log answers no append"
            begun_s = min(begun_s, unanswered_s)
        if not wrong:
            failing_since_s = 0.0
        elif not failing_since_s or unanswered_s:
            failing_since_s = min(begun_s, failing_since_s or begun_s)
        serves = not wrong or (is_serving and now_s - failing_since_s < failing_s)
        if serves != is_serving:
            is_serving = serves
            telemetry.STORE_SERVING.set(int(serves))
            if serves:
                _log.info("serving again")
            else:
                _log.error("not serving", cause=wrong, failing_s=round(now_s - failing_since_s, 1))
            await server.set_serving(serves)
        await asyncio.sleep(every_s)
