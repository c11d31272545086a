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


def statement_of(events: Iterable[tuple[Recorded, Message]], period: Period) -> Statement:
    """Make the statement of a period from all events of an account, in order.

    An event belongs to the period in which it was recorded, also an adjustment of what was settled long before: so a
    statement that was sent stays as it is, and every settled millisecond is in exactly one period.
    """
    lines: list[StatementLine] = []
    reserved: dict[str, str] = {}
    settled: dict[str, datetime] = {}
    open_ms = sequence = 0
    for recorded, event in events:
        if recorded.time >= period.end:
            continue
        sequence = recorded.sequence
        match event:
            case UsageReserved():
                reserved[event.entry.job] = recorded.event_id
                open_ms += event.entry.reserved_ms
            case UsageSettled():
                settled[event.entry.job] = recorded.time
                open_ms -= event.entry.reserved_ms
                if recorded.time in period:
                    lines.append(_settled(event.entry, recorded, reserved[event.entry.job]))
            case UsageReleased():
                open_ms -= event.entry.reserved_ms
            case UsageAdjusted():
                if recorded.time in period:
                    lines.append(_adjusted(event, recorded, settled[event.entry.job]))
    return Statement(tuple(lines), _totals(lines, open_ms), sequence)


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
