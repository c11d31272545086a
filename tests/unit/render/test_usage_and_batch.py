"""The usage account and the batch."""

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message
from tapelog.render.v1.events_pb2 import UsageReleased, UsageSettled
from tapelog.render.v1.resources_pb2 import RenderKind, RenderReference, UsageEntry, UsageState
from tapelog_render.domain import batch as batches
from tapelog_render.domain import usage
from tapelog_render.domain.errors import BatchExists, BatchSizeRefused


@dataclasses.dataclass(frozen=True)
class At:
    sequence: int
    event_id: str = "evt-1"
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    metadata: None = None


def fold(account: usage.Account, events: Sequence[Message]) -> usage.Account:
    """Take decided events in."""
    for event in events:
        account = usage.evolve(account, event, At(1))
    return account


def claim(job: str, key: str = "k1", reserved_ms: int = 1000) -> UsageEntry:
    """Make a claim to reserve."""
    return UsageEntry(job=job, usage_key=key, account="prj-a", reserved_ms=reserved_ms)


def test_the_usage_key_is_the_published_digest_of_the_intent():
    """Anyone can compute the key from the five values and SHA-256."""
    expected = hashlib.sha256(b"prj-a|sng-a|abc|RENDER_KIND_MASTER|2").hexdigest()
    kind = RenderKind.RENDER_KIND_MASTER
    assert expected == usage.usage_key(account="prj-a", song="sng-a", recipe_digest="abc", kind=kind, cycle=2)


@pytest.mark.parametrize(
    ("frames", "rate_hz", "expected_ms"),
    [
        (48000, 48000, 1000),
        (1, 48000, 0),
        (24, 48000, 1),
        (22050, 44100, 500),
        (44100 * 3600, 44100, 3_600_000),
        (9, 0, 0),
    ],
)
def test_lengths_become_whole_milliseconds(frames: int, rate_hz: int, expected_ms: int):
    """Halves are rounded up; an unknown rate gives 0."""
    assert expected_ms == usage.milliseconds(frames, rate_hz)


def test_a_settled_claim_bills_what_was_made():
    """The final quantity replaces the expected one; the reservation stays visible."""
    account = fold(usage.Account(), usage.reserve(usage.Account(), [claim("job-a")]))
    account = fold(account, usage.settle(account, job="job-a", quantity_ms=1234))
    entry = account.claim_of("job-a")
    assert entry is not None
    assert (entry.state, entry.quantity_ms, entry.reserved_ms) == (UsageState.USAGE_STATE_SETTLED, 1234, 1000)
    assert account.totals == usage.Totals(reserved_ms=1000, settled_ms=1000, billed_ms=1234)


def test_two_jobs_of_one_intent_are_billed_once():
    """The second success of an intent releases its claim."""
    account = fold(usage.Account(), usage.reserve(usage.Account(), [claim("job-a"), claim("job-b")]))
    account = fold(account, usage.settle(account, job="job-b", quantity_ms=900))
    (event,) = usage.settle(account, job="job-a", quantity_ms=900)
    assert isinstance(event, UsageReleased)
    assert event.reason == usage.INTENT_SETTLED
    account = fold(account, [event])
    assert account.totals.billed_ms == 900
    assert account.totals.open_ms == 0


def test_an_intent_can_be_tried_again_after_its_job_failed():
    """Reserve, release, reserve, settle: the retry of a failed job is billed, once."""
    account = fold(usage.Account(), usage.reserve(usage.Account(), [claim("job-a")]))
    account = fold(account, usage.release(account, job="job-a", reason="RENDER_FAILED"))
    account = fold(account, usage.reserve(account, [claim("job-b")]))
    (event,) = usage.settle(account, job="job-b", quantity_ms=1000)
    assert isinstance(event, UsageSettled)


def test_a_settled_intent_reserves_nothing_more():
    """A third request for what is paid holds nothing back."""
    account = fold(usage.Account(), usage.reserve(usage.Account(), [claim("job-a")]))
    account = fold(account, usage.settle(account, job="job-a", quantity_ms=1000))
    assert usage.reserve(account, [claim("job-c")]) == []


def test_a_redelivered_outcome_changes_nothing():
    """Settle and release of a claim that is closed, or unknown, make no event."""
    account = fold(usage.Account(), usage.reserve(usage.Account(), [claim("job-a")]))
    account = fold(account, usage.settle(account, job="job-a", quantity_ms=1000))
    assert usage.settle(account, job="job-a", quantity_ms=1000) == ()
    assert usage.release(account, job="job-a", reason="CANCELLED") == ()
    assert usage.settle(account, job="job-x", quantity_ms=1) == ()


def test_a_batch_names_one_to_a_hundred_jobs_once():
    """Empty, oversized and repeating batches are refused, with the limit in the message."""
    reference = RenderReference(project="prj-a")
    for ids in ([], [f"job-{n}" for n in range(301)], ["job-a", "job-a"]):
        with pytest.raises(BatchSizeRefused):
            batches.request(batches.Batch(), jobs=ids, reference=reference)
    (event,) = batches.request(batches.Batch(), jobs=["job-a", "job-b"], reference=reference)
    batch = batches.evolve(batches.Batch(), event, None)
    assert batch == batches.Batch(("job-a", "job-b"), reference)
    with pytest.raises(BatchExists):
        batches.request(batch, jobs=["job-c"], reference=reference)
