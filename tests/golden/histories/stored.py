"""Record histories of the other services as they lie in the log: `python tests/golden/histories/stored.py [NAME]`.

Headers and bytes of each event, hashes and all, and what they fold to: so formats of headers and the formula of the
chain are kept too. A history that is there is never written again.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from tapelog.common.v1.audio_pb2 import AudioFormat, AudioResult
from tapelog.notify.v1.alerts_pb2 import AlertCondition, AlertOperator, AlertRule, AlertSeverity
from tapelog.render.v1.resources_pb2 import (
    MixSpec,
    PriorityClass,
    RenderJob,
    RenderKind,
    RenderReference,
    RenderResult,
    UsageEntry,
)
from tapelog_chassis import ids
from tapelog_chassis.aggregates.versioned import Versioned
from tapelog_chassis.event_log import AggregateId, Metadata, NewEvent, StoredEvent, chain, codec
from tapelog_notify.application.alert_handlers import rule_message
from tapelog_notify.domain import alert_rule, subscription
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.main import EVENTS as NOTIFY
from tapelog_render.application.events import REGISTRY as RENDER
from tapelog_render.application.views import job_resource
from tapelog_render.domain import job as jobs
from tapelog_render.domain import usage
from tapelog_render.domain.job import Failure, Job
from tapelog_render.domain.statement import Period, statement_of
from tapelog_render.domain.usage import Account

HERE: Final = Path(__file__).parent
EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
RESULT: Final = RenderResult(
    audio=[AudioResult(sha256="a" * 64, format=AudioFormat(sample_rate_hz=48_000, length_frames=72_000))],
    engine_version="tapelog-dsp/5",
)
Decide = Callable[[Any], Sequence[Message]]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of aggregate: its registry, its state before the first event, its fold, and how it is read."""

    registry: Any
    initial: Callable[[], Any]
    evolve: Callable[[Any, Message, StoredEvent], Any]
    read: Callable[[Any, Sequence[StoredEvent]], Any]


def _statement(_: Any, events: Sequence[StoredEvent]) -> Any:
    whole = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    made = statement_of([(event, RENDER.decode(event)) for event in events], whole)
    return {"lines": [MessageToDict(line) for line in made.lines], "totals": MessageToDict(made.totals)}


KINDS: Final[dict[str, Kind]] = {
    "render_job": Kind(
        RENDER,
        Job,
        jobs.evolve,
        lambda state, events: MessageToDict(job_resource(Versioned(state, len(events), time=events[-1].time))),
    ),
    "usage_account": Kind(RENDER, Account, usage.evolve, _statement),
    "subscription": Kind(
        NOTIFY,
        subscription.Subscription,
        lambda state, message, event: subscription.evolve(state, message, event.time),
        lambda state, _: json.loads(json.dumps(dataclasses.asdict(state), default=str)),
    ),
    "alert_rule": Kind(
        NOTIFY,
        alert_rule.Rule,
        lambda state, message, event: alert_rule.evolve(state, message, event.time),
        lambda state, events: MessageToDict(rule_message("rul-1", len(events), state)),
    ),
}


def read(word: str, events: Sequence[StoredEvent]) -> Any:
    """Fold a history as the service does, and return what it reads as."""
    kind = KINDS[word]
    state = kind.initial()
    for event in events:
        state = kind.evolve(state, kind.registry.decode(event), event)
    return kind.read(state, events)


def stored(golden: dict[str, Any]) -> list[StoredEvent]:
    """Read the events of a file as the log's reader does."""
    return [
        codec.decode(golden["subject"], event["headers"], bytes.fromhex(event["data"]), position)
        for position, event in enumerate(golden["events"], start=1)
    ]


def _wanted(job: str, cycle: int) -> RenderJob:
    return RenderJob(
        name=f"renderJobs/{job}",
        kind=RenderKind.RENDER_KIND_MIX,
        mix=MixSpec(),
        priority_class=PriorityClass.PRIORITY_CLASS_STANDARD,
        reference=RenderReference(project="prj-1", song="sng-1", key="mixVersions/1", cycle=cycle),
        usage_account="prj-1",
        recipe_digest="d" * 64,
        render_digest="e" * 64,
        external_ref='Größe "7 %"',
    )


def _entry(job: str, cycle: int) -> UsageEntry:
    return UsageEntry(
        usage_key=f"key-{cycle}", account="prj-1", song="sng-1", kind=RenderKind.RENDER_KIND_MIX, quantity_ms=2000,
        reserved_ms=2000, recipe_digest="d" * 64, job=job, cycle=cycle,
    )  # fmt: skip


def _rule() -> AlertRule:
    condition = AlertCondition(field="data.job", operator=AlertOperator.ALERT_OPERATOR_EQUAL, value="job-1")
    rule = AlertRule(title="Done", severity=AlertSeverity.ALERT_SEVERITY_WARNING, conditions=[condition])
    rule.filter.types.append("tapelog.render_job.render_succeeded.v1")
    return rule


LIVES: Final[dict[str, tuple[str, AggregateId, list[Decide]]]] = {
    "job-done": (
        "render_job",
        AggregateId("render", "acme", "job-1"),
        [
            lambda job: jobs.request(job, _wanted("job-1", 1)),
            lambda job: jobs.start(job, worker="wrk-1", engine_version="tapelog-dsp/5"),
            lambda job: jobs.fail_attempt(
                job, fence=job.fence, failure=Failure("ENGINE_ERROR", "fell over"), is_final=False
            ),
            lambda job: jobs.start(job, worker="wrk-2", engine_version="tapelog-dsp/5"),
            lambda job: jobs.give_back(job, fence=job.fence),
            lambda job: jobs.start(job, worker="wrk-3", engine_version="tapelog-dsp/5"),
            lambda job: jobs.succeed(job, fence=job.fence, result=RESULT),
        ],
    ),
    "job-cancelled": (
        "render_job",
        AggregateId("render", "acme", "job-2"),
        [
            lambda job: jobs.request(job, _wanted("job-2", 2)),
            lambda job: jobs.start(job, worker="wrk-1", engine_version="tapelog-dsp/5"),
            lambda job: jobs.cancel(job, reason="another take"),
        ],
    ),
    "account": (
        "usage_account",
        AggregateId("usage", "acme", "prj-1"),
        [
            lambda account: usage.reserve(account, [_entry("job-1", 1), _entry("job-2", 2)]),
            lambda account: usage.settle(account, job="job-1", quantity_ms=1500),
            lambda account: usage.release(account, job="job-2", reason="CANCELLED"),
            lambda account: usage.adjust(account, job="job-1", adjustment_ms=-500, reason="goodwill"),
        ],
    ),
    "subscription": (
        "subscription",
        AggregateId("notify", "acme", "sub-1"),
        [
            lambda state: subscription.create(
                state, title="Billing", filter_=EventFilter(), url="https://example.test/hook", after_position=7,
                created_by="pty-admin",
            ),
            lambda state: subscription.pause(state, reason="maintenance"),
            subscription.resume,
            lambda state: subscription.rotate_secret(state, overlap=timedelta(hours=24), now=EPOCH),
            lambda state: subscription.disable(state, reason="it failed for five days"),
            subscription.resume,
        ],
    ),
    "alert-rule": (
        "alert_rule",
        AggregateId("notify", "acme", "rul-1"),
        [lambda state: alert_rule.create(state, _rule(), created_by="pty-admin")],
    ),
}  # fmt: skip


def lived(word: str, aggregate: AggregateId, decisions: Sequence[Decide]) -> list[StoredEvent]:
    """Decide and fold, one decision a second, sealed as the log seals it."""
    kind, sealed = KINDS[word], list[StoredEvent]()
    state = kind.initial()
    for number, decide in enumerate(decisions):
        request_id = ids.follow_up_request_id(f"{aggregate}/{number}", "golden")
        events = [
            NewEvent(
                event_id=ids.event_id(request_id, index),
                type=kind.registry.type_of(message),
                schema=message.DESCRIPTOR.full_name,
                data=message.SerializeToString(deterministic=True),
                time=EPOCH + timedelta(seconds=number),
            )
            for index, message in enumerate(decide(state))
        ]
        metadata = Metadata(
            actor="pty-ana", role_used="MIXING_ENGINEER", request_id=request_id, request_hash="0" * 64,
            correlation_id="cor-1", causation_id="cau-1", project="prj-1", song="sng-1", external_ref='Größe "7 %"',
        )  # fmt: skip
        before = sealed[-1].hash if sealed else chain.genesis_hash(aggregate)
        for event in chain.seal(aggregate, len(sealed), before, events, metadata):
            placed = dataclasses.replace(event, position=len(sealed) + 1)
            sealed.append(placed)
            state = kind.evolve(state, kind.registry.decode(placed), placed)
    return sealed


def main() -> None:
    """Record the histories under the name."""
    for name in sys.argv[1:2]:
        for life, (word, aggregate, decisions) in LIVES.items():
            path = HERE / f"stored-{name}-{life}.json"
            if path.exists():
                raise SystemExit(f"{path.name} is there already; a history is never written again: choose another name")
            events = lived(word, aggregate, decisions)
            lines = [{"headers": codec.encode(event), "data": event.data.hex()} for event in events]
            value = {"aggregate": word, "subject": aggregate.subject, "events": lines, "state": read(word, events)}
            path.write_text(json.dumps(value, indent=1) + "\n")
            print(f"{path.name}: {len(events)} events")  # noqa: T201 - a tool


if __name__ == "__main__":
    main()
