"""Roles and who acts in which one."""

from __future__ import annotations

import dataclasses
import functools
from datetime import datetime
from typing import Final, TypeAlias

from tapelog.session.v1 import resources_pb2 as pb

RoleValue: TypeAlias = "pb.Role.ValueType"

REQUIRED_CONSENTS: Final = (pb.ROLE_ARTIST, pb.ROLE_STUDIO_PRODUCER)
"""Who must agree to a brief, an arrangement and a version: the one whose vision it is, and the one who decides."""


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """The person a command is for, in the role that allows it."""

    party: str
    role: RoleValue


@dataclasses.dataclass(frozen=True, slots=True)
class Consent:
    """A party's yes, in a role, at a time."""

    party: str
    role: RoleValue
    time: datetime


@functools.lru_cache(maxsize=64)
def role_name(role: RoleValue) -> str:
    """Return `ROLE_ARTIST` for the artist."""
    return pb.Role.Name(role)


def role_word(role: RoleValue) -> str:
    """Return `artist`, `studio producer`: for sentences."""
    if role not in pb.Role.values():  # written by a later version: it allows nothing here, and is told as it is
        return f"role {role}"
    return pb.Role.Name(role).removeprefix("ROLE_").replace("_", " ").lower()


def missing_consents(given: tuple[Consent, ...]) -> tuple[RoleValue, ...]:
    """Return the required roles that have not consented, in their order."""
    have = {consent.role for consent in given}
    return tuple(role for role in REQUIRED_CONSENTS if role not in have)
