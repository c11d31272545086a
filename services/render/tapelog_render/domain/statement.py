"""A statement of a usage account: a pure fold over its events, so that it can be made again, the same, at any time."""

import dataclasses
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import UsageAdjusted, UsageReleased, UsageReserved, UsageSettled
from tapelog.render.v1.resources_pb2 import StatementLine, StatementLineKind, StatementTotals, UsageEntry

from tapelog_render.domain.recorded import Recorded


@dataclasses.dataclass(frozen=True, slots=True)
class Period:
    """From a time on, until before another."""

    start: datetime
    end: datetime

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time < self.end


@dataclasses.dataclass(frozen=True, slots=True)
class Statement:
    """What an account used in a period.

    Attributes
    ----------
    lines : tuple[StatementLine, ...]
        Settled intents and adjustments, in the order of their events.
    account_sequence : int
        Of the last event before the period's end.
    """

    lines: tuple[StatementLine, ...]
    totals: StatementTotals
    account_sequence: int


class Book:
    """An account's events as statements need them, taken in one after the other.

    Whatever the period, its statement is made of what was taken in; so a book is kept, and only the newest events are
    read for the next statement.
    """

    def __init__(self) -> None:
        self._reserved: dict[str, str] = {}
        self._settled: dict[str, datetime] = {}
        self._lines: list[tuple[datetime, StatementLine]] = []
        self._open_ms: list[tuple[datetime, int]] = []
        self._sequences: list[tuple[datetime, int]] = []
        self.sequence = 0

    def __repr__(self) -> str:
        return f"Book({len(self._lines)} lines, sequence={self.sequence})"

    def add(self, recorded: Recorded, event: Message) -> None:
        """Take in the account's next event."""
        self.sequence = recorded.sequence
        self._sequences.append((recorded.time, recorded.sequence))
        match event:
            case UsageReserved():
                self._reserved[event.entry.job] = recorded.event_id
                self._open_ms.append((recorded.time, event.entry.reserved_ms))
            case UsageSettled():
                self._settled[event.entry.job] = recorded.time
                self._open_ms.append((recorded.time, -event.entry.reserved_ms))
                self._lines.append((recorded.time, _settled(event.entry, recorded, self._reserved[event.entry.job])))
            case UsageReleased():
                self._open_ms.append((recorded.time, -event.entry.reserved_ms))
            case UsageAdjusted():
                self._lines.append((recorded.time, _adjusted(event, recorded, self._settled[event.entry.job])))

    def statement(self, period: Period) -> Statement:
        """Make the statement of a period.

        An event belongs to the period in which it was recorded, also an adjustment of what was settled long before: so
        a statement that was sent stays as it is, and every settled millisecond is in exactly one period.
        """
        lines = [line for time, line in self._lines if time in period]
        open_ms = sum(change_ms for time, change_ms in self._open_ms if time < period.end)
        sequence = max((number for time, number in self._sequences if time < period.end), default=0)
        return Statement(tuple(lines), _totals(lines, open_ms), sequence)


def statement_of(events: Iterable[tuple[Recorded, Message]], period: Period) -> Statement:
    """Make the statement of a period from all events of an account, in order; see `Book.statement`."""
    book = Book()
    for recorded, event in events:
        book.add(recorded, event)
    return book.statement(period)


def _settled(entry: UsageEntry, recorded: Recorded, reserved_id: str) -> StatementLine:
    line = _line(entry, recorded, recorded.time)
    line.kind = StatementLineKind.STATEMENT_LINE_KIND_RENDER
    line.quantity_ms = entry.quantity_ms
    line.event_ids.extend([reserved_id, recorded.event_id])
    return line


def _adjusted(event: UsageAdjusted, recorded: Recorded, settle_time: datetime) -> StatementLine:
    line = _line(event.entry, recorded, settle_time)
    line.kind = StatementLineKind.STATEMENT_LINE_KIND_ADJUSTMENT
    line.quantity_ms = event.adjustment_ms
    line.reason = event.reason
    line.event_ids.extend([event.settled_event_id, recorded.event_id])
    return line


def _line(entry: UsageEntry, recorded: Recorded, settle_time: datetime) -> StatementLine:
    line = StatementLine(
        song=entry.song,
        render_kind=entry.kind,
        priority_class=entry.priority_class,
        cycle=entry.cycle,
        usage_key=entry.usage_key,
        job=entry.job,
        external_ref=entry.external_ref,
    )
    line.time.FromDatetime(recorded.time)
    line.settle_time.FromDatetime(settle_time)
    return line


def _totals(lines: list[StatementLine], open_ms: int) -> StatementTotals:
    sums = {kind: sum(line.quantity_ms for line in lines if line.kind == kind) for kind in StatementLineKind.values()}
    settled_ms = sums[StatementLineKind.STATEMENT_LINE_KIND_RENDER]
    adjusted_ms = sums[StatementLineKind.STATEMENT_LINE_KIND_ADJUSTMENT]
    return StatementTotals(
        settled_ms=settled_ms,
        adjusted_ms=adjusted_ms,
        billed_ms=settled_ms + adjusted_ms,
        lines=len(lines),
        open_ms=open_ms,
    )
