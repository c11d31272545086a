"""
Who may publish and subscribe to what: deny by default, one list per service, made from the topology.

No service may create, change or delete a stream, only render may remove messages and only from the job queue, and no
service can read another's replies: each has an inbox prefix of its own. A wildcard in a subject is a whole token, so
`CONSUMER.CREATE` cannot be limited to a name prefix; the durables of other services are therefore denied by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tapelog_chassis import topology
from tapelog_chassis.topology import (
    ADV,
    CONSUMERS,
    CONTEXTS,
    DEAD_LETTERS,
    DELIVERIES,
    JOBS,
    PARTIES,
    PARTIES_BUCKET,
    PARTY_KEYS,
    PARTY_KEYS_BUCKET,
    PUB,
    SECRETS,
    SECRETS_BUCKET,
    SNAP,
    SNAP_BUCKET,
    es_stream,
)

API: Final = "$JS.API"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects a user may and may not use; deny wins. An empty allow list allows nothing."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_publish: tuple[str, ...] = ()

    def publish_claims(self) -> dict[str, list[str]]:
        """Permissions to publish in the form of a user's JWT."""
        return _claims(self.publish, self.deny_publish)

    def subscribe_claims(self) -> dict[str, list[str]]:
        """Permissions to subscribe in the form of a user's JWT."""
        return _claims(self.subscribe, ())


def _claims(allow: tuple[str, ...], deny: tuple[str, ...]) -> dict[str, list[str]]:
    if not allow:
        # To the server a missing allow list means everything.
        return {"deny": [">"]}
    return {"allow": list(allow), **({"deny": list(deny)} if deny else {})}


def inbox_prefix(user: str) -> str:
    """Prefix of a user's private reply subjects; no other user may subscribe to it."""
    return f"_INBOX_{user}"


def _inbox(user: str) -> str:
    return f"{inbox_prefix(user)}.>"


def _append_and_load(context: str) -> tuple[str, ...]:
    return (
        f"es.{context}.*.*",
        f"{API}.DIRECT.GET.{es_stream(context)}",
        f"$KV.{SNAP_BUCKET}.{context}.*.*",
        f"{API}.DIRECT.GET.{SNAP}.$KV.{SNAP_BUCKET}.{context}.*.*",
    )


def _tail(context: str) -> tuple[str, ...]:
    stream = es_stream(context)
    return (
        f"{API}.DIRECT.GET.{stream}",
        f"{API}.CONSUMER.CREATE.{stream}.*.es.{context}.>",
        f"{API}.CONSUMER.MSG.NEXT.{stream}.*",
    )


def _durable(stream: str, name: str) -> tuple[str, ...]:
    return (
        f"{API}.CONSUMER.MSG.NEXT.{stream}.{name}",
        f"{API}.CONSUMER.INFO.{stream}.{name}",
        f"$JS.ACK.{stream}.{name}.>",
    )


def _durables_of(service: str) -> tuple[str, ...]:
    return tuple(subject for c in CONSUMERS if c.owner == service for subject in _durable(c.stream, c.name))


def _not_durables_of_others(service: str) -> tuple[str, ...]:
    """Deny every way to touch a durable that another service owns, and to redefine an own one."""
    denied: list[str] = []
    for consumer in CONSUMERS:
        name = f"{consumer.stream}.{consumer.name}"
        denied += [f"{API}.CONSUMER.CREATE.{name}", f"{API}.CONSUMER.CREATE.{name}.>", f"{API}.CONSUMER.DELETE.{name}"]
        if consumer.owner != service:
            denied += [f"{API}.CONSUMER.MSG.NEXT.{name}", f"$JS.ACK.{name}.>"]
    return tuple(denied)


def _service(name: str, publish: Iterable[str], subscribe: Iterable[str] = ()) -> Permissions:
    return Permissions(
        publish=tuple(dict.fromkeys((*publish, *_durables_of(name)))),
        subscribe=(*subscribe, _inbox(name)),
        deny_publish=_not_durables_of_others(name),
    )


def _session() -> Permissions:
    parties = tuple(
        subject
        for bucket, stream in ((PARTIES_BUCKET, PARTIES), (PARTY_KEYS_BUCKET, PARTY_KEYS))
        for subject in (
            f"$KV.{bucket}.*.*",
            f"{API}.DIRECT.GET.{stream}.$KV.{bucket}.*.*",
            # Overwrites one message on the disk: the erasure of a person.
            f"{API}.STREAM.MSG.DELETE.{stream}",
        )
    )
    return _service("session", (*_append_and_load("session"), *_tail("session"), *parties))


def _render() -> Permissions:
    contexts = [subject for context in ("render", "usage") for subject in (*_append_and_load(context), *_tail(context))]
    jobs = (
        "job.*.*.*.*",
        topology.CANCEL_SUBJECTS,
        f"{API}.DIRECT.GET.{JOBS}",
        f"{API}.STREAM.INFO.{JOBS}",
        f"{API}.STREAM.PURGE.{JOBS}",
        f"{API}.STREAM.MSG.DELETE.{JOBS}",
        f"{API}.DIRECT.GET.{ADV}",
        topology.QUEUED_SUBJECT,
        f"{API}.CONSUMER.CREATE.{JOBS}.*.job.>",
        f"{API}.CONSUMER.NAMES.{JOBS}",
    )
    return _service("render", (*contexts, *jobs), (topology.PROGRESS_SUBJECTS,))


def _worker() -> Permissions:
    lanes = (f"{API}.CONSUMER.LIST.{JOBS}", f"{API}.CONSUMER.MSG.NEXT.{JOBS}.*", f"$JS.ACK.{JOBS}.>")
    publish = (*_append_and_load("render"), topology.PROGRESS_SUBJECTS, *lanes)
    return _service("worker", publish, (topology.CANCEL_SUBJECTS, topology.QUEUED_SUBJECT))


def _notify() -> Permissions:
    read_logs = [subject for context in CONTEXTS for subject in _tail(context)]
    publish_public = ("pub.*.*.*.*", f"{API}.DIRECT.GET.{PUB}", f"{API}.STREAM.INFO.{PUB}")
    secrets = (f"$KV.{SECRETS_BUCKET}.*.*", f"{API}.DIRECT.GET.{SECRETS}.$KV.{SECRETS_BUCKET}.*.*")
    deliveries = (
        "log.delivery.*.*",
        f"{API}.DIRECT.GET.{DELIVERIES}",
        f"{API}.DIRECT.GET.{DELIVERIES}.log.delivery.*.*",
        "log.dead.*.*.*",
        f"{API}.DIRECT.GET.{DEAD_LETTERS}",
    )
    subscriptions = (
        f"{API}.CONSUMER.CREATE.{PUB}.>",
        f"{API}.CONSUMER.DELETE.{PUB}.*",
        f"{API}.CONSUMER.INFO.{PUB}.*",
        f"{API}.CONSUMER.PAUSE.{PUB}.*",
        f"{API}.CONSUMER.RESET.{PUB}.*",
        f"{API}.CONSUMER.MSG.NEXT.{PUB}.*",
        f"$JS.ACK.{PUB}.>",
    )
    own = (*_append_and_load("notify"), *publish_public, *secrets, *deliveries)
    return _service("notify", (*own, *read_logs, *subscriptions))


def _admin() -> Permissions:
    return Permissions(publish=(f"{API}.>",), subscribe=(_inbox("admin"),))


SERVICES: Final = {
    "session": _session(),
    "render": _render(),
    "worker": _worker(),
    "notify": _notify(),
    "admin": _admin(),
}
"""Permissions of each process; `admin` provisions and is used by nothing else."""


MAINTENANCE: Final = Permissions(
    publish=(
        f"{API}.STREAM.INFO.*",
        f"{API}.DIRECT.GET.>",
        f"{API}.STREAM.SNAPSHOT.*",
        "$JS.SNAPSHOT.ACK.>",
    ),
    subscribe=(_inbox("maintenance"),),
)
"""Who verifies and copies: reads everything, and can change nothing."""

RESTORE: Final = Permissions(
    publish=(f"{API}.STREAM.RESTORE.*", "$JS.SNAPSHOT.RESTORE.>"), subscribe=(_inbox("restore"),)
)
"""Who fills an empty broker from a backup."""


def subscriber(subscription: str, durable: str) -> Permissions:
    """
    Permissions of an outside tool that reads one durable of PUB, and nothing else.

    Parameters
    ----------
    subscription
        Names the tool's inbox prefix, `_INBOX_<subscription>`.
    durable
        The consumer made for it.
    """
    return Permissions(publish=_durable(PUB, durable), subscribe=(_inbox(subscription),))
