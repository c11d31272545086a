"""Objects that nothing names any more: found by reading every log, kept for a while, then removed.

What an event names stays: an upload, a version and its approval, a delivery's manifest, a comp, a result. The events
are walked field by field, so that a kind of event which is added later cannot be forgotten; an event of an unknown type
stops everything. What no event names was left by an attempt that ended between storing and recording.

The retention policy lets go of one thing that is named: the audio of previews, after their time, if nothing else names
it. Their measurements and digests stay in the log, and the same request makes them again.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from tapelog.notify.v1 import events_pb2 as notify_events
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1.resources_pb2 import RenderKind
from tapelog.session.v1 import events_pb2 as session_events
from tapelog_chassis.event_log import CorruptStream, EventLog, ForeignMessage, StoredEvent
from tapelog_chassis.objects import ObjectStore, StoredObject
from tapelog_chassis.topology import CONTEXTS

GRACE: Final = timedelta(hours=24)
"""What was stored since is left alone: its event may still be on the way. The longest job takes four hours."""
GRACE_MIN: Final = timedelta(hours=5)
PREVIEWS_KEPT: Final = timedelta(days=30)

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_KNOWN: Final = (notify_events, render_events, session_events)
"""Imported so that the pool has their types."""


class UnknownEvent(Exception):  # noqa: N818 - named after what was met
    """An event is of a type that this version does not know: what it names is not known either."""

    def __init__(self, schema: str) -> None:
        super().__init__(f"events of type {schema} are not known to this version; nothing was removed, upgrade first")


@dataclasses.dataclass(slots=True)
class Named:
    """What the logs name.

    Attributes
    ----------
    always : set of str
        Digests that stay for good.
    until : dict of str to datetime
        Digests that only previews name, and when the last of them may go.
    """

    always: set[str] = dataclasses.field(default_factory=set)
    until: dict[str, datetime] = dataclasses.field(default_factory=dict)

    def add(self, message: Message, time: datetime, *, previews_kept: timedelta = PREVIEWS_KEPT) -> None:
        """Take an event in."""
        if not isinstance(message, render_events.RenderSucceeded) or message.kind != RenderKind.RENDER_KIND_PREVIEW:
            self.always.update(digests_in(message))
            return
        for sha256 in digests_in(message):
            self.until[sha256] = max(self.until.get(sha256, time), time + previews_kept)

    def holds(self, sha256: str, now: datetime) -> bool:
        """Return whether an object has to stay."""
        return sha256 in self.always or self.until.get(sha256, now) > now


@dataclasses.dataclass(slots=True)
class Collected:
    """What a collection found.

    Attributes
    ----------
    objects, bytes : int
        All that is stored.
    garbage : list of StoredObject
        What nothing holds, older than the grace period.
    removed : int
        How many of these are gone; 0 in a dry run.
    """

    objects: int = 0
    bytes: int = 0
    garbage: list[StoredObject] = dataclasses.field(default_factory=list)
    removed: int = 0

    @property
    def garbage_bytes(self) -> int:
        """Size of what nothing holds."""
        return sum(found.size_bytes for found in self.garbage)


def digests_in(message: Message) -> Iterator[str]:
    """Yield every SHA-256 that a message names, in whatever field, however deep."""
    for field, value in message.ListFields():
        values: Iterable[object] = value if field.is_repeated else [value]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            values = [*value.keys(), *value.values()]
        for part in values:
            if isinstance(part, Message):
                yield from digests_in(part)
            elif isinstance(part, str) and _DIGEST.fullmatch(part):
                yield part


async def named_in(log: EventLog, *, previews_kept: timedelta = PREVIEWS_KEPT) -> Named:
    """Read every log to its head and return what it names; raises `UnknownEvent`, `EventLogError`."""
    named = Named()
    for context in CONTEXTS:
        async for stored in log.read_all(context):
            if isinstance(stored, ForeignMessage):
                raise CorruptStream(stored.subject, 0, f"at position {stored.position}: {stored.reason}")
            named.add(message_of(stored), stored.time, previews_kept=previews_kept)
    return named


def message_of(stored: StoredEvent) -> Message:
    """Return an event's message, whichever service wrote it; raises `UnknownEvent`."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(stored.schema)
    except KeyError:
        raise UnknownEvent(stored.schema) from None
    message: Message = message_factory.GetMessageClass(descriptor).FromString(stored.data)
    return message


async def collect(
    log: EventLog,
    objects: ObjectStore,
    *,
    now: datetime,
    grace: timedelta = GRACE,
    previews_kept: timedelta = PREVIEWS_KEPT,
    dry_run: bool = True,
) -> Collected:
    """Find what nothing names, and remove it unless this is a dry run.

    The objects are listed first and the logs read afterwards, so an event that came in between counts. Storing an
    object that is there makes it young again, and its age is looked at once more right before it is removed.

    Raises
    ------
    ValueError
        The grace period is shorter than a job may take.
    UnknownEvent, EventLogError, ObjectStoreUnavailableError
        Nothing, or nothing more, was removed.
    """
    if grace < GRACE_MIN:
        raise ValueError(f"the grace period is {grace}, the least is {GRACE_MIN}: a job may take four hours")
    listed = [found async for found in objects.stored()]
    named = await named_in(log, previews_kept=previews_kept)
    report = Collected(len(listed), sum(found.size_bytes for found in listed))
    for found in listed:
        if found.stored_at < now - grace and not named.holds(found.sha256, now):
            report.garbage.append(found)
    if not dry_run:
        for found in report.garbage:
            report.removed += await objects.delete_older(found.sha256, now - grace)
    return report
