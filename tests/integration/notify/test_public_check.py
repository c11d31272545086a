"""The public stream is checked against the logs that it was made from."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.nats import api, connected, direct
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.testing import Broker, embedded_nats, eventually
from tapelog_chassis.topology import CONTEXTS, PUB
from tapelog_notify.adapters.public_check import check_public
from tapelog_notify.adapters.public_stream import JetStreamPublicEvents, JetStreamPublicStream
from tapelog_notify.application.projector import Projector
from tapelog_notify.testing import Recorder

EVENTS = 12


@dataclass
class Published:
    """A broker whose logs are published, and connections of who may change and who may read."""

    broker: Broker
    writer: Client
    reader: Client

    async def message(self, position: int) -> StoredMessage:
        """Read a public message."""
        found = await direct.get_at(self.writer, PUB, position, timeout_s=2)
        assert found is not None
        return found

    async def replace_last(self, **headers: str) -> None:
        """Put a changed copy in the place behind the last message, which is deleted."""
        last = await self.message(EVENTS)
        admin = await self.broker.connect("admin")
        await api.request(admin, f"STREAM.MSG.DELETE.{PUB}", {"seq": EVENTS})
        kept = {key: value for key, value in last.headers.items() if key.startswith(("ce-", "tl-"))}
        await self.writer.jetstream().publish(last.subject, last.data, headers={**kept, **headers})


@pytest.fixture
async def published(tmp_path: Path) -> AsyncIterator[Published]:
    """Append to two logs, and have it all published by the real projector."""
    async with embedded_nats(tmp_path) as broker:
        recorder, connection = await Recorder.on(broker), await broker.connect("notify")
        projector = Projector(JetStreamEventLog(connection), JetStreamPublicStream(connection), CONTEXTS)
        running = asyncio.create_task(projector.run())
        for context in ("session", "render", "session"):
            await recorder.append(context=context, count=EVENTS // 3)
        public = JetStreamPublicEvents(connection)

        async def is_published() -> bool:
            return (await public.bounds()).last == EVENTS

        await eventually(is_published)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        creds = broker.server.identity.mint_user("maintenance", MAINTENANCE)
        async with connected(broker.url, name="maintenance", creds=creds) as reader:
            yield Published(broker, connection, reader)


async def test_what_the_projector_made_is_right(published: Published) -> None:
    """Also when its oldest messages have gone by their age, and the logs have more than is published."""
    report = await check_public(published.reader)
    assert (report.wrong, report.events, report.position) == ([], EVENTS, EVENTS)
    admin = await published.broker.connect("admin")
    await api.request(admin, f"STREAM.PURGE.{PUB}", {"seq": 6})
    await (await Recorder.on(published.broker)).append("sng-9", count=2)
    report = await check_public(published.reader)
    assert (report.wrong, report.events) == ([], EVENTS - 5)


async def test_an_empty_stream_is_right_and_a_missing_one_is_not(tmp_path: Path) -> None:
    """Before the first event there is nothing to compare."""
    async with embedded_nats(tmp_path) as broker:
        creds = broker.server.identity.mint_user("maintenance", MAINTENANCE)
        async with connected(broker.url, name="maintenance", creds=creds) as reader:
            assert (await check_public(reader)).wrong == []
            await api.request(await broker.connect("admin"), f"STREAM.DELETE.{PUB}")
            assert (await check_public(reader)).wrong == [f"the stream {PUB} is not there"]


async def test_a_missing_message_is_found(published: Published) -> None:
    """One in the middle, and one at the end behind which another was published."""
    admin = await published.broker.connect("admin")
    await api.request(admin, f"STREAM.MSG.DELETE.{PUB}", {"seq": 5})
    report = await check_public(published.reader)
    assert report.wrong_count == 2
    assert "1 message(s) before position 6 are missing" in report.wrong
    assert any("is not public, but later ones are" in line for line in report.wrong)


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"tl-actor": "pty-somebody-else"}, "tl-actor"),
        ({"tl-note": "added"}, "tl-note"),
        ({"ce-time": "2026-01-01T00:00:00.000000Z"}, "ce-time"),
        ({"tl-source-position": "ES_SESSION=8,ES_RENDER=99"}, "tl-source-position"),
        ({"ce-source": "/tapelog/elsewhere"}, "no public event"),
        ({"tl-source-position": "ES_SESSION=99,ES_RENDER=4"}, "is not in the session log"),
    ],
)
async def test_a_changed_message_is_found(published: Published, headers: dict[str, str], word: str) -> None:
    """Its actor, a header of our kind more, its time, its place, its source."""
    await published.replace_last(**headers)
    report = await check_public(published.reader)
    assert any(word in line for line in report.wrong), report.wrong


async def test_a_message_that_nobody_decided_is_found(published: Published) -> None:
    """A copy of an earlier one, published once more."""
    message = await published.message(3)
    kept = {key: value for key, value in message.headers.items() if key.startswith(("ce-", "tl-"))}
    await published.writer.jetstream().publish(message.subject, message.data, headers=kept)
    report = await check_public(published.reader)
    assert report.wrong_count >= 1
