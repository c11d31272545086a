"""Broker users that count no more: a file beside the account's key, which the account's claims are made from."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from .config import write_private
from .errors import NatsError

REVOKED_USERS_FILE: Final = "revoked-users.json"
USERS_MAX: Final = 2_000
"""Revoked users: 100 bytes each in the claims, which are one word of the broker's configuration."""

_PUBLIC_KEY: Final = re.compile(r"U[A-Z2-7]{55}")
_JWT: Final = re.compile(r"-----BEGIN NATS USER JWT-----\s+(\S+)\s+------END NATS USER JWT------")


def is_user_key(text: str) -> bool:
    """Say whether a text is a user's public key, such as `nats-server` shows for a connection (`/connz?auth=1`)."""
    return _PUBLIC_KEY.fullmatch(text) is not None


def user_key_of(creds: str) -> str:
    """
    Return the public key of the user whom a `.creds` file is for.

    Raises
    ------
    NatsError
        If it is no such file.
    """
    found = _JWT.search(creds)
    try:
        payload = found[1].split(".")[1] if found else ""
        key = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    except (IndexError, ValueError, KeyError) as error:
        raise NatsError("this is not a creds file of a broker user") from error
    return str(key)


def read_revoked(keys: Path) -> dict[str, int]:
    """Return when each user was revoked, in seconds of the epoch: what was issued by then counts no more."""
    path = keys / REVOKED_USERS_FILE
    if not path.exists():
        return {}
    try:
        return {str(key): int(when) for key, when in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise NatsError(f"{path} is damaged: restore it from a backup, or the users in it are let in again") from error


def revoke_users(keys: Path, users: Iterable[str]) -> Mapping[str, int]:
    """
    Add users to the file; the broker ends their connections when it has loaded its configuration again.

    Parameters
    ----------
    keys
        The folder of the account's key.
    users
        Public keys.

    Raises
    ------
    NatsError
        If one is no user's key, or there are too many.
    """
    known, now = read_revoked(keys), int(time.time())
    for user in users:
        if not is_user_key(user):
            raise NatsError(f"{user[:64]!r} is not the public key of a broker user: U and 55 of A-Z, 2-7")
        known.setdefault(user, now)
    if len(known) > USERS_MAX:
        raise NatsError(f"{len(known)} broker users are revoked, at most {USERS_MAX} can be: make a new account key")
    write_private(keys / REVOKED_USERS_FILE, json.dumps(known, indent=1, sort_keys=True))
    return known
