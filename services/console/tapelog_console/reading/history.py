"""A song's story, a part at a time: the newest facts for its page, chapters for the whole."""

from typing import Final, NamedTuple

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_client import Tapelog

NEWEST_LINES: Final = 8
"""Newest lines of the story on the song's page; all of them have a page of their own."""
NEWEST_FACTS: Final = 40
"""Facts read for them: some are not told to everybody."""
CHAPTER_FACTS: Final = 200
"""Facts of one page of the story: some screens, and one answer of the service."""


class Bounds(NamedTuple):
    """Which facts a chapter covers.

    Attributes
    ----------
    first, last : int
        Their sequences.
    earlier, later : int
        Before which sequence the chapters beside it end; 0 is none. The newest chapter grows and has no end: it is -1.
    """

    first: int
    last: int
    earlier: int
    later: int


class Chapter(NamedTuple):
    """A part of a song's story: its lines in order, without what the reader is not told, and what it covers."""

    lines: list[rpc.HistoryLine]
    covers: Bounds


def bounds(sequence: int, before: int = 0) -> Bounds:
    """Return what the chapter covers that ends before a fact, or the newest, of a song with so many facts."""
    end = min(before or sequence + 1, sequence + 1)
    first = max(end - CHAPTER_FACTS, 1)
    following = end + CHAPTER_FACTS
    later = 0 if end > sequence else following if following <= sequence else -1
    return Bounds(first, end - 1, first if first > 1 else 0, later)


async def newest(api: Tapelog, song: res.Song) -> list[rpc.HistoryLine]:
    """Return the newest lines of a song's story, newest first; what is older is not read."""
    after = max(song.sequence - NEWEST_FACTS, 0)
    lines = [line async for line in api.songs.history(song.name, after_sequence=after)]
    return lines[: -NEWEST_LINES - 1 : -1]


async def chapter(api: Tapelog, song: res.Song, before: int = 0) -> Chapter:
    """Return the facts before a sequence, or the newest."""
    cut = bounds(song.sequence, before)
    lines = []
    async for line in api.songs.history(song.name, after_sequence=cut.first - 1):
        if line.sequence > cut.last:
            break
        lines.append(line)
    return Chapter(lines, cut)
