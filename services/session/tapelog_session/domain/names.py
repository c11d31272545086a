"""Resource names of the session service (AIP-122): made and read in one place."""

from __future__ import annotations

import dataclasses
import re
from typing import Final, TypeAlias

from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.errors import InvalidCommand

KindValue: TypeAlias = "pb.VersionKind.ValueType"

_ID: Final = "([a-z][a-z0-9-]{0,31})"
_PROJECT: Final = re.compile(f"projects/{_ID}")
_SONG: Final = re.compile(f"projects/{_ID}/songs/{_ID}")
_VERSION: Final = re.compile(f"projects/{_ID}/songs/{_ID}/(mix|master)Versions/([1-9][0-9]{{0,5}})")
_ASSET: Final = re.compile(f"projects/{_ID}/assets/([0-9a-f]{{64}})")
_DELIVERY: Final = re.compile(f"projects/{_ID}/songs/{_ID}/deliveries/{_ID}")
_STUDIO_SESSION: Final = re.compile(f"projects/{_ID}/studioSessions/{_ID}")
_PARTY: Final = re.compile(f"parties/{_ID}")

KIND_WORDS: Final = {pb.VERSION_KIND_MIX: "mix", pb.VERSION_KIND_MASTER: "master"}
_KINDS: Final = {word: kind for kind, word in KIND_WORDS.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class SongName:
    """`projects/{project}/songs/{song}`."""

    project: str
    song: str

    def __str__(self) -> str:
        return f"projects/{self.project}/songs/{self.song}"

    def version(self, kind: KindValue, number: int) -> str:
        """Return the name of a version of the song."""
        return f"{self}/{version_key(kind, number)}"

    def delivery(self, delivery: str) -> str:
        """Return the name of a delivery of the song."""
        return f"{self}/deliveries/{delivery}"


@dataclasses.dataclass(frozen=True, slots=True)
class VersionName:
    """`projects/{project}/songs/{song}/mixVersions/{n}`, or `…/masterVersions/{n}`."""

    song: SongName
    kind: KindValue
    number: int

    def __str__(self) -> str:
        return self.song.version(self.kind, self.number)


def version_key(kind: KindValue, number: int) -> str:
    """Return `mixVersions/2`: the version within its song."""
    return f"{KIND_WORDS[kind]}Versions/{number}"


def project_name(project: str) -> str:
    """Return `projects/{project}`."""
    return f"projects/{project}"


def asset_name(project: str, sha256: str) -> str:
    """Return `projects/{project}/assets/{sha256}`."""
    return f"projects/{project}/assets/{sha256}"


def parse_project(name: str, field: str) -> str:
    """Return the project id of a project's name."""
    return str(_match(_PROJECT, name, field, "projects/{project}")[1])


def parse_song(name: str, field: str) -> SongName:
    """Return the ids of a song's name."""
    match = _match(_SONG, name, field, "projects/{project}/songs/{song}")
    return SongName(match[1], match[2])


def parse_version(name: str, field: str) -> VersionName:
    """Return the parts of a version's name."""
    match = _match(_VERSION, name, field, "projects/{project}/songs/{song}/mixVersions/{n} or …/masterVersions/{n}")
    return VersionName(SongName(match[1], match[2]), _KINDS[match[3]], int(match[4]))


def parse_asset(name: str, field: str) -> tuple[str, str]:
    """Return project id and SHA-256 of an asset's name."""
    match = _match(_ASSET, name, field, "projects/{project}/assets/{sha256}")
    return match[1], match[2]


def parse_delivery(name: str, field: str) -> tuple[SongName, str]:
    """Return the song and the id of a delivery's name."""
    match = _match(_DELIVERY, name, field, "projects/{project}/songs/{song}/deliveries/{delivery}")
    return SongName(match[1], match[2]), match[3]


def studio_session_name(project: str, session: str) -> str:
    """Return `projects/{project}/studioSessions/{session}`."""
    return f"projects/{project}/studioSessions/{session}"


def parse_studio_session(name: str, field: str) -> tuple[str, str]:
    """Return the ids of project and session of a studio session's name."""
    match = _match(_STUDIO_SESSION, name, field, "projects/{project}/studioSessions/{session}")
    return match[1], match[2]


def parse_party(name: str, field: str) -> str:
    """Return the party id of a party's name."""
    return str(_match(_PARTY, name, field, "parties/{party}")[1])


def _match(pattern: re.Pattern[str], name: str, field: str, form: str) -> re.Match[str]:
    match = pattern.fullmatch(name)
    if match is None:
        raise InvalidCommand("INVALID_NAME", [(field, f"{name[:200]!r} is not of the form {form}")])
    return match
