"""B13: messages that are no events of ours, put straight into the public stream by somebody who may write there."""

import uuid
from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.testing import eventually
from tapelog_session import telemetry

GOOD = {
    "ce-specversion": "1.0",
    "ce-id": str(uuid.uuid4()),
    "ce-type": "tapelog.render_job.render_succeeded.v1",
    "ce-tenant": "acme",
    "ce-subject": "job-1",
}
FOREIGN: dict[str, tuple[dict[str, str], bytes]] = {
    "nothing but bytes": ({}, b"\xff\xfe junk"),
    "empty": ({}, b""),
    "200 kB": ({}, b"x" * 200_000),
    "many headers": ({f"x-{number}": "y" * 100 for number in range(300)}, b""),
    "a type from the future": ({**GOOD, "ce-type": "tapelog.render_job.render_succeeded.v9"}, b"\x0a\x01a"),
    "a type of somebody else": ({**GOOD, "ce-type": "com.example.sold"}, b"{}"),
    "no id": ({key: value for key, value in GOOD.items() if key != "ce-id"}, b""),
    "no tenant": ({key: value for key, value in GOOD.items() if key != "ce-tenant"}, b""),
    "another tenant's": ({**GOOD, "ce-tenant": "rival"}, b""),
    "a broken body": (GOOD, b"\x0a\xff\xff\xff\xff\x0f"),
}


async def test_foreign_messages_hold_nobody_up(
    booked: Any, renders: Any, broker: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is passed by with one alert, and what ends behind them is recorded."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    take = await booked.add_take(booked.wav(440))
    counted = telemetry.PROCESS_QUARANTINED.labels("record-renders")
    before = counted._value.get()
    connection = await broker.connect("notify")
    for headers, body in FOREIGN.values():
        subject = "pub.acme.prj-x.sng-x.render_job_render_succeeded"
        await connection.jetstream().publish(subject, body, headers=headers or None)
    await renders.measure(take)

    async def is_checked() -> bool:
        return (await booked.get_song()).takes[0].check_state == pb.TAKE_CHECK_STATE_PASSED

    await eventually(is_checked)
    assert counted._value.get() - before == len(FOREIGN)
    told = capsys.readouterr()
    assert (told.out + told.err).count("foreign message passed by") == len(FOREIGN)
