"""Cue sheets: the songs of an album that is one file.

Source: the CDRWIN cue format; times count in 75ths of a second (Red Book, IEC 60908).
"""

import re
from dataclasses import dataclass
from typing import Final

from tapelog_interchange.errors import NotPossibleError, RefusedError
from tapelog_interchange.limits import CUE_BYTES_MAX
from tapelog_interchange.rpp_blocks import words_of

TICKS_PER_S: Final = 75
TRACKS_MAX: Final = 99


@dataclass(frozen=True, slots=True)
class CueTrack:
    """A song: its title, performer and start in 75ths of a second; an ISRC where it has one."""

    title: str
    start_ticks: int
    performer: str = ""
    isrc: str = ""


@dataclass(frozen=True, slots=True)
class CueSheet:
    """A cue sheet: the file, and its songs in their order."""

    file: str
    tracks: tuple[CueTrack, ...]
    title: str = ""
    performer: str = ""


def _quoted(text: str) -> str:
    return '"' + re.sub(r"[\x00-\x1f]+", " ", text).replace('"', "'") + '"'


def write_cue(sheet: CueSheet) -> str:
    """Return the text of a cue sheet.

    Raises
    ------
    NotPossibleError
        ``CUE_TOO_MANY``: more than 99 songs.
    """
    if len(sheet.tracks) > TRACKS_MAX:
        raise NotPossibleError("CUE_TOO_MANY", f"{len(sheet.tracks)} songs", f"a cue sheet has at most {TRACKS_MAX}")
    lines = [
        f"{word} {_quoted(text)}" for word, text in (("PERFORMER", sheet.performer), ("TITLE", sheet.title)) if text
    ]
    lines.append(f"FILE {_quoted(sheet.file)} WAVE")
    for number, track in enumerate(sheet.tracks, 1):
        lines += [f"  TRACK {number:02d} AUDIO", f"    TITLE {_quoted(track.title)}"]
        lines += [f"    PERFORMER {_quoted(track.performer)}"] if track.performer else []
        lines += [f"    ISRC {track.isrc}"] if track.isrc else []
        minutes, rest = divmod(track.start_ticks, 60 * TICKS_PER_S)
        lines.append(f"    INDEX 01 {minutes:02d}:{rest // TICKS_PER_S:02d}:{rest % TICKS_PER_S:02d}")
    return "\n".join(lines) + "\n"


def read_cue(body: bytes, name: str) -> CueSheet:
    """Read a cue sheet of one file.

    Raises
    ------
    RefusedError
        ``CUE_REFUSED``: too large, of several files, without songs, or with a start that cannot be read.
    """
    if len(body) > CUE_BYTES_MAX:
        raise RefusedError(
            "CUE_REFUSED", f"{name} has {len(body)} bytes, at most {CUE_BYTES_MAX}", "it is no cue sheet"
        )
    file, album, tracks = "", {"TITLE": "", "PERFORMER": ""}, []
    for line in body.decode("utf-8-sig", errors="replace").splitlines():
        words = words_of(line)
        if len(words) < 2:
            continue
        word = words[0].upper()
        if word == "FILE":
            if file:
                raise RefusedError("CUE_REFUSED", f"{name} names several files", "give one cue sheet per file")
            file = words[1]
        elif word == "TRACK":
            tracks.append({"TITLE": "", "PERFORMER": "", "ISRC": "", "INDEX": ""})
        elif word == "INDEX" and tracks and len(words) > 2 and words[1] == "01":
            tracks[-1]["INDEX"] = words[2]
        elif word in ("TITLE", "PERFORMER", "ISRC"):
            (tracks[-1] if tracks else album)[word] = words[1]
    if not file or not 0 < len(tracks) <= TRACKS_MAX:
        problem = f"{name} names {'a' if file else 'no'} file and {len(tracks)} songs"
        raise RefusedError("CUE_REFUSED", problem, f"a cue sheet has one file and 1 to {TRACKS_MAX} songs")
    songs = [CueTrack(t["TITLE"], _ticks(t["INDEX"], name), t["PERFORMER"], t["ISRC"]) for t in tracks]
    return CueSheet(file, tuple(songs), album["TITLE"], album["PERFORMER"])


def _ticks(text: str, name: str) -> int:
    found = re.fullmatch(r"(\d{1,4}):([0-5]\d):(\d\d)", text)
    if found is None or int(found[3]) >= TICKS_PER_S:
        raise RefusedError("CUE_REFUSED", f"{name} starts a song at {text!r}", "write minutes:seconds:75ths")
    return (int(found[1]) * 60 + int(found[2])) * TICKS_PER_S + int(found[3])
