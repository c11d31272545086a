"""Telling a song's story to people: the ids and codes in its lines as the things they stand for."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tapelog.session.v1 import resources_pb2 as res

from . import words

QUOTE_CHARS: Final = 48
"""A note or a question is quoted up to here; its own place has all of it."""
_ID: Final = re.compile(r"(?<![\w-])[a-z][a-z0-9-]{1,31}(?![\w-])")
_VERSION: Final = re.compile(r"\b(mix|master)Versions/(\d+)")
_FRAMES: Final = re.compile(r"\bframes (\d+) to (\d+)")
_STAGE: Final = re.compile(r"\b(to|from|entered|in) ([A-Z_]{5,})\b")


class Teller:
    """Rewrites what happened for reading; what it does not know stays as it is.

    Parameters
    ----------
    song : Song
        Whose notes, takes and questions are named.
    names : Mapping[str, str]
        Party id to name.
    """

    def __init__(self, song: res.Song, names: Mapping[str, str]) -> None:
        self._rate_hz = song.sample_rate_hz
        self._labels = {**names, **dict(_labels(song))}
        self._stages = {name.removeprefix("STAGE_"): words.stage(value) for name, value in res.Stage.items()}

    def __call__(self, what: str) -> str:
        """Return what happened, for people."""
        told = _VERSION.sub(r"\1 \2", what)
        told = _FRAMES.sub(lambda found: self._passage(int(found[1]), int(found[2])), told)
        told = _STAGE.sub(lambda found: f"{found[1]} {self._stages.get(found[2], found[2])}", told)
        return _ID.sub(lambda found: self._labels.get(found[0], found[0]), told)

    def _passage(self, begin: int, end: int) -> str:
        at = words.timecode(begin, self._rate_hz)
        return f"at {at}" if end <= begin + 1 else f"from {at} to {words.timecode(end, self._rate_hz)}"


def _labels(song: res.Song) -> Iterator[tuple[str, str]]:
    """Yield ids of a song and what they stand for."""
    titles = {track.id: track.title or track.id for track in song.tracks}
    counted: Counter[str] = Counter()
    for take in song.takes:
        counted[take.track] += 1
        yield take.id, f"{counted[take.track]} ({titles.get(take.track, take.track)})"
    for note in song.notes:
        yield note.id, _quoted(note.text)
    for disagreement in song.disagreements:
        yield disagreement.id, _quoted(disagreement.question)
    if song.delivery:
        yield song.delivery.rpartition("/")[2], "package"


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line if len(line) <= QUOTE_CHARS else line[: QUOTE_CHARS - 1].rstrip() + '…'}”"
