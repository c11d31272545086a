"""The limits of every gRPC server, as numbers with their reasons, and where it listens."""

import dataclasses
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Audio travels in chunks of 1 MiB; nothing else comes near."""
METADATA_BYTES_SOFT: Final = 8 * 1024
METADATA_BYTES_MAX: Final = 16 * 1024
"""A token has about 500 bytes; above the soft limit calls are refused with rising probability, above this always."""
STREAMS_PER_CONNECTION_MAX: Final = 100
"""Bounds what one connection can open at once (rapid reset, CVE-2023-44487)."""
UNARY_CALLS_MAX: Final = 64
"""As many as make the most of a service; more would only make each other slow. The next stand in line (`slots`)."""
STREAMING_CALLS_MAX: Final = 2000
"""Counted apart from unary calls, so that quiet subscribers cannot lock out commands."""
INTERNAL_CALLS_MAX: Final = 64
"""Room beyond both limits for health checks and for refusing the excess with a reason."""
UNARY_DEADLINE_S: Final = 30.0
UPLOAD_DEADLINE_S: Final = 600.0
STREAM_DEADLINE_S: Final = 3600.0
"""A stream is closed after as long as a connection lives; the client resumes from its cursor."""
HANDSHAKE_TIMEOUT_MS: Final = 5000
"""Closes peers that connect and say nothing (slowloris)."""
CONNECTION_AGE_MS: Final = 3_600_000
CONNECTION_AGE_GRACE_MS: Final = 30_000
CONNECTION_IDLE_MS: Final = 300_000
KEEPALIVE_TIME_MS: Final = 60_000
KEEPALIVE_TIMEOUT_MS: Final = 20_000
PING_STRIKES_MAX: Final = 2
PING_INTERVAL_MS_MIN: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class CertificatePair:
    """PEM files of one certificate chain and its key."""

    certificate: Path
    key: Path


@dataclasses.dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a server: certificate and key; authorities of its clients (mutual TLS), and revocations."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    revoked: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a server listens and what it allows.

    Attributes
    ----------
    host : str
        Address, or `unix:/path/to/socket`.
    port : int
        0 takes a free one.
    tls : TlsFiles, optional
        Demanded beyond loopback.
    reflection : bool
        Serve the API's description (development only).
    drain_s : float
        How long calls may finish at stop.
    unary_calls_max, streaming_calls_max : int
        Concurrency limits, counted apart.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: TlsFiles | None = None
    reflection: bool = False
    drain_s: float = 10.0
    unary_calls_max: int = UNARY_CALLS_MAX
    streaming_calls_max: int = STREAMING_CALLS_MAX


def channel_options() -> Sequence[tuple[str, int]]:
    """Return the options of a server's connections."""
    return (
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_metadata_size", METADATA_BYTES_SOFT),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION_MAX),
        ("grpc.http2.max_ping_strikes", PING_STRIKES_MAX),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS_MIN),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_connection_idle_ms", CONNECTION_IDLE_MS),
        ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),
        ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_MS),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.so_reuseport", 0),
    )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host`."""
    if host.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
