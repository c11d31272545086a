"""Webhook secrets in a JetStream bucket, encrypted with a key that never leaves the data folder."""

import hmac
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nats.aio.client import Client
from tapelog_chassis.auth.issuer import write_private
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.nats import JetStreamApiError, Unreachable, direct
from tapelog_chassis.nats.publish import WRONG_LAST_SEQUENCE, Draft, publish_fenced
from tapelog_chassis.topology import SECRETS, secret_subject

from tapelog_notify.domain.signature import Keyring
from tapelog_notify.errors import SecretUnreadable

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TIMEOUT_S: Final = 2.0
_SINGLE, _ROTATED = b"\x01", b"\x02"
"""First byte of an entry: AES-256-GCM, nonce, ciphertext with tag; the bucket's key is authenticated with it. The
plaintext is one secret; or the current one's length, until when (Unix time, 8 bytes) the one before signs, and both."""


class SecretKey:
    """The key that secrets are encrypted with; `open` makes it at the first start (mode 0600)."""

    def __init__(self, key: bytes) -> None:
        self._derivation_key = hmac.digest(key, b"tapelog/webhook-secret-derivation", "sha256")
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "SecretKey(<hidden>)"

    @classmethod
    def open(cls, path: Path) -> Self:
        """
        Read the key file, or make it.

        Raises
        ------
        ConfigRefusal
            Other users can read the file, or it is not a key.
        """
        if not path.exists():
            write_private(path, os.urandom(KEY_BYTES))
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigRefusal(f"secret key {path} has mode {mode:04o}, so other users can read it: chmod 600 it")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise ConfigRefusal(f"secret key {path} has {len(key)} bytes, not {KEY_BYTES}: restore it from a backup")
        return cls(key)

    def derive(self, text: str) -> bytes:
        """Make 32 bytes from a text: the same for the same text, not to be guessed without the key."""
        return hmac.digest(self._derivation_key, text.encode(), "sha256")

    def encrypt(self, secret: bytes, *, name: str, form: bytes = _SINGLE) -> bytes:
        """Encrypt a secret; `name` must be given again to decrypt it. `form` says what the plaintext is."""
        nonce = os.urandom(NONCE_BYTES)
        return form + nonce + self._cipher.encrypt(nonce, secret, name.encode())

    def decrypt(self, entry: bytes, *, name: str) -> bytes:
        """Decrypt an entry; `SecretUnreadable` if it is not this key's, or another name's."""
        nonce, ciphertext = entry[1 : 1 + NONCE_BYTES], entry[1 + NONCE_BYTES :]
        if entry[:1] not in {_SINGLE, _ROTATED} or len(nonce) != NONCE_BYTES:
            raise SecretUnreadable(f"the secret at {name} is not in a known form")
        try:
            return self._cipher.decrypt(nonce, ciphertext, name.encode())
        except InvalidTag:
            raise SecretUnreadable(
                f"the secret at {name} was encrypted with another key: restore the key file"
            ) from None


class JetStreamSecrets:
    """`Secrets` on a JetStream connection; an empty message stands for none."""

    def __init__(self, connection: Client, key: SecretKey) -> None:
        self._connection = connection
        self._key = key

    async def keep(self, tenant: str, subscription: str, secret: bytes) -> bytes:
        """See `Secrets.keep`."""
        subject = secret_subject(tenant, subscription)
        while True:
            message = await direct.get_last_on(self._connection, SECRETS, subject, timeout_s=TIMEOUT_S)
            if message is not None and message.data:
                return self._open(subject, message.data).current
            if await self._write(subject, self._seal(subject, Keyring(secret)), message.position if message else 0):
                return secret

    async def put(self, tenant: str, subscription: str, secret: bytes) -> None:
        """See `Secrets.put`."""
        subject = secret_subject(tenant, subscription)
        await self._write(subject, self._seal(subject, Keyring(secret)), None)

    async def rotate(self, tenant: str, subscription: str, secret: bytes, *, previous_until: datetime) -> None:
        """See `Secrets.rotate`."""
        subject = secret_subject(tenant, subscription)
        while True:
            message = await direct.get_last_on(self._connection, SECRETS, subject, timeout_s=TIMEOUT_S)
            if message is None or not message.data:
                raise SecretUnreadable(f"there is no secret at {subject} to replace")
            before = self._open(subject, message.data)
            if before.current == secret:
                return
            keyring = Keyring(secret, before.current, previous_until)
            if await self._write(subject, self._seal(subject, keyring), message.position):
                return

    def derive(self, tenant: str, subscription: str, request_id: str) -> bytes:
        """See `Secrets.derive`."""
        return self._key.derive(f"{tenant}/{subscription}/{request_id}")

    async def get(self, tenant: str, subscription: str) -> Keyring:
        """See `Secrets.get`."""
        subject = secret_subject(tenant, subscription)
        message = await direct.get_last_on(self._connection, SECRETS, subject, timeout_s=TIMEOUT_S)
        if message is None or not message.data:
            raise SecretUnreadable(f"there is no secret at {subject}: repeat the creation, or make a new subscription")
        return self._open(subject, message.data)

    async def forget(self, tenant: str, subscription: str) -> None:
        """See `Secrets.forget`."""
        await self._write(secret_subject(tenant, subscription), b"", None)

    def _seal(self, subject: str, keyring: Keyring) -> bytes:
        if not keyring.previous or keyring.previous_until is None:
            return self._key.encrypt(keyring.current, name=subject)
        until_s = int(keyring.previous_until.timestamp())
        packed = bytes([len(keyring.current)]) + until_s.to_bytes(8) + keyring.current + keyring.previous
        return self._key.encrypt(packed, name=subject, form=_ROTATED)

    def _open(self, subject: str, entry: bytes) -> Keyring:
        packed = self._key.decrypt(entry, name=subject)
        if entry[:1] == _SINGLE:
            return Keyring(packed)
        size, until_s, rest = packed[0], int.from_bytes(packed[1:9]), packed[9:]
        return Keyring(rest[:size], rest[size:], datetime.fromtimestamp(until_s, UTC))

    async def _write(self, subject: str, entry: bytes, expected: int | None) -> bool:
        """Write an entry; False if it is not where it was `expected` to be."""
        try:
            await publish_fenced(self._connection, SECRETS, [Draft(subject, entry, {})], last_on_subject=expected)
        except JetStreamApiError as refusal:
            if refusal.err_code == WRONG_LAST_SEQUENCE and expected is not None:
                return False
            raise Unreachable(f"the secret at {subject} was refused: {refusal.description}") from refusal
        except Unreachable as error:
            raise Unreachable(f"the secret at {subject} was not kept ({error})") from error
        return True
