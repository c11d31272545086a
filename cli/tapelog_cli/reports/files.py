"""Reports of files: a mix, a master, an album."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog_desk.album import SCHEMA as ALBUM_SCHEMA
from tapelog_desk.analysis import Progress
from tapelog_desk.codecs import Codec
from tapelog_desk.report import Section
from tapelog_desk.report.compared import compare
from tapelog_desk.report.heard import Heard, hear
from tapelog_desk.report.sheet import PARTS_MAX, Sheet

from tapelog_cli.desk.told import WrongUsage

AUDIO: Final = (".wav", ".flac", ".aiff", ".aif", ".w64", ".mp3", ".ogg")
ALBUM_FILE: Final = "album.json"
ALBUM_FILE_MAX_BYTES: Final = 4 * 1024 * 1024
"""An album of forty songs is written in 40 kB."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every kind of report takes.

    Attributes
    ----------
    title : str
        Heading, or empty.
    reference : str or Path
        What spectra are held against.
    codecs : sequence of Codec
        What to send files through.
    quiet : bool
        Whether no progress is shown.
    """

    title: str
    reference: str | Path
    codecs: Sequence[Codec] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a report: where it is, what it is called, where on the album it starts (None: after the one before)."""

    path: Path
    title: str = ""
    start_s: float | None = None


def sheet_of_files(
    files: Sequence[Path],
    asked: Asked,
    before: Path | None,
    *,
    sections: Sequence[Section] = (),
    progress: Progress | None = None,
) -> Sheet:
    """Return the report of a file, of several, or of an album's folder.

    Raises
    ------
    WrongUsage
        No audio in the folder, too many files, or several compared with one.
    SourceError
        A file cannot be read.
    """
    places, album = _places(files)
    if len(places) > PARTS_MAX:
        raise WrongUsage(f"one report holds {PARTS_MAX} files, these are {len(places)}", "make one for each disc")
    if before is not None and len(places) > 1:
        raise WrongUsage("--compare takes one file to compare with", "report on one file")
    total = len(places) + (before is not None)
    parts: list[Heard] = []
    place_s = 0.0
    for index, place in enumerate(places):
        heard = hear(
            place.path, title=place.title, reference=asked.reference, codecs=asked.codecs,
            start_s=place_s if place.start_s is None else place.start_s, progress=_share(progress, index, total),
        )  # fmt: skip
        place_s = heard.start_s + heard.length_s
        parts.append(heard)
    beside = None
    if before is not None:
        earlier = hear(before, reference=asked.reference, progress=_share(progress, len(places), total))
        beside = compare(earlier, parts[0])
    target = album.get("target", {}).get("integrated_lufs")
    missed = album.get("reached") is False
    return Sheet(
        title=asked.title or (parts[0].title if len(parts) == 1 else _album_title(files)),
        subtitle=parts[0].name if len(parts) == 1 else f"{len(parts)} songs",
        parts=tuple(parts),
        verdict=f"Target missed: {album.get('limit', '')}" if missed else "",
        missed=missed,
        sections=tuple(sections),
        compared=beside,
        target_lufs=float(target) if isinstance(target, int | float) else None,
        album_lufs=album.get("album_lufs"),
    )


def _share(progress: Progress | None, index: int, total: int) -> Progress | None:
    return None if progress is None else lambda done: progress((index + done) / total)


def _album_title(files: Sequence[Path]) -> str:
    return files[0].resolve().name if len(files) == 1 else "Album"


def _places(files: Sequence[Path]) -> tuple[list[Place], dict[str, Any]]:
    """Return what is to be read, and what `tapelog album` wrote about it."""
    if len(files) > 1 or not files[0].is_dir():
        if folder := next((path for path in files if path.is_dir()), None):
            raise WrongUsage(f"{folder} is a folder among files", "give one folder, or files")
        return [Place(path) for path in files], {}
    folder = files[0]
    written = _album(folder / ALBUM_FILE)
    if written:
        rate_hz = written["sample_rate_hz"]
        return [
            Place(folder / song["file"], song["title"], song["start_frame"] / rate_hz) for song in written["songs"]
        ], written
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO and path.is_file())
    if not found:
        raise WrongUsage(f"{folder} has no audio file", "name the folder that `tapelog album` wrote")
    return [Place(path) for path in found], {}


def _album(path: Path) -> dict[str, Any]:
    """Return what `tapelog album` wrote; empty where it wrote nothing."""
    if not path.is_file() or path.stat().st_size > ALBUM_FILE_MAX_BYTES:
        return {}
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written["schema"] != ALBUM_SCHEMA:
            return {}
        for song in written["songs"]:
            if Path(song["file"]).name != song["file"]:
                raise WrongUsage(f"{path} names a file outside of its folder: {song['file']!r}", "make the album again")
        return {
            **written,
            "sample_rate_hz": float(written["sample_rate_hz"]),
            "songs": [
                {"file": song["file"], "title": str(song["title"]), "start_frame": float(song["start_frame"])}
                for song in written["songs"]
            ],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise WrongUsage(f"{path} is not what `tapelog album` writes: {error}", "make the album again") from error
