"""The digest of specs: every field of every part, whether or not its `repr` shows it."""

import dataclasses
import enum
import hashlib
from collections.abc import Iterable, Iterator

import numpy as np


def digest_of(parts: Iterable[object]) -> str:
    """Return the SHA-256 (hex) of values: specs, numbers, words, arrays, and sequences of them.

    Raises
    ------
    TypeError
        A value is of a kind that this does not know, so that it could not tell two of them apart.
    """
    digest = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()


def _pieces(value: object) -> Iterator[bytes]:
    yield type(value).__name__.encode()
    if value is None or isinstance(value, bool | int | float | str | bytes | enum.Enum):
        yield repr(value).encode()
    elif isinstance(value, np.ndarray):
        yield repr((value.shape, value.dtype.str)).encode()
        yield hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest()
    elif isinstance(value, tuple | list):
        yield str(len(value)).encode()
        for item in value:
            yield from _pieces(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield field.name.encode()
            yield from _pieces(getattr(value, field.name))
    else:
        raise TypeError(f"a {type(value).__name__} has no digest")
