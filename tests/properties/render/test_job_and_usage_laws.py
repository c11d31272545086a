"""Laws of jobs and usage that hold for every order of commands, kills and redeliveries."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog.render.v1.events_pb2 import (
    RenderCancelled,
    RenderFailed,
    RenderStarted,
    RenderSucceeded,
    UsageReleased,
    UsageReserved,
    UsageSettled,
)
from tapelog.render.v1.resources_pb2 import RenderJob, RenderResult, UsageEntry
from tapelog_render.domain import job as jobs
from tapelog_render.domain import usage
from tapelog_render.domain.errors import RenderRuleError

TERMINAL = (RenderSucceeded, RenderFailed, RenderCancelled)
FAILURE = jobs.Failure("ENGINE_KILLED", "…")


@dataclasses.dataclass(frozen=True)
class By:
    correlation_id: str = ""
    actor: str = ""


@dataclasses.dataclass(frozen=True)
class At:
    sequence: int
    event_id: str = ""
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    metadata: By = By()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(["wrk-a", "wrk-b", "wrk-c"])),
        st.tuples(st.sampled_from(["succeed", "fail", "fail_final", "give_back"]), st.integers(0, 12)),
        st.tuples(st.sampled_from(["cancel", "abandon"]), st.just(0)),
    ),
    max_size=30,
)


def decided(job: jobs.Job, step: tuple[str, object], fences: list[int]):
    """Decide one step; a worker's step presents the fence of one of the attempts there ever were."""
    name, argument = step
    fence = fences[argument % len(fences)] if isinstance(argument, int) and fences else -1
    match name:
        case "start":
            return jobs.start(job, worker=str(argument), engine_version="e")
        case "succeed":
            return jobs.succeed(job, fence=fence, result=RenderResult())
        case "fail":
            return jobs.fail_attempt(job, fence=fence, failure=FAILURE, is_final=False)
        case "fail_final":
            return jobs.fail_attempt(job, fence=fence, failure=FAILURE, is_final=True)
        case "give_back":
            return jobs.give_back(job, fence=fence)
        case "cancel":
            return jobs.cancel(job, reason="")
    return jobs.abandon(job, FAILURE)


@settings(max_examples=400, deadline=None)
@given(steps)
def test_a_job_has_at_most_one_outcome_and_it_comes_last(commands: list[tuple[str, object]]):
    """Whatever workers, zombies and people try: one outcome at most, nothing after it, three counted attempts."""
    history = [*jobs.request(jobs.Job(), RenderJob())]
    job = jobs.evolve(jobs.Job(), history[0], At(1))
    fences: list[int] = []
    for command in commands:
        try:
            events = decided(job, command, fences)
        except RenderRuleError:
            continue
        for event in events:
            history.append(event)
            job = jobs.evolve(job, event, At(len(history)))
            if isinstance(event, RenderStarted):
                fences.append(len(history))
    outcomes = [n for n, event in enumerate(history) if isinstance(event, TERMINAL)]
    assert len(outcomes) <= 1
    assert outcomes in ([], [len(history) - 1])
    assert job.has_ended == bool(outcomes)
    assert job.attempts - job.excused <= jobs.ATTEMPTS_MAX
    assert job.attempts == sum(isinstance(event, RenderStarted) for event in history)
    # An event's result is of the attempt that recorded it: fences only ever grow.
    assert fences == sorted(set(fences))


claims = st.tuples(st.integers(0, 7), st.integers(0, 2), st.integers(0, 5000))
ledger_steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.lists(claims, min_size=1, max_size=3)),
        st.tuples(st.just("settle"), st.tuples(st.integers(0, 7), st.integers(0, 9000))),
        st.tuples(st.just("release"), st.integers(0, 7)),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(ledger_steps)
def test_the_sums_of_an_account_always_agree_and_no_intent_is_settled_twice(commands: list[tuple[str, Any]]):
    """Recomputed from the bare events: reserved = settled + released + open, and one settlement per key at most."""
    account = usage.Account()
    history = []
    keys: dict[int, int] = {}
    for name, argument in commands:
        if name == "reserve":
            # A job has one intent for life, as in the service.
            wanted = [
                UsageEntry(job=f"job-{job}", usage_key=f"key-{keys.setdefault(job, key)}", reserved_ms=reserved_ms)
                for job, key, reserved_ms in argument
            ]
            events = usage.reserve(account, wanted)
        elif name == "settle":
            events = usage.settle(account, job=f"job-{argument[0]}", quantity_ms=argument[1])
        else:
            events = usage.release(account, job=f"job-{argument}", reason="CANCELLED")
        for event in events:
            history.append(event)
            account = usage.evolve(account, event, At(1))

    def reserved_ms(kind: type) -> int:
        return sum(event.entry.reserved_ms for event in history if isinstance(event, kind))

    settled = [event.entry for event in history if isinstance(event, UsageSettled)]
    assert len({entry.usage_key for entry in settled}) == len(settled)
    open_ms = reserved_ms(UsageReserved) - reserved_ms(UsageSettled) - reserved_ms(UsageReleased)
    assert open_ms >= 0
    assert account.totals.open_ms == open_ms
    assert account.totals.billed_ms == sum(entry.quantity_ms for entry in settled)
    jobs_closed = [event.entry.job for event in history if isinstance(event, UsageSettled | UsageReleased)]
    assert len(set(jobs_closed)) == len(jobs_closed)


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=12), st.integers(0, 63))
def test_the_order_and_the_redelivery_of_outcomes_never_change_the_bill(
    order: list[int], repeats: list[int], failed_bits: int
):
    """Six jobs of one intent end in any order, some twice: one settlement if any succeeded, none otherwise."""
    account = usage.Account()
    entries = [UsageEntry(job=f"job-{n}", usage_key="k", reserved_ms=100) for n in range(6)]
    settled = []
    for event in usage.reserve(account, entries):
        account = usage.evolve(account, event, At(1))
    for n in [*order, *repeats]:
        if failed_bits >> n & 1:
            events = usage.release(account, job=f"job-{n}", reason="FAILED")
        else:
            events = usage.settle(account, job=f"job-{n}", quantity_ms=90)
        for event in events:
            settled += [event] if isinstance(event, UsageSettled) else []
            account = usage.evolve(account, event, At(1))
    assert len(settled) == (failed_bits != 63)
    assert account.totals.open_ms == 0
