"""A broker that answers nobody: the first append waits in vain, the next ones are refused at once, then all is well."""

import os
import signal
import time

import pytest
from tapelog_chassis.event_log import AggregateId, AppendUnknown, JetStreamEventLog, LogUnavailable, Metadata
from tapelog_chassis.event_log.write_gate import TRY_EVERY_S, WriteGate
from tapelog_chassis.testing import Broker, eventually, new_event

SONG = AggregateId("session", "acme", "sng-gate")
ACTOR = Metadata(actor="usr-1")
TIMEOUT_S = 0.5


async def test_a_frozen_broker_closes_the_gate_and_an_answer_opens_it(broker: Broker) -> None:
    """Unknown once, then refused at once and nothing stored; health hears of it; the next try after it goes through."""
    gate = WriteGate(closed_after_s=TIMEOUT_S)
    log = JetStreamEventLog(await broker.connect("session"), publish_timeout_s=TIMEOUT_S, gate=gate)
    await (await broker.log("session")).append(SONG, 0, [new_event("gate/1")], ACTOR)
    assert gate.unanswered_since_s() == 0.0
    os.kill(broker.server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(AppendUnknown):
            await log.append(SONG, 1, [new_event("gate/2")], ACTOR)
        assert gate.unanswered_since_s() > 0.0
        begun_s = time.monotonic()
        with pytest.raises(LogUnavailable, match="has answered no append"):
            await log.append(SONG, 1, [new_event("gate/3")], ACTOR)
        assert time.monotonic() - begun_s < TIMEOUT_S
    finally:
        os.kill(broker.server.pid, signal.SIGCONT)

    async def stored(sequence: int, key: str) -> bool:
        try:
            await log.append(SONG, sequence, [new_event(key)], ACTOR)
        except (LogUnavailable, AppendUnknown):
            return False
        return True

    await eventually(lambda: stored(1, "gate/2"), within_s=10 * TRY_EVERY_S)
    # It may have been stored by the try that got no answer, and only found now: the next one is answered.
    await eventually(lambda: stored(2, "gate/3"), within_s=10 * TRY_EVERY_S)
    assert gate.unanswered_since_s() == 0.0
    assert [event.event_id for event in await log.load(SONG)] == [
        new_event("gate/1").event_id,
        new_event("gate/2").event_id,
        new_event("gate/3").event_id,
    ]
