"""Mixes that were made before: which sums of theirs are kept, of what, and how a part of them can be made again."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError
from tapelog.common.v1 import recipe_pb2 as pb

from tapelog_desk.nodes.store import NodeStore

VERSIONS_MAX: Final = 8
"""Earlier mixes of a song that are looked at: each costs half a millisecond."""

VERSION_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a recipe and the digests of its parts; 256 tracks with an automation point a second take 1 MB in ten minutes."""


@dataclass(frozen=True, slots=True)
class OldPart:
    """What a strip of an earlier mix gave to a sum.

    Attributes
    ----------
    strip : str
        Its name then.
    way : int
        0 for its main way out, 1 for its first send, and so on.
    listens : mapping of str to str
        The strips that its processors listen to, and the digests of their signals.
    """

    strip: str
    way: int
    listens: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OldSum:
    """A sum of an earlier mix.

    Attributes
    ----------
    key : str
        By what it is kept.
    parts : mapping of str to OldPart
        What is in it, by digest.
    """

    key: str
    parts: Mapping[str, OldPart]


@dataclass(frozen=True, slots=True)
class Version:
    """An earlier mix.

    Attributes
    ----------
    recipe : bytes
        Its `MixRecipe`, resolved, every source named by its content.
    sums : mapping of str to OldSum
        By the bus that each went into.
    outs : mapping of str to str
        By what that is kept which a bus handed on.
    """

    recipe: bytes
    sums: Mapping[str, OldSum]
    outs: Mapping[str, str] = field(default_factory=dict)

    def mix_recipe(self) -> pb.MixRecipe:
        """Return its recipe."""
        return pb.MixRecipe.FromString(self.recipe)


def remember(store: NodeStore, family: str, version: Version) -> None:
    """Keep a version."""
    sums = {target: {"key": old.key, "parts": _plain(old)} for target, old in version.sums.items()}
    plain = {"recipe": base64.b64encode(version.recipe).decode(), "sums": sums, "outs": dict(version.outs)}
    body = zlib.compress(json.dumps(plain, sort_keys=True).encode(), 1)
    digest = hashlib.sha256(body).digest()
    if len(body) <= VERSION_BYTES_MAX:
        store.put(f"{family}.{digest.hex()[:16]}", digest + body)


def _plain(old: OldSum) -> dict[str, list[object]]:
    return {digest: [part.strip, part.way, dict(part.listens)] for digest, part in old.parts.items()}


def remembered(store: NodeStore, family: str) -> list[Version]:
    """Return the versions of a family, the last one first; a damaged one is removed."""
    found = []
    for name in store.names(f"{family}.")[:VERSIONS_MAX]:
        data = store.get(name) or b""
        try:
            if hashlib.sha256(data[32:]).digest() != data[:32]:
                raise ValueError("another digest")  # noqa: TRY301  # handled with all other kinds of damage
            plain = json.loads(zlib.decompress(data[32:]))
            recipe = base64.b64decode(plain["recipe"])
            pb.MixRecipe.FromString(recipe)
            sums = {
                target: OldSum(old["key"], {d: OldPart(*part) for d, part in old["parts"].items()})
                for target, old in plain["sums"].items()
            }
            outs = {str(name): str(key) for name, key in plain["outs"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error, DecodeError):
            store.drop(name)
            continue
        found.append(Version(recipe, sums, outs))
    return found
