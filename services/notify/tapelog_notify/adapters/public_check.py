"""
Whether the public stream is what follows from the logs: made again from them, message by message, and compared.

It needs no anchors of its own: every message is a function of an anchored event and of how far each log was published,
and that is in the message before it.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.event_log import CorruptStream, codec
from tapelog_chassis.nats import JetStreamApiError, api, direct
from tapelog_chassis.nats.direct import StoredMessage
from tapelog_chassis.topology import CONTEXTS, PUB, es_stream

from tapelog_notify.application.ports import Outgoing

from .public_codec import SOURCE_POSITION, encode_public, parse_positions

READ_TIMEOUT_S: Final = 10.0
FINDINGS_MAX: Final = 100
"""Findings that are told; more are counted."""
_CONTEXT_OF: Final = {es_stream(context): context for context in CONTEXTS}


@dataclass(slots=True)
class PublicReport:
    """
    What was found in the public stream.

    Attributes
    ----------
    events, position
        How many there are, and the last one's position.
    wrong, wrong_count
        What is wrong, up to `FINDINGS_MAX` sentences, and how many there were.
    """

    events: int = 0
    position: int = 0
    wrong: list[str] = field(default_factory=list)
    wrong_count: int = 0

    def note(self, sentence: str) -> None:
        """Add a finding."""
        self.wrong_count += 1
        if len(self.wrong) < FINDINGS_MAX:
            self.wrong.append(sentence)


async def check_public(connection: Client) -> PublicReport:
    """
    Compare every message of the public stream with the event that it was made from.

    What has left the stream by its age is not missed; what the logs have more is still to be published.

    Parameters
    ----------
    connection
        Of a user that may read the streams.

    Raises
    ------
    JetStreamApiError, Unreachable
        If they cannot be read.
    """
    try:
        state = (await api.request(connection, f"STREAM.INFO.{PUB}"))["state"]
    except JetStreamApiError as error:
        if error.err_code != api.STREAM_NOT_FOUND:
            raise
        return PublicReport(wrong=[f"the stream {PUB} is not there"], wrong_count=1)
    # A stream that never had a message begins at 0.
    report = PublicReport(position=max(1, int(state["first_seq"])) - 1)
    async with AsyncExitStack() as stack:
        check = _Check(connection, report, stack)
        async with aclosing(_messages(connection, PUB, "pub.>", report.position, int(state["last_seq"]))) as messages:
            async for message in messages:
                await check.take(message)
    if report.position < int(state["last_seq"]):
        report.note(f"the last {int(state['last_seq']) - report.position} message(s) are missing")
    return report


async def _messages(
    connection: Client, stream: str, subject: str, after_position: int, last: int | None = None
) -> AsyncGenerator[StoredMessage, None]:
    position = after_position
    while last is None or position < last:
        batch = await direct.get_batch(connection, stream, subject, after_position=position, timeout_s=READ_TIMEOUT_S)
        for message in batch.messages:
            if last is not None and message.position > last:
                return
            position = message.position
            yield message
        if not batch.pending:
            return


class _Check:
    """How far each log is published, and the logs from there on."""

    def __init__(self, connection: Client, report: PublicReport, stack: AsyncExitStack) -> None:
        self._connection = connection
        self._report = report
        self._stack = stack
        self._positions: dict[str, int] | None = None
        self._logs: dict[str, AsyncIterator[StoredMessage]] = {}

    async def take(self, message: StoredMessage) -> None:
        """Check one message."""
        report, where = self._report, f"position {message.position}"
        if message.position != report.position + 1:
            report.note(f"{message.position - report.position - 1} message(s) before {where} are missing")
        report.events, report.position = report.events + 1, message.position
        context = codec.decode_value(message.headers.get("ce-source", "")).rpartition("/")[2]
        positions = _positions_of(message)
        if context not in CONTEXTS or context not in positions:
            report.note(f"{where} is no public event: it does not say which log it is from, or how far that was")
            return
        position = positions[context]
        if self._positions is None:
            # The first message that is left says how far every log was before it.
            self._positions = {**positions, context: position - 1}
        event = await self._event(context, position)
        expected = {**self._positions, context: position}
        self._positions[context] = max(position, self._positions.get(context, 0))
        if event is None:
            report.note(f"{where} is not in the {context} log, which has no event {position} at this place")
            return
        try:
            stored = codec.decode(event.subject, event.headers, event.data, event.position)
        except CorruptStream as error:
            report.note(f"{where}: {error.reason}")
            return
        draft = encode_public(Outgoing(stored, expected))
        told = {key: value for key, value in message.headers.items() if key.startswith(("ce-", "tl-"))}
        made = {key: value for key, value in draft.headers.items() if key.startswith(("ce-", "tl-"))}
        told[SOURCE_POSITION], made[SOURCE_POSITION] = str(sorted(positions.items())), str(sorted(expected.items()))
        changed = sorted(key for key in told.keys() | made.keys() if told.get(key) != made.get(key))
        if message.subject != draft.subject:
            changed.append("its subject")
        if message.data != draft.data:
            changed.append("its body")
        if changed:
            report.note(f"{where} is not what event {position} of the {context} log makes: {', '.join(changed)}")

    async def _event(self, context: str, position: int) -> StoredMessage | None:
        """Return the event at a position of a log, which has to be the next one there."""
        if context not in self._logs:
            after = (self._positions or {}).get(context, 0)
            stream = _messages(self._connection, es_stream(context), f"es.{context}.>", after)
            self._logs[context] = await self._stack.enter_async_context(aclosing(stream))
        async for event in self._logs[context]:
            if event.position == position:
                return event
            if event.position > position:
                return None
            self._report.note(f"event {event.position} of the {context} log is not public, but later ones are")
        return None


def _positions_of(message: StoredMessage) -> dict[str, int]:
    try:
        return parse_positions(codec.decode_value(message.headers.get(SOURCE_POSITION, "")), _CONTEXT_OF)
    except ValueError:
        return {}
