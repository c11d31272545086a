"""
The only list of streams, subjects and consumers.

Provisioning, permissions, the autoscaler's manifests and the event documents are made from it or checked against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

DAY_S: Final = 24 * 3600.0
MAX_MESSAGE_BYTES: Final = 256 * 1024
"""Headers and body of one message in every stream but the snapshots."""
MAX_SNAPSHOT_BYTES: Final = 512 * 1024
"""One snapshot; under the server's max_payload of 1 MiB."""
DUPLICATE_WINDOW_S: Final = 120.0
"""The broker's own deduplication is only an optimisation; ids are checked against the log itself."""
ACK_WAIT_S: Final = 30.0
"""Lease of a delivered message; work that takes longer says so every `HEARTBEAT_S`."""
HEARTBEAT_S: Final = 10.0
ORDERED_ACK_WAIT_S: Final = 4.0
"""The same for ordered subscriptions, which stand still until a lost delivery's lease is over."""
ORDERED_HEARTBEAT_S: Final = 1.0
JOB_MAX_DELIVER: Final = 20
"""A net only: attempts are counted from events (three), and a broker kill may redeliver past this number."""
MAX_ACK_PENDING: Final = 64
"""Messages of one durable that may be out at once."""
SUBSCRIPTION_MAX_ACK_PENDING: Final = 256
"""The same for one subscriber's feed."""

SUBSCRIPTION_PREFIX: Final = "sub-"
"""Ids of subscriptions, and so the names of their consumers, begin with it; no other durable's name does."""

CONTEXTS: Final = ("session", "render", "usage", "notify")
JOB_CLASSES: Final = ("interactive", "standard", "bulk")
NONE_TOKEN: Final = "-"  # noqa: S105 - a subject token, not a secret
"""Stands in a public subject where an event belongs to no project or song."""

_TOKEN: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_EVENT_TOKEN: Final = re.compile(r"[a-z][a-z0-9]{0,31}_[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """
    One stream: file storage, no compression, always a size limit.

    Attributes
    ----------
    share
        Part of the whole store's byte budget (all shares together are at most 1).
    max_messages_per_subject
        -1 for any number; 1 with `reject_second` refuses a second message while the first is there.
    is_synced
        Whether each message is on the disk before it is acknowledged: always, but for operational data whose loss in a
        power cut is no harm, and which would take the disk's time from facts.
    discard
        What a full stream does: refuse the new message, or (operational data only) let go of its oldest.
    """

    name: str
    subjects: tuple[str, ...]
    share: float
    retention: Literal["limits", "workqueue"] = "limits"
    max_age_s: float = 0.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_messages_per_subject: int = -1
    reject_second: bool = False
    allow_atomic: bool = False
    allow_direct: bool = True
    allow_rollup: bool = False
    duplicate_window_s: float = DUPLICATE_WINDOW_S
    is_synced: bool = True
    discard: Literal["new", "old"] = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSpec:
    """One durable pull consumer with explicit acknowledgement; `owner` is the service that may use it."""

    name: str
    stream: str
    owner: str
    filters: tuple[str, ...] = ()
    ack_wait_s: float = ACK_WAIT_S
    max_deliver: int = -1
    max_ack_pending: int = MAX_ACK_PENDING
    deliver: Literal["all", "new"] = "all"
    start_sequence: int = 0


def es_stream(context: str) -> str:
    """Name of the stream that holds a context's events."""
    return f"ES_{context.upper()}"


PUB: Final = "PUB"
JOBS: Final = "JOBS"
ADV: Final = "ADV"
SNAP_BUCKET: Final = "snap"
SNAP: Final = f"KV_{SNAP_BUCKET}"
SECRETS_BUCKET: Final = "secrets"
SECRETS: Final = f"KV_{SECRETS_BUCKET}"
PARTIES_BUCKET: Final = "parties"
PARTIES: Final = f"KV_{PARTIES_BUCKET}"
PARTY_KEYS_BUCKET: Final = "party_keys"
PARTY_KEYS: Final = f"KV_{PARTY_KEYS_BUCKET}"
DELIVERIES: Final = "DELIVERIES"
DELIVERIES_PER_SUBSCRIPTION: Final = 1000
"""Attempts of one webhook that are kept, for `DELIVERIES_DAYS` at most."""
DELIVERIES_DAYS: Final = 30
DEAD_LETTERS: Final = "DEAD_LETTERS"
CANCEL_SUBJECTS: Final = "ctl.render.cancel.*"
PROGRESS_SUBJECTS: Final = "tel.render.progress.*.*"
QUEUED_SUBJECT: Final = "ctl.render.queued"
"""Core subject that tells idle workers at once that a lane, named in the body, has a job; looking at the queue is what
counts."""

_EVENT_SHARES: Final = {"session": 0.30, "render": 0.20, "usage": 0.10, "notify": 0.05}

STREAMS: Final = (
    *(
        StreamSpec(name=es_stream(context), subjects=(f"es.{context}.*.*",), share=share, allow_atomic=True)
        for context, share in _EVENT_SHARES.items()
    ),
    StreamSpec(name=PUB, subjects=("pub.*.*.*.*",), share=0.21, max_age_s=400 * DAY_S, allow_atomic=True),
    StreamSpec(
        name=JOBS,
        subjects=("job.*.*.*.*",),
        share=0.04,
        retention="workqueue",
        max_messages_per_subject=1,
        reject_second=True,
    ),
    StreamSpec(
        name=ADV,
        subjects=(
            f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{JOBS}.*",
            f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{JOBS}.*",
        ),
        share=0.01,
        max_age_s=30 * DAY_S,
    ),
    StreamSpec(
        name=SNAP,
        subjects=(f"$KV.{SNAP_BUCKET}.>",),
        share=0.05,
        max_message_bytes=MAX_SNAPSHOT_BYTES,
        max_messages_per_subject=1,
        allow_rollup=True,
    ),
    StreamSpec(name=SECRETS, subjects=(f"$KV.{SECRETS_BUCKET}.*.*",), share=0.01, max_messages_per_subject=1),
    # One message a person: a new one takes the old one's place, so that names and contacts can be erased.
    StreamSpec(name=PARTIES, subjects=(f"$KV.{PARTIES_BUCKET}.*.*",), share=0.005, max_messages_per_subject=1),
    # The key of each person's record: whoever destroys it has erased the person, wherever copies of the record are. So
    # a copy of this stream must not outlive an erasure.
    StreamSpec(name=PARTY_KEYS, subjects=(f"$KV.{PARTY_KEYS_BUCKET}.*.*",), share=0.005, max_messages_per_subject=1),
    # What was tried, for people to look at: a full log forgets its oldest attempts and never stops a delivery.
    StreamSpec(
        name=DELIVERIES,
        subjects=("log.delivery.*.*",),
        share=0.015,
        max_age_s=DELIVERIES_DAYS * DAY_S,
        max_messages_per_subject=DELIVERIES_PER_SUBSCRIPTION,
        is_synced=False,
        discard="old",
    ),
    # One message an event that a subscription gave up; an empty one says that it was delivered after all.
    StreamSpec(
        name=DEAD_LETTERS,
        subjects=("log.dead.*.*.*",),
        share=0.005,
        max_age_s=400 * DAY_S,
        max_messages_per_subject=1,
    ),
)

RENDER_OUTCOMES: Final = ("render_job_render_succeeded", "render_job_render_failed", "render_job_render_cancelled")
"""The public events by which other contexts learn how a job ended (a subject wildcard is a whole token)."""

SESSION_PROCESS: Final = "session-process"
SESSION_RENDERS: Final = "session-renders"
RENDER_LEDGER: Final = "render-ledger"
RENDER_DEAD_LETTER: Final = "render-dead-letter"

CONSUMERS: Final = (
    ConsumerSpec(name=SESSION_PROCESS, stream=es_stream("session"), owner="session"),
    ConsumerSpec(
        name=SESSION_RENDERS,
        stream=PUB,
        owner="session",
        filters=tuple(f"pub.*.*.*.{outcome}" for outcome in RENDER_OUTCOMES),
    ),
    ConsumerSpec(name=RENDER_LEDGER, stream=es_stream("render"), owner="render"),
    ConsumerSpec(name=RENDER_DEAD_LETTER, stream=ADV, owner="render"),
)


def _token(field: str, value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError(f"{field} {value!r} is not a subject token: 1 to 32 of a-z, 0-9, '-', starting with a letter")
    return value


def es_subject(context: str, tenant: str, id_: str) -> str:
    """Where an aggregate's events are."""
    return f"es.{_token('context', context)}.{_token('tenant', tenant)}.{_token('id', id_)}"


def event_token(type_: str) -> str:
    """
    Last token of a public subject: `tapelog.song.mix_version_approved.v1` -> `song_mix_version_approved`.

    Raises
    ------
    ValueError
        If the type is not `tapelog.<aggregate>.<event_snake>.v<N>`.
    """
    match type_.split("."):
        case ["tapelog", aggregate, event, version] if re.fullmatch(r"v[1-9][0-9]*", version):
            token = f"{aggregate}_{event}"
            if _EVENT_TOKEN.fullmatch(token):
                return token
    raise ValueError(f"event type {type_!r} is not tapelog.<aggregate>.<event_snake>.v<N>")


def _event_tokens(type_: str, audience: str) -> str:
    return f"{event_token(type_)}-{_token('audience', audience)}" if audience else event_token(type_)


def pub_subject(tenant: str, project: str, song: str, type_: str, *, audience: str = "") -> str:
    """
    Where a public event is; an empty project or song becomes `-`.

    `audience` sets some events of a type apart, so that a consumer can be given them alone: their subject ends in
    `-<audience>`.
    """
    project = _token("project", project) if project else NONE_TOKEN
    song = _token("song", song) if song else NONE_TOKEN
    return f"pub.{_token('tenant', tenant)}.{project}.{song}.{_event_tokens(type_, audience)}"


def pub_filter(tenant: str, *, project: str = "", song: str = "", type_: str = "", audience: str = "") -> str:
    """Filter on public events; an empty part means any, but a type without an audience means those set apart not."""
    parts = (
        _token("tenant", tenant),
        _token("project", project) if project else "*",
        _token("song", song) if song else "*",
        _event_tokens(type_, audience) if type_ else "*",
    )
    return "pub." + ".".join(parts)


def job_subject(kind: str, class_: str, tenant: str, job: str) -> str:
    """Where a job waits; one message at most per subject."""
    if class_ not in JOB_CLASSES:
        raise ValueError(f"job class {class_!r} is not one of {', '.join(JOB_CLASSES)}")
    return f"job.{_token('kind', kind)}.{class_}.{_token('tenant', tenant)}.{_token('job', job)}"


def job_lane(
    class_: str,
    tenant: str,
    *,
    ack_wait_s: float = ACK_WAIT_S,
    max_deliver: int = JOB_MAX_DELIVER,
    max_ack_pending: int = MAX_ACK_PENDING,
) -> ConsumerSpec:
    """
    Describe the durable on JOBS through which workers take a tenant's jobs of one class: `<class>-<tenant>`.

    Each tenant has lanes of its own, so that a worker can choose whose job is next, and the server itself holds a
    tenant to so many jobs at a time. The render service makes a lane when the tenant's first job of the class comes.

    Parameters
    ----------
    class_, tenant
        Whose jobs.
    ack_wait_s
        The lease: a worker that is silent for so long has lost its job.
    max_deliver
        How often a job is handed out before the queue gives it up.
    max_ack_pending
        How many of the lane's jobs may be worked on at a time.
    """
    if class_ not in JOB_CLASSES:
        raise ValueError(f"job class {class_!r} is not one of {', '.join(JOB_CLASSES)}")
    return ConsumerSpec(
        name=f"{class_}-{_token('tenant', tenant)}",
        stream=JOBS,
        owner="worker",
        filters=(f"job.*.{class_}.{tenant}.*",),
        ack_wait_s=ack_wait_s,
        max_deliver=max_deliver,
        max_ack_pending=max_ack_pending,
    )


def cancel_subject(job: str) -> str:
    """Core subject that tells a worker at once to stop a job; the event in the log is what counts."""
    return f"ctl.render.cancel.{_token('job', job)}"


def progress_subject(tenant: str, job: str) -> str:
    """Core subject of a job's progress ticks; never stored."""
    return f"tel.render.progress.{_token('tenant', tenant)}.{_token('job', job)}"


def snapshot_subject(context: str, tenant: str, id_: str) -> str:
    """Where an aggregate's snapshot is: the key `<context>.<tenant>.<id>` of the bucket."""
    return f"$KV.{SNAP_BUCKET}.{_token('context', context)}.{_token('tenant', tenant)}.{_token('id', id_)}"


def party_subject(tenant: str, party: str) -> str:
    """Where a person's name and contact are: the key `<tenant>.<party>` of the bucket."""
    return f"$KV.{PARTIES_BUCKET}.{_token('tenant', tenant)}.{_token('party', party)}"


def party_key_subject(tenant: str, party: str) -> str:
    """Where the key of a person's record is: the key `<tenant>.<party>` of the bucket."""
    return f"$KV.{PARTY_KEYS_BUCKET}.{_token('tenant', tenant)}.{_token('party', party)}"


def secret_subject(tenant: str, subscription: str) -> str:
    """Where a subscription's encrypted secret is: the key `<tenant>.<subscription>` of the bucket."""
    return f"$KV.{SECRETS_BUCKET}.{_token('tenant', tenant)}.{_token('subscription', subscription)}"


def delivery_subject(tenant: str, subscription: str) -> str:
    """Where the attempts at a subscription's webhook are."""
    return f"log.delivery.{_token('tenant', tenant)}.{_token('subscription', subscription)}"


def dead_letter_subject(tenant: str, subscription: str, position: int | None = None) -> str:
    """Where an event that a subscription gave up is; without a position, the filter for all of them."""
    place = "*" if position is None else str(position)
    return f"log.dead.{_token('tenant', tenant)}.{_token('subscription', subscription)}.{place}"


def subscription_consumer(
    subscription: str,
    filters: tuple[str, ...],
    *,
    after_position: int = 0,
    ordered: bool = False,
) -> ConsumerSpec:
    """
    Describe the durable on PUB that notify makes for one subscription; it bears the subscription's id, `sub-…`.

    Parameters
    ----------
    subscription
        The id.
    filters
        Subjects, none of which may overlap another.
    after_position
        Deliver what comes behind this position.
    ordered
        Deliver the next event when the one before was accepted. The lease is then short and has to be extended: a
        broker that was killed offers what it takes for delivered again only when the lease is over.
    """
    name = _token("subscription", subscription)
    if not name.startswith(SUBSCRIPTION_PREFIX):
        raise ValueError(f"subscription {subscription!r} does not begin with {SUBSCRIPTION_PREFIX!r}")
    return ConsumerSpec(
        name=name,
        stream=PUB,
        owner="notify",
        filters=filters,
        ack_wait_s=ORDERED_ACK_WAIT_S if ordered else ACK_WAIT_S,
        max_ack_pending=1 if ordered else SUBSCRIPTION_MAX_ACK_PENDING,
        start_sequence=after_position + 1,
    )
