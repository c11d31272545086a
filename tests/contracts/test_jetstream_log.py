"""The JetStream log keeps the contract on a real server, whatever becomes of the server."""

import asyncio
import json
import os
import signal

import pytest
from tapelog_chassis.event_log import AggregateId, AppendUnknown, JetStreamEventLog, StoredEvent, codec
from tapelog_chassis.nats import api
from tapelog_chassis.testing import Broker, eventually, new_event

from .event_log_contract import SONG, WHO, Bench, EventLogContract, take

WINDOW_S = 0.1


class TestJetStreamLog(EventLogContract):
    @pytest.fixture
    async def bench(self, broker: Broker) -> Bench:
        """Two connections to one server, both with the rights of the session service and no more."""
        connection = await broker.connect("session")
        admin = await broker.connect("admin")

        async def forge(event: StoredEvent) -> None:
            await connection.request(event.aggregate.subject, event.data, headers=codec.encode(event), timeout=2)

        async def outlive_window() -> None:
            config = (await api.request(admin, "STREAM.INFO.ES_SESSION"))["config"]
            config["duplicate_window"] = api.nanoseconds(WINDOW_S)
            await api.request(admin, "STREAM.UPDATE.ES_SESSION", config)

            async def window_is_over() -> bool:
                probe = await connection.request("es.session.probe.x", b"", headers={"Nats-Msg-Id": "p"}, timeout=2)
                return "duplicate" not in json.loads(probe.data)

            await window_is_over()
            await eventually(window_is_over, every_s=WINDOW_S)

        return Bench(
            JetStreamEventLog(connection),
            await broker.log("session"),
            await broker.snapshots("session"),
            forge,
            outlive_window,
        )


async def test_a_killed_server_loses_no_tail(broker: Broker) -> None:
    """A tail goes on within three seconds of a kill -9, without a gap and without a repeat."""
    log, writer = await broker.log("session"), await broker.log("session")
    stored = await writer.append(SONG, 0, [new_event("0")], WHO)

    async def write_and_kill() -> None:
        for n in range(1, 9):
            if n in (3, 6):
                await broker.kill()
            stored.extend(await writer.append(SONG, n, [new_event(str(n))], WHO))

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        seen = group.create_task(take(log.tail("session"), 9))
        group.create_task(write_and_kill())
    assert seen.result() == stored == await log.load(SONG)


async def test_a_lost_acknowledgement_is_resolved_by_the_append_itself(broker: Broker) -> None:
    """The server stores an event but its answer is lost to a stop: the same append returns it as stored, once."""
    connection = await broker.connect("session")
    log = JetStreamEventLog(connection, publish_timeout_s=0.2)
    await log.append(SONG, 0, [new_event("0")], WHO)
    os.kill(broker.server.pid, signal.SIGSTOP)
    async with asyncio.TaskGroup() as group:
        append = group.create_task(log.append(SONG, 1, [new_event("1")], WHO))
        batch = group.create_task(
            log.append(AggregateId("session", "acme", "b"), 0, [new_event("2"), new_event("3")], WHO)
        )
        with pytest.raises(TimeoutError):
            # Longer than one publish: the first try has given up on its answer.
            await asyncio.wait_for(asyncio.shield(append), 0.5)
        os.kill(broker.server.pid, signal.SIGCONT)
    assert [event.sequence for event in append.result()] == [2]
    assert [event.sequence for event in batch.result()] == [1, 2]
    assert await log.load(SONG) == [(await log.load(SONG))[0], *append.result()]
    assert await log.head("session") == 4


async def test_no_answer_in_time_is_unknown_and_a_retry_resolves_it(broker: Broker) -> None:
    """Past its budget an append says that it does not know; with the server back the retry stores it once."""
    connection = await broker.connect("session")
    log = JetStreamEventLog(connection, publish_timeout_s=0.1, budget_s=0.3)
    os.kill(broker.server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(AppendUnknown, match="same request id") as unknown:
            await log.append(SONG, 0, [new_event("0")], WHO)
    finally:
        os.kill(broker.server.pid, signal.SIGCONT)
    assert unknown.value.event_ids == (new_event("0").event_id,)
    stored = await (await broker.log("session")).append(SONG, 0, [new_event("0")], WHO)
    assert await log.load(SONG) == stored
    assert len(stored) == 1
