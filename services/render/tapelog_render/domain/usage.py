"""UsageAccount: what was reserved, settled and released, keyed by intent.

An intent is what somebody wants (account, song, recipe, kind, cycle); a claim is one job's reservation for it. Jobs
come and go, retries happen, requests are repeated: of all claims on an intent at most one is settled, and what was
reserved is always what is settled, released and still open.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import immutables
from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import UsageAdjusted, UsageReleased, UsageReserved, UsageSettled
from tapelog.render.v1.resources_pb2 import RenderKind, UsageEntry, UsageState

from tapelog_render.domain.errors import AdjustmentRefused
from tapelog_render.domain.recorded import Recorded

INTENT_SETTLED: Final = "INTENT_SETTLED"
"""Another job has fulfilled the intent; this one's work costs nothing."""


def usage_key(*, account: str, song: str, recipe_digest: str, kind: RenderKind.ValueType, cycle: int) -> str:
    """Return the key of an intent: SHA-256 (hex) of `account|song|recipe_digest|kind|cycle`."""
    text = "|".join((account, song, recipe_digest, RenderKind.Name(kind), str(cycle)))
    return hashlib.sha256(text.encode()).hexdigest()


def milliseconds(length_frames: int, sample_rate_hz: int) -> int:
    """Return a length in whole milliseconds, halves rounded up; 0 where the rate is not known."""
    if sample_rate_hz <= 0:
        return 0
    return (length_frames * 2000 + sample_rate_hz) // (2 * sample_rate_hz)


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """Sums over an account, in milliseconds.

    Attributes
    ----------
    reserved_ms : int
        All that was ever reserved.
    settled_ms, released_ms : int
        How much of it has become of settled, and of released claims.
    billed_ms : int
        What the settled renders made, whatever had been reserved for them, and what was adjusted.
    """

    reserved_ms: int = 0
    settled_ms: int = 0
    released_ms: int = 0
    billed_ms: int = 0

    @property
    def open_ms(self) -> int:
        """What is still reserved."""
        return self.reserved_ms - self.settled_ms - self.released_ms


@dataclasses.dataclass(frozen=True, slots=True)
class Settlement:
    """One settled claim: the event that settled it, and the quantity that is left after adjustments."""

    event_id: str
    quantity_ms: int


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account as its events made it.

    Attributes
    ----------
    entries : immutables.Map[int, UsageEntry]
        Claims by their number, from 0 in the order in which they were made.
    number_of : immutables.Map[str, int]
        A job's claim.
    settled_by : immutables.Map[str, str]
        The job that has fulfilled an intent, by usage key.
    settlements : immutables.Map[str, Settlement]
        What was settled, by job.
    """

    entries: "immutables.Map[int, UsageEntry]" = dataclasses.field(default_factory=immutables.Map)
    number_of: "immutables.Map[str, int]" = dataclasses.field(default_factory=immutables.Map)
    settled_by: "immutables.Map[str, str]" = dataclasses.field(default_factory=immutables.Map)
    settlements: "immutables.Map[str, Settlement]" = dataclasses.field(default_factory=immutables.Map)
    totals: Totals = dataclasses.field(default_factory=Totals)

    def claim_of(self, job: str) -> UsageEntry | None:
        """Return a job's claim, if it has one."""
        number = self.number_of.get(job)
        return None if number is None else self.entries[number]


def reserve(account: Account, wanted: Iterable[UsageEntry]) -> Sequence[Message]:
    """Reserve for jobs; nothing for a job that has a claim, and for an intent that is settled."""
    events = []
    seen: set[str] = set()
    for entry in wanted:
        if entry.job in account.number_of or entry.job in seen or entry.usage_key in account.settled_by:
            continue
        seen.add(entry.job)
        events.append(UsageReserved(entry=_with(entry, UsageState.USAGE_STATE_RESERVED, entry.reserved_ms)))
    return events


def settle(account: Account, *, job: str, quantity_ms: int) -> Sequence[Message]:
    """Settle a job's claim with what it made, or release it when the intent was settled by another job."""
    claim = _open_claim(account, job)
    if claim is None:
        return ()
    if claim.usage_key in account.settled_by:
        return (_released(claim, INTENT_SETTLED),)
    return (UsageSettled(entry=_with(claim, UsageState.USAGE_STATE_SETTLED, quantity_ms)),)


def adjust(account: Account, *, job: str, adjustment_ms: int, reason: str) -> Sequence[Message]:
    """Correct a settled quantity; raises `AdjustmentRefused`."""
    settlement = account.settlements.get(job)
    claim = account.claim_of(job)
    if settlement is None or claim is None:
        raise AdjustmentRefused("NOT_SETTLED", f"{job} has no settled usage in this account, so nothing to correct")
    left_ms = settlement.quantity_ms + adjustment_ms
    if left_ms < 0:
        raise AdjustmentRefused(
            "BELOW_ZERO",
            f"{settlement.quantity_ms} ms are billed for {job}, so {-adjustment_ms} ms cannot be taken away",
        )
    return (
        UsageAdjusted(entry=claim, adjustment_ms=adjustment_ms, reason=reason, settled_event_id=settlement.event_id),
    )


def release(account: Account, *, job: str, reason: str) -> Sequence[Message]:
    """Release a job's claim: it came to nothing and costs nothing."""
    claim = _open_claim(account, job)
    return () if claim is None else (_released(claim, reason),)


def evolve(account: Account, event: Message, recorded: Recorded) -> Account:
    """Return the account after an event."""
    totals = account.totals
    match event:
        case UsageReserved():
            entry = event.entry
            number = len(account.entries)
            return dataclasses.replace(
                account,
                entries=account.entries.set(number, entry),
                number_of=account.number_of.set(entry.job, number),
                totals=dataclasses.replace(totals, reserved_ms=totals.reserved_ms + entry.reserved_ms),
            )
        case UsageSettled():
            entry = event.entry
            return dataclasses.replace(
                account,
                entries=account.entries.set(account.number_of[entry.job], entry),
                settled_by=account.settled_by.set(entry.usage_key, entry.job),
                settlements=account.settlements.set(entry.job, Settlement(recorded.event_id, entry.quantity_ms)),
                totals=dataclasses.replace(
                    totals,
                    settled_ms=totals.settled_ms + entry.reserved_ms,
                    billed_ms=totals.billed_ms + entry.quantity_ms,
                ),
            )
        case UsageAdjusted():
            job, adjustment_ms = event.entry.job, event.adjustment_ms
            before = account.settlements[job]
            after = dataclasses.replace(before, quantity_ms=before.quantity_ms + adjustment_ms)
            return dataclasses.replace(
                account,
                settlements=account.settlements.set(job, after),
                totals=dataclasses.replace(totals, billed_ms=totals.billed_ms + adjustment_ms),
            )
        case UsageReleased():
            entry = event.entry
            return dataclasses.replace(
                account,
                entries=account.entries.set(account.number_of[entry.job], entry),
                totals=dataclasses.replace(totals, released_ms=totals.released_ms + entry.reserved_ms),
            )
    raise TypeError(f"{type(event).__name__} is no event of a usage account")


def _open_claim(account: Account, job: str) -> UsageEntry | None:
    claim = account.claim_of(job)
    return claim if claim is not None and claim.state == UsageState.USAGE_STATE_RESERVED else None


def _released(claim: UsageEntry, reason: str) -> UsageReleased:
    return UsageReleased(entry=_with(claim, UsageState.USAGE_STATE_RELEASED, 0), reason=reason)


def _with(entry: UsageEntry, state: UsageState.ValueType, quantity_ms: int) -> UsageEntry:
    changed = UsageEntry()
    changed.CopyFrom(entry)
    changed.state = state
    changed.quantity_ms = quantity_ms
    return changed
