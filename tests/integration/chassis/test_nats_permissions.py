"""Each user is denied every subject outside its list, by the server itself."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client, RawCredentials
from tapelog_chassis import topology
from tapelog_chassis.nats import (
    SERVICES,
    Permissions,
    Puller,
    Unreachable,
    connect,
    connected,
    ensure_consumer,
    inbox_prefix,
    subscriber,
)
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.testing import Broker, embedded_nats, eventually

DENIED_PUBLISH = {
    "session": [
        "es.render.acme.rj-1",
        "es.usage.acme.ua-1",
        "es.notify.acme.sub-1",
        "pub.acme.-.-.song_approved",
        "job.render.standard.acme.rj-1",
        "ctl.render.cancel.rj-1",
        "$KV.snap.render.acme.rj-1",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.UPDATE.ES_SESSION",
        "$JS.API.STREAM.DELETE.ES_SESSION",
        "$JS.API.STREAM.PURGE.ES_SESSION",
        "$JS.API.STREAM.MSG.DELETE.ES_SESSION",
        "$JS.API.STREAM.MSG.GET.ES_SESSION",
        "$JS.API.DIRECT.GET.ES_RENDER",
        "$JS.API.DIRECT.GET.PUB",
        "$JS.API.DIRECT.GET.KV_snap",
        "$JS.API.CONSUMER.CREATE.ES_RENDER.x.es.render.>",
        "$JS.API.CONSUMER.CREATE.ES_SESSION.session-process",
        "$JS.API.CONSUMER.CREATE.ES_SESSION.session-process.es.session.>",
        "$JS.API.CONSUMER.MSG.NEXT.JOBS.standard-acme",
        "$JS.ACK.JOBS.standard-acme.1.1.1.1.1",
    ],
    "render": [
        "es.session.acme.sng-1",
        "pub.acme.-.-.song_approved",
        "$JS.API.STREAM.PURGE.ES_RENDER",
        "$JS.API.STREAM.MSG.DELETE.ES_RENDER",
        "$JS.API.CONSUMER.MSG.NEXT.ES_SESSION.session-process",
        "$JS.API.CONSUMER.MSG.NEXT.JOBS.standard-acme",
    ],
    "worker": [
        "es.session.acme.sng-1",
        "es.usage.acme.ua-1",
        "job.render.standard.acme.rj-1",
        "$JS.API.STREAM.PURGE.JOBS",
        "$JS.API.CONSUMER.CREATE.JOBS.mine",
        "$JS.API.CONSUMER.CREATE.JOBS.bulk-acme.job.*.bulk.acme.*",
        "$JS.API.CONSUMER.DELETE.JOBS.bulk-acme",
        "$JS.API.CONSUMER.MSG.NEXT.ES_RENDER.render-ledger",
    ],
    "notify": [
        "es.session.acme.sng-1",
        "es.render.acme.rj-1",
        "job.render.standard.acme.rj-1",
        "$JS.API.STREAM.PURGE.PUB",
        "$JS.API.STREAM.DELETE.PUB",
        "$JS.API.CONSUMER.DELETE.PUB.session-renders",
        "$JS.API.CONSUMER.CREATE.PUB.session-renders",
        "$JS.API.CONSUMER.CREATE.PUB.session-renders.pub.>",
        "$JS.API.CONSUMER.MSG.NEXT.PUB.session-renders",
        "$JS.ACK.PUB.session-renders.1.1.1.1.1",
        "$JS.API.CONSUMER.CREATE.ES_SESSION.session-process.es.session.>",
        "$JS.API.CONSUMER.MSG.NEXT.ES_SESSION.session-process",
    ],
    "admin": ["es.session.acme.sng-1", "pub.acme.-.-.song_approved", "$SYS.REQ.SERVER.PING"],
    "maintenance": [
        "es.session.acme.sng-1",
        "pub.acme.-.-.song_approved",
        "$KV.party_keys.acme.ana",
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.DELETE.ES_SESSION",
        "$JS.API.STREAM.PURGE.ES_SESSION",
        "$JS.API.STREAM.MSG.DELETE.KV_party_keys",
        "$JS.API.STREAM.RESTORE.ES_SESSION",
        "$JS.API.CONSUMER.DELETE.ES_SESSION.session-process",
    ],
    "tool": [
        "es.session.acme.sng-1",
        "pub.acme.-.-.song_approved",
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.PUB",
        "$JS.API.STREAM.NAMES",
        "$JS.API.DIRECT.GET.PUB",
        "$JS.API.STREAM.MSG.GET.PUB",
        "$JS.API.CONSUMER.CREATE.PUB.mine",
        "$JS.API.CONSUMER.DELETE.PUB.sub-tool",
        "$JS.API.CONSUMER.INFO.PUB.sub-other",
        "$JS.API.CONSUMER.MSG.NEXT.PUB.sub-other",
        "$JS.ACK.PUB.sub-other.1.1.1.1.1",
    ],
}
DENIED_SUBSCRIBE = {
    service: [
        *(">", "*", "_INBOX.>", "_INBOX_other.>", "es.>", "pub.>", "job.>", "$KV.>", "$JS.>", "$SYS.>"),
        *(f"_INBOX_{other}.>" for other in sorted({*DENIED_PUBLISH, "maintenance"} - {service})),
    ]
    for service in DENIED_PUBLISH
}


def permissions_of(user: str) -> Permissions:
    """Look up a service, or make the outside tool."""
    if user == "maintenance":
        return MAINTENANCE
    return subscriber("tool", "sub-tool") if user == "tool" else SERVICES[user]


@asynccontextmanager
async def watched(broker: Broker, user: str, errors: list[str]) -> AsyncIterator[Client]:
    """Connect as a user, collecting what the server objects to."""

    async def on_error(error: Exception) -> None:
        errors.append(str(error))

    client = Client()
    creds = broker.server.identity.mint_user(user, permissions_of(user))
    await client.connect(
        broker.url, user_credentials=RawCredentials(creds), error_cb=on_error, inbox_prefix=inbox_prefix(user)
    )
    try:
        yield client
    finally:
        await client.close()


def test_the_checks_are_as_many_as_promised() -> None:
    """S05: subjects that the server has refused, user by user, in the two tests below."""
    count = sum(map(len, DENIED_PUBLISH.values())) + sum(map(len, DENIED_SUBSCRIBE.values()))
    sys.stdout.write(f"NATS: allowed 0 of {count}\n")
    assert count >= 40
    assert DENIED_PUBLISH.keys() >= SERVICES.keys()


@pytest.mark.parametrize("user", DENIED_PUBLISH)
async def test_publishing_elsewhere_is_denied(broker: Broker, user: str) -> None:
    """The server refuses each of these subjects by name, and the connection lives on."""
    errors: list[str] = []
    async with watched(broker, user, errors) as client:
        for subject in DENIED_PUBLISH[user]:
            await client.publish(subject, b"{}")
        await client.flush()
        await eventually(lambda: len(errors) >= len(DENIED_PUBLISH[user]))
        assert [subject for subject in DENIED_PUBLISH[user] if not _names(errors, f'publish to "{subject}"')] == []
        assert client.is_connected


@pytest.mark.parametrize("user", DENIED_SUBSCRIBE)
async def test_subscribing_elsewhere_is_denied(broker: Broker, user: str) -> None:
    """Nobody can listen to others' replies, to the logs or to everything."""
    errors: list[str] = []
    async with watched(broker, user, errors) as client:
        for subject in DENIED_SUBSCRIBE[user]:
            await client.subscribe(subject)
        await client.flush()
        await eventually(lambda: len(errors) >= len(DENIED_SUBSCRIBE[user]))
        assert [
            subject for subject in DENIED_SUBSCRIBE[user] if not _names(errors, f'subscription to "{subject}"')
        ] == []


def _names(errors: list[str], what: str) -> bool:
    return any(what.lower() in error.lower() for error in errors)


async def test_a_tool_reads_its_own_feed_and_nothing_else(broker: Broker) -> None:
    """With creds minted on the running server, an outside tool pulls and acknowledges its subscription's events."""
    notify = await broker.connect("notify")
    spec = topology.subscription_consumer("sub-tool", (topology.pub_filter("acme"),))
    await ensure_consumer(notify, spec)
    for tenant in ("acme", "rival"):
        for n in range(3):
            subject = topology.pub_subject(tenant, "", f"sng-{n}", "tapelog.song.song_approved.v1")
            await notify.request(subject, f"{tenant}-{n}".encode(), timeout=2)
    creds = broker.server.identity.mint_user("tool", subscriber("tool", spec.name))
    async with connected(broker.url, name="tool", creds=creds) as tool, Puller(tool, topology.PUB, spec.name) as feed:
        seen = []
        async for delivery in feed:
            seen.append(delivery.data)
            await delivery.ack_sync()
            if len(seen) == 3:
                break
    assert seen == [b"acme-0", b"acme-1", b"acme-2"]


async def test_creds_end_when_they_say(broker: Broker) -> None:
    """The server closes a connection whose creds have expired and takes none of them again."""
    lifetime_s = 2
    creds = broker.server.identity.mint_user("tool", subscriber("tool", "sub-tool"), expires_s=lifetime_s)
    last_second = int(time.time()) + lifetime_s
    tool = await connect(broker.url, name="tool", creds=creds)
    try:
        await eventually(lambda: not tool.is_connected)
    finally:
        await tool.close()
    # Tokens expire in whole seconds, and the server still takes them in the last one.
    await eventually(lambda: int(time.time()) > last_second)
    with pytest.raises(Unreachable, match="tool"):
        await connect(broker.url, name="tool", creds=creds)


async def test_creds_of_another_installation_are_refused(broker: Broker, tmp_path: Path) -> None:
    """Keys made elsewhere open nothing here, and neither does no key at all."""
    async with embedded_nats(tmp_path / "elsewhere") as elsewhere:
        foreign = elsewhere.creds("admin")
    for creds in (foreign, None):
        with pytest.raises(Unreachable, match=r"(?i)authorization"):
            await connect(broker.url, name="admin", creds=creds)
