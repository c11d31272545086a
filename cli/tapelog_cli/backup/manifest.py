"""What a backup consists of, with the digest of each part; written last, at once, so that it is true or not there."""

import asyncio
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tapelog_cli.backup.errors import BackupDamaged, KeyUnusable, NoBackup
from tapelog_cli.backup.sealing import Seal

MANIFEST: Final = "backup.json"
VERSION: Final = 3
"""2: people's keys lie apart, and parts may be sealed. 3: logs lie in segments."""
READ: Final = (2, VERSION)
"""What can be restored; the manifest of 2 is one of 3 without segments."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """
    Messages of a stream that were copied in one run.

    Attributes
    ----------
    file, sha256, size_bytes
        What lies in the backup.
    first, last
        Sequences of the first and the last message.
    chain
        SHA-256 of all messages of the stream from its first to `last`: it follows from what all segments before have.
    """

    file: str
    sha256: str
    size_bytes: int
    first: int
    last: int
    chain: str


@dataclass(slots=True, kw_only=True)
class StreamCopy:
    """
    One stream.

    Attributes
    ----------
    file, sha256, size_bytes
        Its archive in the backup; where it `is_split`, what stands before the messages in it.
    described
        What the server says of it.
    segments
        Its messages, in order.
    """

    file: str
    sha256: str
    size_bytes: int
    described: dict[str, Any]
    is_split: bool = False
    segments: list[Segment] = field(default_factory=list)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Make it of what stands in a manifest."""
        return cls(**{**values, "segments": [Segment(**segment) for segment in values.get("segments", [])]})

    @property
    def last_position(self) -> int:
        """The stream's last sequence."""
        return int(self.described["state"]["last_seq"])

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Name and digest of each of its files."""
        return [(self.file, self.sha256), *((segment.file, segment.sha256) for segment in self.segments)]


@dataclass(slots=True, kw_only=True)
class Manifest:
    """
    What a backup consists of.

    Attributes
    ----------
    made
        RFC 3339, when the copying began: everything acknowledged before is in it.
    sealed
        Whether its parts can be read with a key alone; digests are of the parts as they lie there.
    form
        Whose folder it is of: `stack` of `tapelog up`, `deployment` of `tapelog broker-init`.
    streams, files
        By name, or by path in the data folder: what is copied at each backup, logs behind what was there.
    heads
        Per context: position, events, digest.
    objects
        Per store (`objects`, `archive`): length of each object by SHA-256.
    """

    made: str
    version: int = VERSION
    sealed: bool = False
    form: str = "stack"
    streams: dict[str, StreamCopy] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, seal: Seal | None = None) -> Self:
        """Read and check the manifest itself.

        Raises
        ------
        KeyUnusable
            The backup is sealed and no key was given, or the other way round.
        NoBackup
            The folder is empty, or not there.
        BackupDamaged
            The manifest is missing or was changed.
        """
        try:
            kept = json.loads((folder / MANIFEST).read_text())
            if kept["backup"].get("sealed", False) != (seal is not None):
                why = "the backup is sealed, and no key was given" if seal is None else "the backup is not sealed"
                raise KeyUnusable(folder, why)
            if not hmac.compare_digest(kept["sha256"], _digest(kept["backup"], seal)):
                whose = "" if seal is None else ", or was sealed with another key"
                raise BackupDamaged(folder, [f"{MANIFEST} does not fit its own digest{whose}"])
            values = kept["backup"]
            values["streams"] = {name: StreamCopy.of(copy) for name, copy in values["streams"].items()}
            made = cls(**values)
        except FileNotFoundError:
            if any(folder.glob("*")):
                raise BackupDamaged(folder, [f"there is no {MANIFEST}"]) from None
            raise NoBackup(folder) from None
        except (ValueError, TypeError, KeyError) as error:
            raise BackupDamaged(folder, [f"{MANIFEST} cannot be read ({error})"]) from error
        if made.version not in READ:
            raise BackupDamaged(folder, [f"it is of version {made.version}, this Tapelog knows {READ}"])
        return made

    def write(self, folder: Path, seal: Seal | None = None) -> None:
        """Replace the manifest: from here on the backup is this one."""
        value = asdict(self)
        kept = {"backup": value, "sha256": _digest(value, seal)}
        write_private(folder / MANIFEST, json.dumps(kept, indent=1).encode())


def _digest(value: dict[str, Any], seal: Seal | None) -> str:
    content = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(content).hexdigest() if seal is None else seal.mark(content)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user can read; it appears whole, and is on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


async def write_part(chunks: AsyncIterator[bytes], folder: Path, name: str) -> tuple[str, int, Path]:
    """
    Write a file that only this user can read, under a name that says that it is not whole yet.

    Returns
    -------
    str, int, Path
        Its SHA-256 and length, and where it is until `appear` gives it its name.
    """
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    partial = folder / f".{name}.partial"
    digest, size_bytes = hashlib.sha256(), 0
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in chunks:
            digest.update(chunk)
            size_bytes += len(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return digest.hexdigest(), size_bytes, partial


def appear(partial: Path, name: str) -> None:
    """Give a file that is whole its name."""
    partial.replace(partial.with_name(name))
    sync_folder(partial.parent)


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return a file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
