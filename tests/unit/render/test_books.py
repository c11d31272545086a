"""Books of accounts: each event is read once, and a statement is the one that the whole history gives."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import UsageAdjusted, UsageReleased, UsageReserved, UsageSettled
from tapelog.render.v1.resources_pb2 import UsageEntry
from tapelog_chassis.event_log import AggregateId, MemoryEventLog, Metadata, NewEvent, StoredEvent
from tapelog_render.application.events import REGISTRY, USAGE
from tapelog_render.application.usage.books import Books
from tapelog_render.domain.statement import Period, statement_of

START = datetime(2026, 11, 1, tzinfo=UTC)
ACCOUNT = AggregateId(USAGE, "acme", "prj-1")


class CountingLog(MemoryEventLog):
    """A log that counts the events it hands out."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def load(
        self, aggregate: AggregateId, *, after_sequence: int = 0, after_position: int = 0
    ) -> list[StoredEvent]:
        """Load, and count."""
        found = await super().load(aggregate, after_sequence=after_sequence, after_position=after_position)
        self.read += len(found)
        return found


def events_of(job: int) -> Iterable[Message]:
    """Yield what happens to one claim: two of three are settled, one of these is corrected."""
    entry = UsageEntry(account="prj-1", song="sng-1", job=f"job-{job}", usage_key=f"{job:064d}", reserved_ms=1000)
    yield UsageReserved(entry=entry)
    entry.quantity_ms = 990
    yield UsageReleased(entry=entry) if job % 3 == 0 else UsageSettled(entry=entry)
    if job % 3 == 1:
        yield UsageAdjusted(entry=entry, adjustment_ms=-90, reason="late", settled_event_id=f"evt-{job}")


async def grow(log: CountingLog, account: AggregateId, jobs: range) -> None:
    """Append the events of jobs, a minute apart."""
    head = len(await MemoryEventLog.load(log, account))
    new = [
        NewEvent(
            f"{account.id}-{job}-{n}", REGISTRY.type_of(event), event.DESCRIPTOR.full_name, event.SerializeToString(),
            START + timedelta(minutes=job),
        )
        for job in jobs
        for n, event in enumerate(events_of(job))
    ]  # fmt: skip
    await log.append(account, head, new, Metadata(actor="svc-render"))


async def test_pages_and_later_statements_read_what_is_new_alone():
    """Ten statements of an account that grows by one job read each event once."""
    log = CountingLog()
    books = Books(log)
    await grow(log, ACCOUNT, range(1, 100))
    for job in range(100, 110):
        await grow(log, ACCOUNT, range(job, job + 1))
        await books.of(ACCOUNT)
    assert log.read == len(await MemoryEventLog.load(log, ACCOUNT))


async def test_a_kept_book_gives_the_statement_of_the_whole_history():
    """Of any period, whatever was asked before and however the account has grown since."""
    log = CountingLog()
    books = Books(log)
    for jobs in (range(1, 40), range(40, 41), range(41, 90)):
        await grow(log, ACCOUNT, jobs)
        stored = await MemoryEventLog.load(log, ACCOUNT)
        for begin, end in ((0, 500), (10, 30), (30, 41), (41, 42), (80, 80 + 1)):
            period = Period(START + timedelta(minutes=begin), START + timedelta(minutes=end))
            whole = statement_of(((event, REGISTRY.decode(event)) for event in stored), period)
            assert (await books.of(ACCOUNT)).statement(period) == whole
    assert (whole.totals.billed_ms, whole.totals.lines) == (990, 1)


async def test_books_used_longest_ago_are_let_go():
    """Two accounts fit, the third takes the place of the first; one that never fits is made anew each time."""
    log = CountingLog()
    accounts = [AggregateId(USAGE, "acme", f"prj-{n}") for n in range(4)]
    for account, jobs in zip(accounts, (30, 30, 30, 300), strict=True):
        await grow(log, account, range(1, 1 + jobs))
    one = len(await MemoryEventLog.load(log, accounts[0]))
    books = Books(log, events_kept=2 * one)
    for n in (0, 1, 0, 1, 2, 1):
        await books.of(accounts[n])
    assert log.read == 3 * one
    await books.of(accounts[0])
    assert log.read == 4 * one
    for _ in range(2):
        await books.of(accounts[3])
    assert log.read == 4 * one + 2 * len(await MemoryEventLog.load(log, accounts[3]))
