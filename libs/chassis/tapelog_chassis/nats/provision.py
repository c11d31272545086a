"""Create the streams and durables of the topology, or check that they are as listed; never change one."""

from __future__ import annotations

from typing import Any, Final

from nats.aio.client import Client

from tapelog_chassis.topology import CONSUMERS, STREAMS, ConsumerSpec, StreamSpec

from . import api
from .errors import JetStreamApiError, NatsError, TopologyDrift

MIN_STREAM_BYTES: Final = 1024 * 1024


def stream_config(spec: StreamSpec, *, store_bytes: int, replicas: int) -> dict[str, Any]:
    """Give a stream's settings as the server takes and returns them."""
    # A replicated stream cannot do without: there the replicas' log is what is synced.
    persistence = {} if spec.is_synced or replicas > 1 else {"persist_mode": "async"}
    return persistence | {
        "name": spec.name,
        "subjects": list(spec.subjects),
        "retention": spec.retention,
        "storage": "file",
        "discard": spec.discard,
        "discard_new_per_subject": spec.reject_second,
        "compression": "none",
        "num_replicas": replicas,
        "max_bytes": max(MIN_STREAM_BYTES, int(spec.share * store_bytes)),
        "max_msg_size": spec.max_message_bytes,
        "max_msgs_per_subject": spec.max_messages_per_subject,
        "max_age": api.nanoseconds(spec.max_age_s),
        "duplicate_window": api.nanoseconds(spec.duplicate_window_s),
        "allow_direct": spec.allow_direct,
        "allow_atomic": spec.allow_atomic,
        "allow_rollup_hdrs": spec.allow_rollup,
        "deny_delete": False,
        "deny_purge": False,
    }


def consumer_config(spec: ConsumerSpec) -> dict[str, Any]:
    """Give a durable's settings as the server takes and returns them."""
    config: dict[str, Any] = {
        "name": spec.name,
        "durable_name": spec.name,
        "ack_policy": "explicit",
        "ack_wait": api.nanoseconds(spec.ack_wait_s),
        "max_deliver": spec.max_deliver,
        "max_ack_pending": spec.max_ack_pending,
        "replay_policy": "instant",
        "deliver_policy": "by_start_sequence" if spec.start_sequence else spec.deliver,
    }
    if spec.start_sequence:
        config["opt_start_seq"] = spec.start_sequence
    if len(spec.filters) == 1:
        config["filter_subject"] = spec.filters[0]
    elif spec.filters:
        config["filter_subjects"] = list(spec.filters)
    return config


async def provision(connection: Client, *, store_bytes: int, replicas: int = 1) -> None:
    """
    Make what the topology lists and is missing; check the rest. Run by `admin` before any service starts.

    Parameters
    ----------
    connection
        Of the `admin` user.
    store_bytes
        Byte budget of all streams together (the server's max_file_store, or less).
    replicas
        1 on one machine, 3 in a cluster.

    Raises
    ------
    TopologyDrift
        If a stream or consumer exists with other settings; nothing is edited.
    JetStreamApiError, Unreachable
        If the server refuses or does not answer.
    """
    for stream in STREAMS:
        await ensure_stream(connection, stream_config(stream, store_bytes=store_bytes, replicas=replicas))
    for consumer in CONSUMERS:
        await ensure_consumer(connection, consumer)


async def allowed_store_bytes(connection: Client) -> int:
    """
    Ask the broker what the streams of its account may take together.

    Raises
    ------
    NatsError
        If the account was signed without a limit; then whoever made the server knows its size.
    """
    limits = (await api.request(connection, "INFO")).get("limits", {})
    allowed = int(limits.get("max_storage", -1))
    if allowed <= 0:
        raise NatsError("the broker sets its account no storage limit: give the size of its store (--store-bytes)")
    return allowed


async def ensure_stream(connection: Client, config: dict[str, Any]) -> None:
    """Create one stream, or check that it is so; `TopologyDrift` if it is not."""
    name = config["name"]
    try:
        answer = await api.request(connection, f"STREAM.INFO.{name}")
    except JetStreamApiError as error:
        if error.err_code != api.STREAM_NOT_FOUND:
            raise
        answer = await api.request(connection, f"STREAM.CREATE.{name}", config)
    _check(f"stream {name}", config, answer["config"])


async def ensure_consumer(connection: Client, spec: ConsumerSpec) -> None:
    """Create one durable, or check that it is so; `TopologyDrift` if it is not."""
    config = consumer_config(spec)
    try:
        answer = await api.request(connection, f"CONSUMER.INFO.{spec.stream}.{spec.name}")
    except JetStreamApiError as error:
        if error.err_code != api.CONSUMER_NOT_FOUND:
            raise
        subject = f"CONSUMER.CREATE.{spec.stream}.{spec.name}"
        if len(spec.filters) == 1:
            subject += f".{spec.filters[0]}"
        body = {"stream_name": spec.stream, "config": config, "action": "create"}
        answer = await api.request(connection, subject, body)
    _check(f"consumer {spec.name} on {spec.stream}", config, answer["config"])


async def put_consumer(connection: Client, spec: ConsumerSpec) -> None:
    """
    Create one durable with one filter, or give it these settings; what it has delivered stays.

    Raises
    ------
    JetStreamApiError, Unreachable
        If the server refuses or does not answer.
    """
    (subject,) = spec.filters
    body = {"stream_name": spec.stream, "config": consumer_config(spec)}
    await api.request(connection, f"CONSUMER.CREATE.{spec.stream}.{spec.name}.{subject}", body)


async def delete_consumer(connection: Client, stream: str, name: str) -> bool:
    """Delete a durable; False if there was none."""
    try:
        await api.request(connection, f"CONSUMER.DELETE.{stream}.{name}")
    except JetStreamApiError as error:
        if error.err_code != api.CONSUMER_NOT_FOUND:
            raise
        return False
    return True


_ABSENT: Final = {"max_age": 0, "opt_start_seq": 0, "filter_subject": "", "filter_subjects": []}
"""What the server leaves out of an answer, by its meaning; a missing switch is False."""


def _check(name: str, wanted: dict[str, Any], have: dict[str, Any]) -> None:
    differences = {
        key: (value, have.get(key))
        for key, value in wanted.items()
        if have.get(key, _ABSENT.get(key, False if isinstance(value, bool) else None)) != value
    }
    for key in ("filter_subject", "filter_subjects", "backoff", "mirror", "sources", "republish", "subject_transform"):
        if key not in wanted and have.get(key):
            differences[key] = (None, have[key])
    if differences:
        raise TopologyDrift(name, differences)


def check_budget() -> None:
    """Refuse a topology whose shares are more than the whole store."""
    total = sum(stream.share for stream in STREAMS)
    if total > 1.0 + 1e-9:
        raise NatsError(f"the streams' shares add up to {total:.3f} of the store, the limit is 1")
