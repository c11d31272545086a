"""What the render service reads for ever: its own log for the ledger, and the queue's advisories."""

import json
from typing import Any, Final

import structlog
from nats.aio.client import Client
from tapelog_chassis import topology
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.gaps import CLOSED
from tapelog_chassis.errors import DataLoss, ServiceError
from tapelog_chassis.event_log import CorruptStream, InvalidEvent, chain
from tapelog_chassis.event_log.codec import decode
from tapelog_chassis.nats import Delivery, JetStreamApiError, Puller, Unreachable
from tapelog_chassis.nats.api import MESSAGE_NOT_FOUND, request
from tapelog_chassis.nats.direct import get_at

from tapelog_render import telemetry
from tapelog_render.adapters.job_queue import key_of
from tapelog_render.application.events import RENDER
from tapelog_render.application.queueing.dead_letters import bury
from tapelog_render.application.usage.ledger import UsageLedger
from tapelog_render.domain.job import Job

RETRY_S: Final = 1.0
"""After the log did not answer."""
DAMAGED_RETRY_S: Final = 60.0
"""After history turned out damaged: nothing is skipped, the operator is told again and again."""
OUTSTANDING_MAX: Final = 32
GET_TIMEOUT_S: Final = 3.0

_log = structlog.get_logger(__name__)


async def feed_ledger(connection: Client, ledger: UsageLedger) -> None:
    """Bring the usage accounts up to every event of the render context, at least once each."""
    stream = topology.es_stream(RENDER)
    async with Puller(connection, stream, topology.RENDER_LEDGER, max_outstanding=OUTSTANDING_MAX) as puller:
        async for delivery in puller:
            try:
                stored = decode(delivery.subject, delivery.headers, delivery.data, delivery.position)
                chain.check_link(stored, None)
                await ledger.on_event(stored)
            except CorruptStream as foreign:
                await _pass_by(delivery, foreign)
            except ServiceError as failure:
                await _put_off(delivery, failure)
            else:
                await delivery.ack()


async def feed_dead_letters(connection: Client, jobs: Repository[Job]) -> None:
    """Fail every job that the queue gave up, and take it out of the queue."""
    async with Puller(connection, topology.ADV, topology.RENDER_DEAD_LETTER, max_outstanding=OUTSTANDING_MAX) as puller:
        async for delivery in puller:
            try:
                await _bury(connection, jobs, _advised(delivery))
            except NoAdvisory as foreign:
                await _pass_by(delivery, foreign)
            except ServiceError as failure:
                await _put_off(delivery, failure)
            except (Unreachable, JetStreamApiError) as failure:
                _log.warning("dead letter put off", cause=str(failure))
                await delivery.nak(RETRY_S)
            else:
                await delivery.ack()


class NoAdvisory(Exception):  # noqa: N818 - what a message is not
    """A message in the stream of advisories that the broker did not write."""


def _advised(delivery: Delivery) -> dict[str, Any]:
    try:
        advisory = json.loads(delivery.data)
        return {**advisory, "stream_seq": int(advisory["stream_seq"])}
    except (ValueError, KeyError, TypeError) as error:
        raise NoAdvisory(f"the message at position {delivery.position} is no advisory ({error!r})") from error


async def _bury(connection: Client, jobs: Repository[Job], advisory: dict[str, Any]) -> None:
    position = advisory["stream_seq"]
    message = await get_at(connection, topology.JOBS, position, timeout_s=GET_TIMEOUT_S)
    if message is None:
        return  # taken off the queue meanwhile
    cause = f"handed out {advisory.get('deliveries', 0)} times without an outcome"
    if advisory.get("reason"):
        cause = f"refused by a worker: {advisory['reason']}"
    key = key_of(message.subject)
    try:
        await bury(jobs, key, cause)
    except InvalidEvent as error:
        _log.error("no job in the queue", subject=message.subject, cause=str(error), alert=True)
    except CLOSED as refusal:
        # Its history cannot be read, so nothing more can be recorded of it; its place in the queue is for others.
        _log.error("job that cannot be ended", job=key.job, tenant=key.tenant, cause=refusal.message, alert=True)
    try:
        await request(connection, f"STREAM.MSG.DELETE.{topology.JOBS}", {"seq": position, "no_erase": True})
    except JetStreamApiError as error:
        if error.err_code != MESSAGE_NOT_FOUND:
            raise


async def _pass_by(delivery: Delivery, foreign: Exception) -> None:
    telemetry.FOREIGN_PASSED_BY.inc()
    _log.error("foreign message passed by", subject=delivery.subject, cause=str(foreign), alert=True)
    await delivery.ack()


async def _put_off(delivery: Delivery, failure: ServiceError) -> None:
    if isinstance(failure, DataLoss):
        _log.error("damaged history", subject=delivery.subject, reason=failure.reason, detail=failure.message)
        await delivery.nak(DAMAGED_RETRY_S)
    else:
        _log.warning("put off", subject=delivery.subject, reason=failure.reason)
        await delivery.nak(RETRY_S)
