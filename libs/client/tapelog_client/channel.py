"""Channels to Tapelog's services, with every wait and size bounded."""

import json
from pathlib import Path
from typing import Final

import grpc
from tapelog_chassis.rpc.grpc_options import CertificatePair

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
METADATA_BYTES_MAX: Final = 16 * 1024
KEEPALIVE_TIME_MS: Final = 30_000
"""Above the server's 10 s minimum, so that a dead path is noticed without being taken for a flood of pings."""
KEEPALIVE_TIMEOUT_MS: Final = 10_000
RECONNECT_MS_MIN: Final = 100
RECONNECT_MS_MAX: Final = 2_000
"""A service that was killed is back within seconds; the default of 120 s would wait far longer than it."""

SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "timeout": "3600s",
                "retryPolicy": {
                    "maxAttempts": 2,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
"""One silent repeat, only on UNAVAILABLE, for every call; the longer patience is in `calls`. The timeout is a net for
calls made without one."""


def open_channel(
    address: str, *, tls_ca: Path | None = None, certificate: CertificatePair | None = None
) -> grpc.aio.Channel:
    """Open a channel; close it with `async with` or `close()`.

    Parameters
    ----------
    address : str
        `host:port` or `unix:/path`.
    tls_ca : Path, optional
        PEM authorities of the server; without it the channel is plain text, which servers offer on loopback alone.
    certificate : CertificatePair, optional
        What to show to a server that asks for certificates.
    """
    options: list[tuple[str, int | str]] = [
        ("grpc.service_config", SERVICE_CONFIG),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
        ("grpc.min_reconnect_backoff_ms", RECONNECT_MS_MIN),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    ]
    if tls_ca is None:
        return grpc.aio.insecure_channel(address, options=options)
    key = None if certificate is None else certificate.key.read_bytes()
    chain = None if certificate is None else certificate.certificate.read_bytes()
    credentials = grpc.ssl_channel_credentials(tls_ca.read_bytes(), private_key=key, certificate_chain=chain)
    return grpc.aio.secure_channel(address, credentials, options=options)
