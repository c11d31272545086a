"""Garbage in the object store: what nothing names goes after a day, what anything names stays."""

import dataclasses
import hashlib
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from tapelog.common.v1.audio_pb2 import AudioResult
from tapelog.render.v1.events_pb2 import RenderSucceeded
from tapelog.render.v1.resources_pb2 import RenderKind, RenderResult
from tapelog.session.v1 import events_pb2 as session
from tapelog_chassis.event_log import AggregateId, CorruptStream, MemoryEventLog, Metadata, NewEvent
from tapelog_chassis.objects import ObjectStore
from tapelog_render.application.garbage import UnknownEvent, collect

DAY_S = 24 * 3600


@dataclasses.dataclass
class Archive:
    """A store and a log, with ways to fill them."""

    log: MemoryEventLog
    objects: ObjectStore
    folder: Path
    count: int = 0

    async def store(self, content: bytes, *, age_days: float = 3.0) -> str:
        """Store an object of an age."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        sha256 = (await self.objects.put_stream(chunks(), max_bytes=1000)).sha256
        stored_s = time.time() - age_days * DAY_S
        os.utime(self.folder / "sha256" / sha256[:2] / sha256, (stored_s, stored_s))
        return sha256

    async def record(self, context: str, message: Message, *, schema: str = "") -> None:
        """Record an event of an aggregate of its own."""
        self.count += 1
        event = NewEvent(
            f"event-{self.count}",
            "tapelog.any.thing.v1",
            schema or message.DESCRIPTOR.full_name,
            message.SerializeToString(),
            datetime.now(UTC) - timedelta(days=3),
        )
        aggregate = AggregateId(context, "acme", f"any-{self.count}")
        await self.log.append(aggregate, 0, [event], Metadata(actor="svc-render"))

    async def left(self) -> set[str]:
        """Return what is stored."""
        return {found.sha256 async for found in self.objects.stored()}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return an empty archive."""
    return Archive(MemoryEventLog(), ObjectStore(tmp_path / "objects"), tmp_path / "objects")


async def test_what_any_event_names_stays_and_the_rest_goes_after_a_day(archive: Archive):
    """Uploads, versions, deliveries and results are held by whatever field names them; a dry run removes nothing."""
    held = [await archive.store(f"held {n}".encode()) for n in range(5)]
    orphan = await archive.store(b"left by a killed worker")
    young = await archive.store(b"its event is on the way", age_days=0.5)
    await archive.record("session", session.TakeRecorded(take="tk-1", asset_sha256=held[0]))
    await archive.record("session", session.VersionRendered(audio=[AudioResult(sha256=held[1])]))
    await archive.record("session", session.CompRendered(track="t", audio=AudioResult(sha256=held[2])))
    await archive.record("session", session.DeliveryBuilt(manifest_sha256=held[3]))
    await archive.record("render", RenderSucceeded(result=RenderResult(audio=[AudioResult(sha256=held[4])])))
    dry = await collect(archive.log, archive.objects, now=datetime.now(UTC))
    assert ([found.sha256 for found in dry.garbage], dry.removed, dry.objects) == ([orphan], 0, 7)
    assert orphan in await archive.left()
    done = await collect(archive.log, archive.objects, now=datetime.now(UTC), dry_run=False)
    assert (done.removed, done.garbage_bytes) == (1, len(b"left by a killed worker"))
    assert await archive.left() == {*held, young}


async def test_previews_go_after_their_time_unless_something_else_names_them(archive: Archive):
    """The audio of an old preview goes, one that a version names too stays; a mix of the same age stays."""
    lone, shared = await archive.store(b"preview"), await archive.store(b"shared")
    for sha256 in (lone, shared):
        result = RenderResult(audio=[AudioResult(sha256=sha256)])
        await archive.record("render", RenderSucceeded(kind=RenderKind.RENDER_KIND_PREVIEW, result=result))
    await archive.record("session", session.VersionRendered(audio=[AudioResult(sha256=shared)]))
    kept = await collect(archive.log, archive.objects, now=datetime.now(UTC), dry_run=False)
    assert kept.removed == 0
    policy = timedelta(days=2)
    gone = await collect(archive.log, archive.objects, now=datetime.now(UTC), previews_kept=policy, dry_run=False)
    assert gone.removed == 1
    assert await archive.left() == {shared}


async def test_what_is_stored_again_is_young_again(archive: Archive):
    """An orphan that a new render stores again survives the collection that had listed it."""
    orphan = await archive.store(b"made twice")
    before = datetime.now(UTC) - timedelta(days=1)
    await archive.store(b"made twice", age_days=0)
    assert not await archive.objects.delete_older(orphan, before)
    report = await collect(archive.log, archive.objects, now=datetime.now(UTC), dry_run=False)
    assert (report.removed, await archive.left()) == (0, {orphan})


async def test_an_unknown_event_or_a_hole_in_a_log_stops_everything(archive: Archive):
    """Where it is not known what is named, nothing is removed."""
    orphan = await archive.store(b"orphan")
    await archive.record("notify", session.TakeRecorded(), schema="tapelog.future.v1.Thing")
    with pytest.raises(UnknownEvent, match="upgrade"):
        await collect(archive.log, archive.objects, now=datetime.now(UTC), dry_run=False)
    archive.log._contexts["notify"] = [
        dataclasses.replace(archive.log._contexts["notify"][0], schema="tapelog.session.v1.TakeRecorded", sequence=2)
    ]
    with pytest.raises(CorruptStream, match="restore"):
        await collect(archive.log, archive.objects, now=datetime.now(UTC), dry_run=False)
    with pytest.raises(ValueError, match="grace"):
        await collect(archive.log, archive.objects, now=datetime.now(UTC), grace=timedelta(hours=1))
    assert await archive.left() == {orphan}
    assert hashlib.sha256(b"orphan").hexdigest() == orphan
