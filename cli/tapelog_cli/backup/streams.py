"""
Copies of streams: whole, or what has been added since the last copy.

A log only grows. Its copy is a head (state and consumers, as they are now) and segments of messages; a run writes the
messages behind the last segment into a new one. The last segments are written again together with it while they are no
larger than what is new, so that there are as many segments as the number of messages has binary digits, at most. Each
segment knows the digest of all messages up to its end: a log that is another one than was copied is copied from its
beginning.
"""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.nats.stream_copy import CHUNK_BYTES, snapshot_stream

from tapelog_cli.backup.archive import END, Records
from tapelog_cli.backup.errors import ArchiveError
from tapelog_cli.backup.manifest import Segment, StreamCopy, appear, sha256_of, write_part
from tapelog_cli.backup.s2 import S2Reader, encoded
from tapelog_cli.backup.sealing import Seal, content_of, in_one

LEVEL: Final = 1
"""Of deflate: the events' headers are alike, and a higher one takes longer than the disk."""


class _OtherLog(Exception):  # noqa: N818 - not told to anybody
    """What was copied before is not what the log begins with."""


Written = tuple[StreamCopy, int]
"""A copy, and how many bytes of it were not there before."""


async def copy_whole(connection: Client, stream: str, folder: Path, seal: Seal | None) -> Written:
    """Copy a stream as the broker gives it."""
    described, chunks = await snapshot_stream(connection, stream)
    digest, size_bytes, partial = await write_part(chunks if seal is None else seal.sealed(chunks), folder, stream)
    name = f"{stream}-{digest[:16]}.tar.s2"
    appear(partial, name)
    return StreamCopy(file=name, sha256=digest, size_bytes=size_bytes, described=described), size_bytes


async def copy_log(
    connection: Client, stream: str, folder: Path, seal: Seal | None, before: StreamCopy | None
) -> Written:
    """
    Copy a stream that only grows: what is behind the copy `before`, of which the rest is taken over.

    A segment that is missing or damaged is written again; an archive of a form that is not known is copied whole.
    """
    kept = [] if before is None else await asyncio.to_thread(_whole_ones, folder, before.segments)
    for segments in (kept, []):
        try:
            return await _copy(connection, stream, folder, seal, segments)
        except _OtherLog:
            continue
        except ArchiveError:
            break
    return await copy_whole(connection, stream, folder, seal)


def _whole_ones(folder: Path, segments: list[Segment]) -> list[Segment]:
    """Return the segments up to the first that is not as it was written."""
    for number, segment in enumerate(segments):
        path = folder / segment.file
        if not path.is_file() or sha256_of(path) != segment.sha256:
            return segments[:number]
    return segments


def taken_over(segments: list[Segment], last: int) -> list[Segment]:
    """Return the segments that stay when the log has come to a position: those larger than all that is behind them."""
    kept = list(segments)
    while kept and kept[-1].last - kept[-1].first < last - kept[-1].last:
        kept.pop()
    return kept


class _Splitting:
    """An archive on its way into a segment, behind the segments that are kept."""

    def __init__(self, kept: list[Segment]) -> None:
        self.kept = kept
        self.records = Records()
        self.chain = hashlib.sha256()
        self.first = self.last = 0
        self._reader = S2Reader()
        self._covered = kept[-1].last if kept else 0
        self._unchecked = {segment.last: segment.chain for segment in kept}

    def take(self, chunk: bytes) -> bytes:
        """Take a piece of it; return the messages that no segment has."""
        new = bytearray()
        for block in self._reader.take(chunk):
            for sequence, record in self.records.take(block):
                if sequence > self._covered and self._unchecked:
                    raise _OtherLog
                self.chain.update(record)
                if sequence in self._unchecked and self._unchecked.pop(sequence) != self.chain.hexdigest():
                    raise _OtherLog
                self.last = sequence
                if sequence > self._covered:
                    self.first = self.first or sequence
                    new += record
        return bytes(new)

    def end(self) -> None:
        """Check that it is whole, and has all that the segments have."""
        self._reader.end()
        self.records.end()
        if self._unchecked:
            raise _OtherLog


async def _copy(connection: Client, stream: str, folder: Path, seal: Seal | None, segments: list[Segment]) -> Written:
    described, chunks = await snapshot_stream(connection, stream)
    split = _Splitting(taken_over(segments, int(described["state"]["last_seq"])))

    async def deflated() -> AsyncIterator[bytes]:
        deflate = zlib.compressobj(LEVEL)
        async with aclosing(chunks):
            async for chunk in chunks:
                if content := deflate.compress(await asyncio.to_thread(split.take, chunk)):
                    yield content
        split.end()
        yield deflate.flush()

    digest, size_bytes, partial = await write_part(
        deflated() if seal is None else seal.sealed(deflated()), folder, stream
    )
    made = list(split.kept)
    if split.first:
        name = f"{stream}-{split.first}-{digest[:16]}.z"
        appear(partial, name)
        made.append(
            Segment(
                file=name, sha256=digest, size_bytes=size_bytes, first=split.first, last=split.last,
                chain=split.chain.hexdigest(),
            )
        )  # fmt: skip
    else:
        partial.unlink()
        size_bytes = 0
    head = in_one(split.records.head)
    digest, head_bytes, partial = await write_part(head if seal is None else seal.sealed(head), folder, stream)
    name = f"{stream}-{digest[:16]}.head"
    appear(partial, name)
    copy = StreamCopy(
        file=name, sha256=digest, size_bytes=head_bytes, described=described, is_split=True, segments=made
    )
    return copy, head_bytes + size_bytes


def content_of_stream(folder: Path, copy: StreamCopy, seal: Seal | None) -> Iterator[bytes]:
    """Yield a stream's archive, put together again, in blocks that the broker takes; raises as `Seal.opened`."""
    if not copy.is_split:
        yield from content_of(folder / copy.file, seal, CHUNK_BYTES)
        return

    def parts() -> Iterator[bytes]:
        yield from content_of(folder / copy.file, seal)
        for segment in copy.segments:
            inflate = zlib.decompressobj()
            for block in content_of(folder / segment.file, seal):
                yield inflate.decompress(block)
            yield inflate.flush()
        yield END

    for block in encoded(parts()):
        for start in range(0, len(block), CHUNK_BYTES):
            yield block[start : start + CHUNK_BYTES]
