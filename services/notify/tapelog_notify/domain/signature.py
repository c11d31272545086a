"""Signatures of webhook deliveries: the symmetric scheme (v1) of the Standard Webhooks specification 1.0.0."""

import base64
import binascii
import hmac
from typing import Final

from .errors import InvalidValue

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that says "a secret follows"
SECRET_BYTES: Final = (24, 64)
"""Shortest and longest secret the specification allows."""
NEW_SECRET_BYTES: Final = 32

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"


def parse_secret(text: str) -> bytes:
    """
    Read a secret in its written form.

    Raises
    ------
    InvalidValue
        If it is not `whsec_` and 24 to 64 bytes in base64. The message never repeats the secret.
    """
    encoded = text.removeprefix(SECRET_PREFIX)
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    shortest, longest = SECRET_BYTES
    if not text.startswith(SECRET_PREFIX) or not shortest <= len(secret) <= longest:
        raise InvalidValue(
            "webhook.secret",
            "INVALID_SECRET",
            f"must be {SECRET_PREFIX} and {shortest} to {longest} bytes in base64; leave it empty to be given one",
        )
    return secret


def format_secret(secret: bytes) -> str:
    """Write a secret as people exchange it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    digest = hmac.digest(secret, f"{message_id}.{timestamp_s}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def signed_headers(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """
    Make the three headers of one attempt.

    Parameters
    ----------
    secret
        Decoded.
    message_id
        The event's id: equal on every attempt.
    timestamp_s
        Unix time of this attempt.
    body
        Exactly the bytes that are sent.
    """
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: sign(secret, message_id, timestamp_s, body),
    }
