"""ZIP archives from strangers: entries are counted, sizes are measured while reading, names never become paths."""

import shutil
import zipfile
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Final, Self

from tapelog_interchange.errors import RefusedError
from tapelog_interchange.limits import ARCHIVE_ENTRIES_MAX, ARCHIVE_EXTRACT_BYTES_MAX, NAME_MAX

_BLOCK_BYTES: Final = 1024 * 1024
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SYMLINK: Final = 0o120000
_REMEDY: Final = "export the file again from the program that made it"


def _refused(problem: str) -> RefusedError:
    return RefusedError("ARCHIVE_REFUSED", problem, _REMEDY)


def is_plain_name(name: str) -> bool:
    """Return whether a name stays inside its archive: relative, no ``..``, no drive, no backslash, no control."""
    if not name or len(name) > NAME_MAX or "\\" in name or ":" in name or any(ord(letter) < 32 for letter in name):
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


class Archive:
    """A ZIP that was checked before anything is taken out of it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RefusedError
        ``ARCHIVE_REFUSED``: not a ZIP, too many entries, an entry twice, encrypted, overlapping, a link, packed with
        an unusual method, or named outside the archive.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._left_bytes = ARCHIVE_EXTRACT_BYTES_MAX
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise _refused(f"{path.name} cannot be opened as a ZIP: {error}") from error
        try:
            self._entries = self._checked(path.stat().st_size)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def _checked(self, size: int) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > ARCHIVE_ENTRIES_MAX:
            raise _refused(f"{self._name} has {len(infos)} entries, at most {ARCHIVE_ENTRIES_MAX} are read")
        entries: dict[str, zipfile.ZipInfo] = {}
        end = 0
        for info in sorted(infos, key=lambda each: each.header_offset):
            name = info.filename
            if name in entries:
                raise _refused(f"{self._name} has the entry {name!r} twice")
            if not is_plain_name(name.rstrip("/") or name):
                raise _refused(f"{self._name} has an entry that is named {name[:80]!r}, outside the archive")
            if info.flag_bits & 1:
                raise _refused(f"{self._name} has an encrypted entry, {name!r}")
            if info.external_attr >> 16 & 0o170000 == _SYMLINK:
                raise _refused(f"{self._name} has a link, {name!r}")
            if info.compress_type not in _METHODS:
                raise _refused(
                    f"{self._name} packs {name!r} with method {info.compress_type}; stored and deflate are read"
                )
            if info.header_offset < end or info.header_offset + info.compress_size > size:
                raise _refused(f"{self._name} has entries that overlap, or end beyond the file, at {name!r}")
            end = info.header_offset + info.compress_size
            entries[name] = info
        return entries

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def _open(self, name: str) -> BinaryIO:
        info = self._entries.get(name)
        if info is None:
            raise _refused(f"{self._name} has no {name!r}")
        try:
            return self._zip.open(info)  # type: ignore[return-value]  # an IO[bytes] that reads
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise _refused(f"{name!r} in {self._name} cannot be unpacked: {error}") from error

    def _spend(self, size: int, name: str) -> None:
        self._left_bytes -= size
        if self._left_bytes < 0:
            problem = f"{self._name} unpacks to more than {ARCHIVE_EXTRACT_BYTES_MAX} bytes, reached in {name!r}"
            raise _refused(problem)

    def blocks(self, name: str) -> Generator[bytes]:
        """Yield an entry's bytes as they are unpacked.

        Raises
        ------
        RefusedError
            It is not there, damaged, or over the budget of the whole archive, whatever its header says.
        """
        with self._open(name) as file:
            while True:
                try:
                    block = file.read(_BLOCK_BYTES)
                except Exception as error:  # zlib.error has no base of its own but Exception
                    raise _refused(f"{name!r} in {self._name} is damaged: {error}") from error
                if not block:
                    return
                self._spend(len(block), name)
                yield block

    def extract(self, name: str, target: Path) -> None:
        """Write an entry to a file of the caller's choice, which must not be there yet.

        Raises
        ------
        RefusedError
            It is not there, damaged, or over the budget of the whole archive; nothing is left behind.
        """
        with self._open(name) as source, target.open("xb") as sink:
            try:
                while block := source.read(_BLOCK_BYTES):
                    self._spend(len(block), name)
                    sink.write(block)
            except RefusedError:
                target.unlink()
                raise
            except Exception as error:
                target.unlink()
                raise _refused(f"{name!r} in {self._name} is damaged: {error}") from error


def write_archive(path: Path, texts: dict[str, bytes], files: dict[str, Path]) -> None:
    """Write a ZIP whose bytes depend on its content only: fixed times, the order given.

    Parameters
    ----------
    path : Path
        The file to write.
    texts : dict of str to bytes
        Entries that are packed.
    files : dict of str to Path
        Entries that are stored as they are, such as audio.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in texts.items():
            archive.writestr(_entry(name, zipfile.ZIP_DEFLATED), body)
        for name, source in files.items():
            with (
                source.open("rb") as reading,
                archive.open(_entry(name, zipfile.ZIP_STORED), "w", force_zip64=True) as sink,
            ):
                shutil.copyfileobj(reading, sink, _BLOCK_BYTES)


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = method
    entry.external_attr = 0o644 << 16
    return entry
