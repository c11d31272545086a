"""
The broker's archive of a stream, taken apart into what describes it and its messages, and put together again.

Source: the archive that `$JS.API.STREAM.SNAPSHOT` of nats-server 2.15 gives, as found by reading it: a magic word, then
records of name, time, sequence, header and body. Those with the sequence 0 are the stream's state and its consumers;
then come the messages, in order, and an empty record. An archive of any other form is kept whole.
"""

from collections.abc import Iterator
from typing import Final

from tapelog_cli.backup.errors import ArchiveError
from tapelog_cli.backup.s2 import uvarint

MAGIC: Final = b"NATSARC1"
END: Final = bytes(5)
"""A record without name, time, sequence, header and body: the last one."""
RECORD_BYTES_MAX: Final = 64 * 1024**2
"""Of one record that is waited for; a message has 1 MiB at most."""


class Records:
    """
    Takes an archive's content in pieces of any size.

    Attributes
    ----------
    head
        What is before the messages; whole when the first message has come, or at the end.
    """

    def __init__(self) -> None:
        self.head = b""
        self._waiting = b""
        self._is_begun = self._is_ended = False
        self._last = 0

    def take(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """
        Take the next piece; yield sequence and bytes of each message that is whole by now.

        Raises
        ------
        ArchiveError
            It is no such archive.
        """
        content, at = self._waiting + piece, 0
        if not self._is_begun:
            if len(content) < len(MAGIC):
                self._waiting = content
                return
            if not content.startswith(MAGIC):
                raise ArchiveError(f"it begins with {content[: len(MAGIC)]!r}")
            self._is_begun, self.head, at = True, MAGIC, len(MAGIC)
        while True:
            try:
                sequence, end = _record(content, at)
            except IndexError:
                break
            if end > len(content):
                break
            if content[at:end] == END:
                self._is_ended, at = True, end
                break
            if sequence == 0:
                if self._last:
                    raise ArchiveError("a description is behind the messages")
                self.head += content[at:end]
            elif sequence <= self._last:
                raise ArchiveError(f"message {sequence} is behind message {self._last}")
            else:
                self._last = sequence
                yield sequence, content[at:end]
            at = end
        self._waiting = content[at:]
        if len(self._waiting) > RECORD_BYTES_MAX:
            raise ArchiveError("a record has no end")

    def end(self) -> None:
        """Say that this was all; raises `ArchiveError` in the middle of a record."""
        if self._waiting or not self._is_ended:
            raise ArchiveError("its end is missing")


def _record(content: bytes, at: int) -> tuple[int, int]:
    """Return a record's sequence and where it ends; `IndexError` if not even its lengths are there."""
    name, at = uvarint(content, at)
    _, at = uvarint(content, at)
    sequence, at = uvarint(content, at)
    header, at = uvarint(content, at)
    body, at = uvarint(content, at)
    return sequence, at + name + header + body
