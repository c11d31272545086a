"""Signatures of webhook deliveries: the symmetric scheme (v1) of the Standard Webhooks specification 1.0.0."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .errors import InvalidValue

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix that says "a secret follows"
SECRET_BYTES: Final = (24, 64)
"""Shortest and longest secret the specification allows."""
NEW_SECRET_BYTES: Final = 32

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secrets that sign: the current one, and until a time the one before."""

    current: bytes
    previous: bytes = b""
    previous_until: datetime | None = None

    def __repr__(self) -> str:
        return f"Keyring(previous_until={self.previous_until})"

    def secrets_at(self, time: datetime) -> tuple[bytes, ...]:
        """Return the secrets that sign at a time, the current one first."""
        if self.previous and self.previous_until is not None and time < self.previous_until:
            return (self.current, self.previous)
        return (self.current,)


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


def signed_headers(
    secrets: bytes | tuple[bytes, ...], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """
    Make the three headers of one attempt.

    Parameters
    ----------
    secrets
        Decoded; several make several signatures, of which a receiver needs one.
    message_id
        The event's id: equal on every attempt.
    timestamp_s
        Unix time of this attempt.
    body
        Exactly the bytes that are sent.
    """
    keys = (secrets,) if isinstance(secrets, bytes) else secrets
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: " ".join(sign(key, message_id, timestamp_s, body) for key in keys),
    }
