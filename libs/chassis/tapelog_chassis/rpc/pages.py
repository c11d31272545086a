"""Pagination (AIP-158): coerced page sizes and opaque tokens bound to the query they continue."""

import base64
import binascii
import hashlib
from typing import Final

import msgspec
from google.protobuf.message import Message

from tapelog_chassis.errors import InvalidArgument

PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_MAX: Final = 500
"""With resources of a few KiB a full page stays under the 4 MiB of a message."""
TOKEN_CHARS_MAX: Final = 2048
_HASH_BYTES: Final = 12


class _Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    query: bytes
    cursor: str


def coerce_page_size(page_size: int, *, default: int = PAGE_SIZE_DEFAULT, largest: int = PAGE_SIZE_MAX) -> int:
    """Return how many items to send: 0 means the default, large values are lowered, negative ones refused."""
    if page_size < 0:
        raise InvalidArgument.of_field(
            "page_size",
            f"{page_size} is negative; send 0 for the default of {default}, or up to {largest}",
            reason="INVALID_PAGE_SIZE",
            metadata={"value": page_size, "default": default, "largest": largest},
        )
    return min(page_size or default, largest)


def encode_page_token(cursor: str, query: Message) -> str:
    """Return the token that continues `query` behind `cursor`.

    Parameters
    ----------
    cursor : str
        Where the next page begins, in the words of the one who lists: a sequence, a name.
    query : Message
        The List request; every field but `page_size` and `page_token` is bound into the token.
    """
    token = msgspec.msgpack.encode(_Token(version=1, query=_query_hash(query), cursor=cursor))
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode_page_token(page_token: str, query: Message) -> str:
    """Return the cursor of a token, or the empty string for the first page.

    Raises
    ------
    InvalidArgument
        The token is not ours, or was made for another query.
    """
    if not page_token:
        return ""
    if len(page_token) > TOKEN_CHARS_MAX:
        raise _refusal(f"has {len(page_token)} characters, the limit is {TOKEN_CHARS_MAX}")
    try:
        padded = page_token + "=" * (-len(page_token) % 4)
        token = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=_Token)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise _refusal("is not a page token; send next_page_token as the last answer gave it") from None
    if token.version != 1 or token.query != _query_hash(query):
        raise _refusal("belongs to another query; keep every other field equal, or begin again without a token")
    return token.cursor


def _refusal(description: str) -> InvalidArgument:
    return InvalidArgument.of_field("page_token", description, reason="INVALID_PAGE_TOKEN")


def _query_hash(query: Message) -> bytes:
    copy = type(query)()
    copy.CopyFrom(query)
    for field in ("page_size", "page_token"):
        if field in copy.DESCRIPTOR.fields_by_name:
            copy.ClearField(field)
    body = copy.DESCRIPTOR.full_name.encode() + b"\x00" + copy.SerializeToString(deterministic=True)
    return hashlib.sha256(body).digest()[:_HASH_BYTES]
