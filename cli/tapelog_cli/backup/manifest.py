"""What a backup consists of, with the digest of each part; written last, at once, so that it is true or not there."""

import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tapelog_cli.backup.errors import BackupDamaged, KeyUnusable, NoBackup
from tapelog_cli.backup.sealing import Seal

MANIFEST: Final = "backup.json"
VERSION: Final = 2
"""2: people's keys lie apart, and parts may be sealed."""


@dataclass(slots=True, kw_only=True)
class StreamCopy:
    """One stream: its archive in the backup, and how the server described it."""

    file: str
    sha256: str
    size_bytes: int
    described: dict[str, Any]

    @property
    def last_position(self) -> int:
        """The stream's last sequence."""
        return int(self.described["state"]["last_seq"])


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
        By name, or by path in the data folder: what is copied whole at each backup.
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
            values["streams"] = {name: StreamCopy(**copy) for name, copy in values["streams"].items()}
            made = cls(**values)
        except FileNotFoundError:
            if any(folder.glob("*")):
                raise BackupDamaged(folder, [f"there is no {MANIFEST}"]) from None
            raise NoBackup(folder) from None
        except (ValueError, TypeError, KeyError) as error:
            raise BackupDamaged(folder, [f"{MANIFEST} cannot be read ({error})"]) from error
        if made.version != VERSION:
            raise BackupDamaged(folder, [f"it is of version {made.version}, this Tapelog knows {VERSION}"])
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
