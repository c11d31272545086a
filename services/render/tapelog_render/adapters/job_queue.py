"""The service's side of the work queue on JetStream."""

import json
from collections.abc import Collection
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from tapelog.render.v1.resources_pb2 import PriorityClass, RenderKind
from tapelog_chassis import topology
from tapelog_chassis.nats import JetStreamApiError, Unreachable
from tapelog_chassis.nats.api import request

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
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def publish(self, key: JobKey, kind: RenderKind.ValueType, class_: PriorityClass.ValueType) -> bool:
        """See `JobQueue.publish`. The message is empty: the subject names the job, the log knows the rest."""
        subject = topology.job_subject(kind_token(kind), CLASS_TOKENS[class_], *key)
        try:
            message = await self._connection.request(subject, b"", timeout=PUBLISH_TIMEOUT_S)
        except (nats.errors.Error, TimeoutError) as error:
            raise QueueUnavailable(f"no answer to queueing {key.job} ({type(error).__name__})") from error
        answer: dict[str, Any] = json.loads(message.data)
        refusal = answer.get("error")
        if refusal is None:
            return True
        if refusal.get("description") == _ONE_PER_SUBJECT:
            return False
        raise QueueFull(f"the render queue refused {key.job}: {refusal.get('description', refusal)}")

    async def remove(self, key: JobKey) -> None:
        """See `JobQueue.remove`."""
        await self._ask(f"STREAM.PURGE.{topology.JOBS}", {"filter": f"job.*.*.{key.tenant}.{key.job}"})

    async def depth(self) -> int:
        """See `JobQueue.depth`."""
        answer = await self._ask(f"STREAM.INFO.{topology.JOBS}", None)
        return int(answer["state"]["messages"])

    async def queued(self) -> Collection[JobKey]:
        """See `JobQueue.queued`."""
        keys: set[JobKey] = set()
        for page in range(PAGES_MAX):
            body = {"subjects_filter": "job.>", "offset": page * SUBJECTS_PER_PAGE}
            answer = await self._ask(f"STREAM.INFO.{topology.JOBS}", body)
            subjects = answer["state"].get("subjects") or {}
            keys.update(key_of(subject) for subject in subjects)
            if len(keys) >= int(answer.get("total", 0)) or not subjects:
                break
        return keys

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
