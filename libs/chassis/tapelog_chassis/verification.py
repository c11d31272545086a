"""Reading a whole log and saying everything that is wrong with it; nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nats.aio.client import Client

from tapelog_chassis.anchors import Anchor, AnchorVerifier, Rolling, journal_path, read_journal
from tapelog_chassis.event_log import CorruptStream, LogTampered, StoredEvent, chain, codec
from tapelog_chassis.nats import api, direct
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.nats.errors import JetStreamApiError
from tapelog_chassis.topology import es_stream

READ_TIMEOUT_S: Final = 10.0
FINDINGS_MAX: Final = 100
"""Findings of one log that are told; more are counted."""


@dataclass(slots=True)
class LogReport:
    """
    What was found in a context's log.

    Attributes
    ----------
    place
        The last event that was read, and the digest up to it.
    aggregates, anchors
        How many there were; anchors that were compared.
    wrong
        What is wrong, up to `FINDINGS_MAX` sentences.
    wrong_count
        How many there were.
    closed
        Subjects on which something lies that is no event: these aggregates are refused, the others are not touched.
    """

    context: str
    place: Rolling
    aggregates: int = 0
    anchors: int = 0
    wrong: list[str] = field(default_factory=list)
    wrong_count: int = 0
    closed: set[str] = field(default_factory=set)

    def note(self, sentence: str) -> None:
        """Add a finding."""
        self.wrong_count += 1
        if len(self.wrong) < FINDINGS_MAX:
            self.wrong.append(sentence)


async def verify_log(
    connection: Client,
    context: str,
    anchor_folder: Path,
    *,
    last_position: int | None = None,
    verifier: AnchorVerifier | None = None,
) -> LogReport:
    """
    Check every event of a context against its hash, its chain, its headers and the anchors.

    Parameters
    ----------
    connection
        Of a user that may read the stream.
    context
        Whose log.
    anchor_folder
        Where the journals are.
    last_position
        Read no further than this; None reads to the present end.
    verifier
        Of the key that signs the anchors; None looks at no signature.

    Raises
    ------
    JetStreamApiError, Unreachable
        If the log cannot be read.
    """
    report = LogReport(context, Rolling.start(context))
    # First the anchors, then the log's end: a log that runs may only be ahead of them.
    try:
        anchors = read_journal(journal_path(anchor_folder, context), context, verifier=verifier)
    except LogTampered as damaged:
        anchors = []
        report.note(damaged.reason)
    try:
        state = (await api.request(connection, f"STREAM.INFO.{es_stream(context)}"))["state"]
    except JetStreamApiError as error:
        if error.err_code != api.STREAM_NOT_FOUND:
            raise
        report.note(f"the stream {es_stream(context)} is not there")
        return report
    head = int(state["last_seq"]) if last_position is None else last_position
    check = _Check(report, [anchor for anchor in anchors if last_position is None or anchor.position <= last_position])
    async for message in _messages(connection, context, head):
        check.take(message)
    check.end(head)
    return report


async def _messages(connection: Client, context: str, head: int) -> AsyncIterator[StoredMessage]:
    position = 0
    while position < head:
        batch = await direct.get_batch(
            connection, es_stream(context), f"es.{context}.>", after_position=position, timeout_s=READ_TIMEOUT_S
        )
        for message in batch.messages:
            if message.position > head:
                return
            position = message.position
            yield message
        if not batch.pending:
            return


class _Check:
    """What is known of a log while it is read: each aggregate's last link, and the next anchor."""

    def __init__(self, report: LogReport, anchors: list[Anchor]) -> None:
        self._report = report
        self._heads: dict[str, tuple[int, str] | None] = {}
        self._position = 0
        self._anchors = anchors
        self._next = 0
        self._digest_is_lost = False

    def take(self, message: StoredMessage) -> None:
        """Check one message: an event leads to the next place, a foreign one closes its aggregate and leads nowhere."""
        report = self._report
        missing = message.position - self._position - 1
        if missing:
            report.note(f"{missing} event(s) before position {message.position} are missing")
        self._position = message.position
        try:
            event = codec.decode(message.subject, message.headers, message.data, message.position)
        except CorruptStream as error:
            report.note(f"{error.subject}: {error.reason}")
            self._heads[message.subject] = None
            report.closed.add(message.subject)
            return
        if self._continues(event, message):
            report.place = report.place.after(event)
            self._check_anchors()

    def _continues(self, event: StoredEvent, message: StoredMessage) -> bool:
        """Say whether an event is the next one of its aggregate; the first that is not is told about."""
        report, name = self._report, event.aggregate.subject
        head = self._heads.get(name, (0, chain.genesis_hash(event.aggregate)))
        if head is None:
            return False
        where = f"{name} at position {event.position}"
        flaw = _flaw(event, *head)
        if not flaw and (changed := codec.changed_headers(event, message.headers)):
            report.note(f"{where}: headers were changed or added: {', '.join(changed)}")
        if flaw:
            report.note(f"{where}: {flaw}; nothing of this aggregate is read or extended from here on")
            report.closed.add(name)
        self._heads[name] = None if flaw else (event.sequence, event.hash)
        report.aggregates = len(self._heads)
        return not flaw

    def _check_anchors(self) -> None:
        place = self._report.place
        while self._next < len(self._anchors) and self._anchors[self._next].position <= place.position:
            anchor = self._anchors[self._next]
            self._next += 1
            self._report.anchors += 1
            if anchor.rolling != place and not self._digest_is_lost:
                # After the first difference every later digest differs too.
                self._digest_is_lost = True
                self._report.note(
                    f"up to position {anchor.position} lies something else than at {anchor.time} (anchor "
                    f"{anchor.number}: {anchor.events} events, now {place.events})"
                )

    def end(self, head: int) -> None:
        """Say what should have come."""
        place = self._report.place
        if self._position < head:
            self._report.note(f"the last {head - self._position} event(s) before position {head} are missing")
        waiting = [anchor for anchor in self._anchors[self._next :] if anchor.position > place.position]
        if waiting and head <= self._position:
            self._report.note(
                f"the log ends at position {place.position}, but was at {waiting[-1].position} at {waiting[-1].time}"
            )
        if not self._anchors and place.events and not self._report.wrong:
            self._report.note("there is no journal of anchors: whether the end is missing cannot be told")


def _flaw(event: StoredEvent, sequence: int, hash_: str) -> str:
    """Say why an event does not follow this one; nothing where it does."""
    if event.sequence != sequence + 1:
        return f"sequence {event.sequence} follows {sequence}"
    try:
        chain.check_link(event, hash_)
    except CorruptStream as error:
        return error.reason
    return ""
