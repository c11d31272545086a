"""The service's side of the work queue on JetStream."""

import json
from collections.abc import Collection
from functools import partial
from typing import Any, Final

import nats.errors
import structlog
from nats.aio.client import Client
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderKind
from tapelog_chassis import topology
from tapelog_chassis.nats import JetStreamApiError, Unreachable
from tapelog_chassis.nats.api import request
from tapelog_chassis.nats.direct import get_last
from tapelog_chassis.nats.provision import put_consumer
from tapelog_chassis.observability import tracing

from tapelog_render.application.ports import JobKey, QueueFull, QueueUnavailable

PUBLISH_TIMEOUT_S: Final = 2.0
"""Requests that were under way when the broker went are never answered; a short limit finds out soon."""
API_TIMEOUT_S: Final = 3.0
SUBJECTS_PER_PAGE: Final = 100_000
"""The broker's own limit of subjects in one answer."""
PAGES_MAX: Final = 20

CLASS_TOKENS: Final = {
    PriorityClass.PRIORITY_CLASS_INTERACTIVE: "interactive",
    PriorityClass.PRIORITY_CLASS_STANDARD: "standard",
    PriorityClass.PRIORITY_CLASS_BULK: "bulk",
}
_KIND_PREFIX: Final = "RENDER_KIND_"
_ONE_PER_SUBJECT: Final = "maximum messages per subject exceeded"

_log = structlog.get_logger(__name__)


def kind_token(kind: RenderKind.ValueType) -> str:
    """Return a kind as a subject token, such as `mix`."""
    return RenderKind.Name(kind).removeprefix(_KIND_PREFIX).lower()


def key_of(subject: str) -> JobKey:
    """Return the job that a queue subject names; `ValueError` if it names none."""
    match subject.split("."):
        case ["job", _, _, tenant, job]:
            return JobKey(tenant, job)
    raise ValueError(f"{subject!r} is not a subject of the render queue")


class JetStreamJobQueue:
    """A `JobQueue` on the stream JOBS, whose subjects hold one message at most.

    Parameters
    ----------
    connection : Client
        Of the user `render`.
    lease_s : float
        How long a worker may be silent before its job goes to another.
    running_max : int
        How many jobs of one tenant and class may be worked on at a time.
    deliveries_max : int
        How often a job is handed out before the queue gives it up.
    """

    def __init__(
        self,
        connection: Client,
        *,
        lease_s: float = topology.ACK_WAIT_S,
        running_max: int = topology.MAX_ACK_PENDING,
        deliveries_max: int = topology.JOB_MAX_DELIVER,
    ) -> None:
        self._connection = connection
        self._lane = partial(
            topology.job_lane, ack_wait_s=lease_s, max_deliver=deliveries_max, max_ack_pending=running_max
        )
        self._made: set[str] = set()

    async def publish(self, key: JobKey, kind: RenderKind.ValueType, class_: PriorityClass.ValueType) -> bool:
        """See `JobQueue.publish`. The message is empty: the subject names the job, the log knows the rest."""
        subject = topology.job_subject(kind_token(kind), CLASS_TOKENS[class_], *key)
        lane = self._lane(CLASS_TOKENS[class_], key.tenant)
        await self._make(lane)
        span = tracing.traceparent()
        headers = {tracing.TRACEPARENT: span} if span else None
        try:
            message = await self._connection.request(subject, b"", timeout=PUBLISH_TIMEOUT_S, headers=headers)
        except (nats.errors.Error, TimeoutError) as error:
            raise QueueUnavailable(f"no answer to queueing {key.job} ({type(error).__name__})") from error
        answer: dict[str, Any] = json.loads(message.data)
        refusal = answer.get("error")
        if refusal is None:
            await self._tell(lane.name)
            return True
        if refusal.get("description") == _ONE_PER_SUBJECT:
            return False
        raise QueueFull(f"the render queue refused {key.job}: {refusal.get('description', refusal)}")

    async def keep_lanes(self, lanes: Collection[tuple[PriorityClass.ValueType, str]]) -> None:
        """See `JobQueue.keep_lanes`."""
        wanted = [self._lane(CLASS_TOKENS[class_], tenant) for class_, tenant in lanes]
        if not wanted:
            return
        names: set[str] = set()
        for _ in range(PAGES_MAX):
            answer = await self._ask(f"CONSUMER.NAMES.{topology.JOBS}", {"offset": len(names)})
            page = answer.get("consumers") or []
            names.update(page)
            if not page or len(names) >= int(answer.get("total", 0)):
                break
        self._made &= names
        for lane in wanted:
            await self._make(lane)

    async def _make(self, lane: topology.ConsumerSpec) -> None:
        """Make a tenant's lane, once in this process's life unless it went away."""
        if lane.name in self._made:
            return
        try:
            await put_consumer(self._connection, lane)
        except (Unreachable, JetStreamApiError) as error:
            raise QueueUnavailable(f"no lane {lane.name} in the render queue: {error}") from error
        self._made.add(lane.name)

    async def _tell(self, lane: str) -> None:
        """Wake idle workers; one that misses it looks at the queue soon anyway."""
        try:
            await self._connection.publish(topology.QUEUED_SUBJECT, lane.encode())
        except nats.errors.Error as error:
            _log.info("idle workers not told", lane=lane, cause=type(error).__name__)

    async def remove(self, key: JobKey) -> None:
        """See `JobQueue.remove`."""
        await self._ask(f"STREAM.PURGE.{topology.JOBS}", {"filter": f"job.*.*.{key.tenant}.{key.job}"})

    async def depth(self) -> int:
        """See `JobQueue.depth`."""
        answer = await self._ask(f"STREAM.INFO.{topology.JOBS}", None)
        return int(answer["state"]["messages"])

    async def queued(self) -> Collection[JobKey]:
        """See `JobQueue.queued`."""
        return {key_of(subject) for subject in await self._subjects()}

    async def discard(self, key: JobKey) -> None:
        """See `JobQueue.discard`. By position, because a name of somebody else's may be a wildcard."""
        for subject in [subject for subject in await self._subjects() if key_of(subject) == key]:
            try:
                message = await get_last(self._connection, topology.JOBS, subject, timeout_s=API_TIMEOUT_S)
            except (Unreachable, JetStreamApiError) as error:
                raise QueueUnavailable(str(error)) from error
            if message is not None and message.subject == subject:
                await self._ask(f"STREAM.MSG.DELETE.{topology.JOBS}", {"seq": message.position, "no_erase": True})

    async def _subjects(self) -> set[str]:
        found: set[str] = set()
        for page in range(PAGES_MAX):
            body = {"subjects_filter": "job.>", "offset": page * SUBJECTS_PER_PAGE}
            answer = await self._ask(f"STREAM.INFO.{topology.JOBS}", body)
            subjects = answer["state"].get("subjects") or {}
            found.update(subjects)
            if len(found) >= int(answer.get("total", 0)) or not subjects:
                break
        return found

    async def stop_running(self, key: JobKey) -> None:
        """See `JobQueue.stop_running`."""
        try:
            await self._connection.publish(topology.cancel_subject(key.job), key.tenant.encode())
        except nats.errors.Error as error:
            raise QueueUnavailable(f"cannot tell workers to stop {key.job} ({type(error).__name__})") from error

    async def _ask(self, subject: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            return await request(self._connection, subject, body, timeout_s=API_TIMEOUT_S)
        except (Unreachable, JetStreamApiError) as error:
            raise QueueUnavailable(str(error)) from error

    def __repr__(self) -> str:
        return f"JetStreamJobQueue({topology.JOBS})"
