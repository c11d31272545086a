"""Names that a retry makes again: resource ids, event ids, request hashes.

Nothing here is random. A command that is sent twice with the same request_id makes the same resource id and the same
event ids, so the second attempt meets the first one's work and not a copy of it.
"""

import hashlib
import json
import os
import re
import uuid
from typing import Final

from google.protobuf.message import Message

from tapelog_chassis.errors import InvalidArgument

ID_PATTERN: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""Lower case, begins with a letter, at most 32 characters: it is a token of a broker subject."""

PREFIX_PATTERN: Final = re.compile(r"[a-z][a-z0-9]{0,4}")
"""At most 5 characters, so that prefix, hyphen and 26 characters of uuid are at most 32."""

UUID_PATTERN: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""The canonical form, in lower case."""

_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE32_PAIRS: Final = [first + second for first in _BASE32 for second in _BASE32]
_PLACES: Final = range(120, -1, -10)  # 13 pairs of 5 bits hold 128
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
"""Printable ASCII that JSON writes as it is."""
_RESOURCES: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tapelog:resource")
_COMMANDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tapelog:command")
_EVENTS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tapelog:event")


def derive_id(prefix: str, tenant: str, principal: str, rpc: str, request_id: str) -> str:
    """Return the id of the resource that this request creates.

    Parameters
    ----------
    prefix : str
        Kind of the resource, at most 5 characters, such as `sng`.
    tenant, principal, rpc, request_id : str
        Who asks for what; all four are bound into the id.

    Returns
    -------
    str
        `<prefix>-<26 characters of Crockford base32>`, equal for equal arguments.
    """
    if PREFIX_PATTERN.fullmatch(prefix) is None:
        raise ValueError(f"id prefix {prefix!r} is not 1 to 5 of [a-z0-9] beginning with a letter")
    value = int.from_bytes(_uuid5(_RESOURCES, _listed(prefix, tenant, principal, rpc, request_id)))
    return f"{prefix}-{''.join([_BASE32_PAIRS[(value >> place) & 1023] for place in _PLACES])}"


def command_id(context: str, tenant: str, aggregate: str, request_id: str) -> str:
    """Return the id of a command: one aggregate, one request."""
    return _text(_uuid5(_COMMANDS, _listed(context, tenant, aggregate, request_id)))


def event_id(command: str, index: int) -> str:
    """Return the id of the `index`-th event (from 0) that a command makes."""
    if index < 0:
        raise ValueError(f"event index {index} is negative")
    return _text(_uuid5(_EVENTS, f"{command}/{index}"))


def random_uuid() -> str:
    """Return what `str(uuid.uuid4())` does, in a third of the time."""
    return _text(_marked(os.urandom(16), 0x40))


def _listed(*words: str) -> str:
    """Return the words as a JSON list: no two lists look alike."""
    if all(map(_PLAIN.fullmatch, words)):
        return '["' + '", "'.join(words) + '"]'  # what json.dumps writes, in a third of the time
    return json.dumps(words)


def _uuid5(namespace: uuid.UUID, name: str) -> bytes:
    """Return what `uuid.uuid5` does, as bytes: several of them are made in every command."""
    return _marked(hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16], 0x50)


def _marked(value: bytes, version: int) -> bytes:
    """Return 16 bytes with a UUID's version and variant in them (RFC 9562, 4)."""
    marked = bytearray(value)
    marked[6] = marked[6] & 0x0F | version
    marked[8] = marked[8] & 0x3F | 0x80
    return bytes(marked)


def _text(value: bytes) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def follow_up_request_id(cause: str, step: str) -> str:
    """Return the request_id with which a process manager asks for the next step.

    Parameters
    ----------
    cause : str
        What is reacted to: a resource name or an event id.
    step : str
        What is asked for; two steps of one cause have two ids.
    """
    return str(uuid.uuid5(_COMMANDS, json.dumps(["follow-up", cause, step])))


def request_hash(message: Message) -> str:
    """Return the SHA-256 (hex) of a request without its request_id.

    Two requests with the same hash ask for the same thing: same type, same fields.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    if "request_id" in copy.DESCRIPTOR.fields_by_name:
        copy.ClearField("request_id")
    body = copy.SerializeToString(deterministic=True)
    return hashlib.sha256(copy.DESCRIPTOR.full_name.encode() + b"\x00" + body).hexdigest()


def validate_id(value: str, *, field: str = "id") -> str:
    """Return `value`, or raise `InvalidArgument` naming the field and the rule."""
    if ID_PATTERN.fullmatch(value) is None:
        shown = value[:64]
        raise InvalidArgument.of_field(
            field,
            f"{shown!r} must begin with a letter and have at most 32 of a-z, 0-9 and hyphen",
            reason="INVALID_ID",
            metadata={"value": shown},
        )
    return value


def validate_request_id(value: str, *, field: str = "request_id") -> str:
    """Return `value`, or raise `InvalidArgument`: a request_id is a UUID in its canonical lower-case form."""
    if UUID_PATTERN.fullmatch(value) is None:
        shown = value[:64]
        raise InvalidArgument.of_field(
            field,
            f"{shown!r} must be a UUID such as 3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b; make one per request and keep it "
            "over retries",
            reason="INVALID_REQUEST_ID",
            metadata={"value": shown},
        )
    return value
