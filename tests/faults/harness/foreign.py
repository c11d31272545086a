"""What somebody who may write to the broker's streams could put there, and no version of ours ever would."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.event_log import AggregateId, Metadata, NewEvent, StoredEvent, chain, codec
from tapelog_chassis.nats.permissions import Permissions

INTRUDER: Final = Permissions(publish=(">",), subscribe=("_INBOX_intruder.>",))
"""Rights that no user of ours has."""
LARGE: Final = 200_000
"""Under a message's limit of 256 KiB; its headers may have 64 KiB."""
TOO_LARGE: Final = 300_000
MANY: Final = 500
PUT_S: Final = 5.0


@dataclass(frozen=True)
class Message:
    """What is published; an empty subject stands for that of the song it is aimed at."""

    name: str
    data: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    subject: str = ""


async def put(intruder: Client, message: Message, subject: str = "") -> str:
    """Publish a message; return the broker's refusal, empty if it took it."""
    answer = await intruder.request(
        message.subject or subject, message.data, headers=message.headers or None, timeout=PUT_S
    )
    return "" if b'"error"' not in answer.data else answer.data.decode()


def _message(name: str, event: StoredEvent, **headers: str) -> Message:
    known = {key: value for key, value in codec.encode(event).items() if key != codec.MSG_ID}
    return Message(name, event.data, {**known, **headers})


def after(
    history: Sequence[StoredEvent], *, type_: str = "tapelog.song.held.v1", data: bytes = b"", **changes: str
) -> StoredEvent:
    """Return an event that continues a history by every formula; `changes` are fields of its metadata."""
    last = history[-1]
    new = NewEvent(f"evt-{len(history)}-forged", type_, "tapelog.session.v1.SongHeld", data, last.time)
    return chain.seal(last.aggregate, last.sequence, last.hash, [new], Metadata(**changes))[0]


def on_a_song(history: Sequence[StoredEvent]) -> list[Message]:
    """Return what may lie on a song's subject behind its events and is none."""
    first, last = history[0], history[-1]
    good = after(history, project=last.metadata.project, song=last.metadata.song)
    return [
        Message("bytes without a header", b"\xff\xfe junk"),
        Message("nothing at all"),
        Message("200 kB", b"x" * LARGE),
        Message("five hundred headers", b"", {f"x-{number}": "y" * 100 for number in range(MANY)}),
        Message("headers of ours, no values", b"", dict.fromkeys(codec.encode(last), "")),
        _message("the last event again", last),
        _message("the first event again", first),
        _message("another body under a right hash", replace(good, data=b"\x0a\x03bad")),
        _message("another tenant in the headers", good, **{"ce-tenant": "rival"}),
        _message("a sequence too far", replace(good, sequence=good.sequence + 7)),
        _message("another past", chain.seal(last.aggregate, last.sequence, "0" * 64, [good], Metadata())[0]),
        _message("not a number for a sequence", good, **{codec.SEQUENCE: "seven"}),
    ]


def beside_the_songs(tenant: str) -> list[Message]:
    """Return what may lie in the session log on a subject that is no aggregate's of ours."""
    return [
        Message("an upper-case subject", b"junk", subject=f"es.session.{tenant.upper()}.SNG"),
        Message("a subject of signs", b"junk", subject=f"es.session.{tenant}.!%$"),
        Message("an aggregate of no kind", b"junk", subject=f"es.session.{tenant}.zzz-1"),
        Message("another tenant's prefix alone", b"", subject="es.session.nobody.prj-1"),
    ]


def in_the_queue(tenant: str, job: str) -> list[Message]:
    """Return what may lie in the work queue and is no job, and an ended job under another kind and class."""
    return [
        Message("a job nobody asked for", b"", subject=f"job.mix.interactive.{tenant}.job-nobody"),
        Message("200 kB", b"x" * LARGE, subject=f"job.mix.standard.{tenant}.job-large"),
        Message("an id of signs", b"junk", subject=f"job.mix.standard.{tenant}.!!"),
        Message("an upper-case id", b"junk", subject=f"job.analysis.bulk.{tenant}.JOB"),
        Message("a tenant without a lane", b"junk", subject="job.mix.standard.ghost.job-1"),
        Message("a class without a lane", b"junk", subject=f"job.mix.whenever.{tenant}.job-2"),
        Message("an ended job once more", b"", subject=f"job.stems.bulk.{tenant}.{job}"),
    ]


def in_the_public_stream(tenant: str, template: Message) -> list[Message]:
    """Return what may lie in the public stream; `template` is a message of ours, subject and all."""
    headers = template.headers
    return [
        Message("bytes without a header", b"\xff junk", subject=template.subject),
        Message("200 kB", b"x" * LARGE, subject=template.subject),
        replace(template, name="a public event again"),
        replace(template, name="another tenant's in this one's place", headers={**headers, "ce-tenant": "rival"}),
        replace(template, name="no time", headers={k: v for k, v in headers.items() if k != "ce-time"}),
        Message("a subject of signs", b"junk", subject=f"pub.{tenant}.!.!.what"),
    ]


def aggregate_of(tenant: str, song: str) -> AggregateId:
    """Return the aggregate of a song by its resource name."""
    return AggregateId("session", tenant, song.rpartition("/")[2])
