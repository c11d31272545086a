"""Progress and cancellation on core NATS: quick, best effort, never stored."""

import asyncio
import dataclasses
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from tapelog_chassis import topology

from tapelog_render.application.ports import STAGES, JobKey, Progress

JOBS_MAX: Final = 10_000
"""Jobs whose progress is remembered; far more than can run at once."""
PENDING_MAX: Final = 1000
"""Messages of one subscription that may wait here; the oldest are worth the least."""


class NatsWorkSignals:
    """`WorkSignals` on a connection of the user `worker`."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def report(self, key: JobKey, progress: Progress) -> None:
        """See `WorkSignals.report`."""
        body = json.dumps(dataclasses.astuple(progress)).encode()
        try:
            await self._connection.publish(topology.progress_subject(*key), body)
        except nats.errors.Error:
            return  # a tick; the next one says more

    @asynccontextmanager
    async def cancelled(self, key: JobKey) -> AsyncIterator[asyncio.Event]:
        """See `WorkSignals.cancelled`."""
        event = asyncio.Event()

        async def on_message(message: Msg) -> None:
            if message.data.decode(errors="replace") == key.tenant:
                event.set()

        subscription = await self._connection.subscribe(
            topology.cancel_subject(key.job), cb=on_message, pending_msgs_limit=PENDING_MAX
        )
        try:
            yield event
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()


class NatsProgressBoard:
    """A `ProgressBoard` that listens to every worker. Use with `async with`.

    Parameters
    ----------
    connection : Client
        Of the user `render`.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._latest: OrderedDict[JobKey, Progress] = OrderedDict()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._connection.subscribe(
            topology.PROGRESS_SUBJECTS, cb=self._on_message, pending_msgs_limit=PENDING_MAX
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._subscription is not None and not self._connection.is_closed:
            await self._subscription.unsubscribe()

    def progress_of(self, key: JobKey) -> Progress | None:
        """See `ProgressBoard.progress_of`."""
        return self._latest.get(key)

    def forget(self, key: JobKey) -> None:
        """Drop what is known of a job that has ended."""
        self._latest.pop(key, None)

    async def _on_message(self, message: Msg) -> None:
        try:
            fence, percent, seconds_left, stage, seconds = json.loads(message.data)
            taken = {str(name): float(value) for name, value in seconds.items() if name in STAGES}
            progress = Progress(int(fence), float(percent), float(seconds_left), str(stage), taken)
        except (ValueError, TypeError, AttributeError):
            return  # not a tick of ours
        *_, tenant, job = message.subject.split(".")
        self._latest[JobKey(tenant, job)] = progress
        self._latest.move_to_end(JobKey(tenant, job))
        if len(self._latest) > JOBS_MAX:
            self._latest.popitem(last=False)

    def __repr__(self) -> str:
        return f"NatsProgressBoard({len(self._latest)} jobs)"
