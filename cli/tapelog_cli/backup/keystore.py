"""
The keys of people's records, kept apart from every backup.

A backup is kept for years; these keys must not be, because to destroy one is to erase a person (docs/adr/0050). So they
are copied into a folder of their own, of which there is only ever the newest state: what was erased is not in it.
"""

import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from tapelog_cli.backup.errors import BackupDamaged, NoKeystore
from tapelog_cli.backup.manifest import StreamCopy, sha256_of, write_private
from tapelog_cli.backup.sealing import Seal

FILE: Final = "keystore.json"


def keystore_beside(backup: Path) -> Path:
    """Return where the keystore of a backup is unless something else is said: beside it, so that neither has both."""
    return backup.with_name(f"{backup.name}.keystore")


@dataclass(slots=True, kw_only=True)
class Keystore:
    """The newest copy of the keys: when it was begun (RFC 3339), and the stream."""

    made: str
    stream: StreamCopy

    @classmethod
    def read(cls, folder: Path, seal: Seal | None) -> Self:
        """Read and check it; `NoKeystore` if there is none, `BackupDamaged` if it is not as it was written."""
        try:
            kept = json.loads((folder / FILE).read_text())
            value: dict[str, Any] = kept["keystore"]
            if not hmac.compare_digest(kept["sha256"], _digest(value, seal)):
                raise BackupDamaged(folder, [f"{FILE} does not fit its own digest, or has another key"])
            found = cls(made=value["made"], stream=StreamCopy.of(value["stream"]))
        except FileNotFoundError:
            raise NoKeystore(folder) from None
        except (ValueError, TypeError, KeyError) as error:
            raise BackupDamaged(folder, [f"{FILE} cannot be read ({error})"]) from error
        path = folder / found.stream.file
        if not path.is_file() or sha256_of(path) != found.stream.sha256:
            raise BackupDamaged(folder, [f"{found.stream.file} is missing or does not fit its digest"])
        return found

    def write(self, folder: Path, seal: Seal | None) -> None:
        """Put it in the place of the one before, of which nothing is left."""
        value = asdict(self)
        write_private(folder / FILE, json.dumps({"keystore": value, "sha256": _digest(value, seal)}).encode())
        for path in folder.iterdir():
            if path.name not in (FILE, self.stream.file):
                _destroy(path)


def _destroy(path: Path) -> None:
    """Overwrite a file and remove it; what a disk keeps of it below its files is the disk's own."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _digest(value: dict[str, Any], seal: Seal | None) -> str:
    content = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(content).hexdigest() if seal is None else seal.mark(content)
