"""Alert rules against events and a clock of the test's own."""

import dataclasses
import math
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message
from tapelog.common.v1 import audio_pb2
from tapelog.notify.v1 import alerts_pb2 as pb
from tapelog.notify.v1 import events_pb2
from tapelog.render.v1 import events_pb2 as render
from tapelog.render.v1 import resources_pb2 as res
from tapelog.session.v1 import events_pb2 as session
from tapelog.session.v1 import resources_pb2 as session_res
from tapelog_chassis.clock import FakeClock
from tapelog_client.alerts import load_rules
from tapelog_desk import analyze_file
from tapelog_notify.domain import alert as alerts
from tapelog_notify.domain import alert_rule as rules
from tapelog_notify.domain.alert import Alert
from tapelog_notify.domain.alert_detector import Detector
from tapelog_notify.domain.alert_rule import Rule, text_of
from tapelog_notify.domain.errors import InvalidValue, UnknownResource, WrongState
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.domain.wording import message_of

RULES = Path(__file__).parents[3] / "examples" / "alerts" / "rules.yaml"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
FAILED = "tapelog.render_job.render_failed.v1"


def detector(rule: pb.AlertRule) -> Detector:
    """Make a detector of a rule created at the start."""
    rule.severity = rule.severity or pb.ALERT_SEVERITY_WARNING
    rule.title = rule.title or "a rule"
    (created,) = rules.create(Rule(), rule, created_by="pty-ana")
    return Detector("alr-1", rules.evolve(Rule(), created, START))


def event(
    type_: str, message: Message, minutes: float, *, song: str = "sng-1", aggregate: str = "agg-1"
) -> PublicEvent:
    """Return an event some minutes after the start."""
    return PublicEvent(
        id=f"{type_}/{song}/{aggregate}/{minutes}", type=type_, source="/tapelog/x",
        time=START + timedelta(minutes=minutes), tenant="acme", project="prj-1", song=song, aggregate=aggregate,
        sequence=1, position=1, actor="pty-ana", on_behalf_of="", role_used="", correlation_id="", causation_id="",
        schema=message.DESCRIPTOR.full_name, data=message.SerializeToString(),
    )  # fmt: skip


def absence(filter_: str, until: list[str], after: timedelta, **more: object) -> pb.AlertRule:
    """Return a rule on what does not happen."""
    rule = pb.AlertRule(absence=pb.AlertAbsence(until_types=until), **more)  # type: ignore[arg-type]
    rule.filter.types.append(filter_)
    rule.absence.after.FromTimedelta(after)
    return rule


def test_a_failed_render_is_told_with_its_reason() -> None:
    """One matching event is enough; the template gets the event's own values."""
    watch = detector(
        pb.AlertRule(filter={"types": [FAILED]}, template="{data.reason} on {song} after {data.attempts} attempts")
    )
    failed = render.RenderFailed(attempts=3, reason="SOURCE_TRUNCATED")
    assert watch.on_event(event("tapelog.render_job.render_started.v1", render.RenderStarted(), 1)) == []
    (finding,) = watch.on_event(event(FAILED, failed, 2))
    assert finding.raised is not None
    assert finding.raised.text == "SOURCE_TRUNCATED on sng-1 after 3 attempts"
    # What happened before there was the rule is not its business.
    assert watch.on_event(event(FAILED, failed, -1)) == []


def test_a_gate_that_waits_for_the_artist_longer_than_a_day() -> None:
    """Nothing at 23 h 59 min, an alert at 24 h, once; an answer in time, on that song alone, says nothing."""
    clock = FakeClock(START)
    until = ["tapelog.song.version_approval_given.v1", "tapelog.song.changes_requested.v1"]
    watch = detector(
        absence(
            "tapelog.song.version_submitted_for_review.v1", until, timedelta(hours=24), template="{song}: {waited_h} h"
        )
    )
    submitted = session.VersionSubmittedForReview(number=2)
    for song in ("sng-1", "sng-2"):
        watch.on_event(event("tapelog.song.version_submitted_for_review.v1", submitted, 0, song=song))
    clock.advance(23 * 3600 + 59 * 60)
    assert watch.due(clock.now()) == []
    closing = watch.on_event(event(until[1], session.ChangesRequested(), 1439, song="sng-2"))
    assert [(item.key, item.raised) for item in closing] == [("sng-2", None)]
    clock.advance(60)
    (late,) = watch.due(clock.now())
    assert (late.key, late.raised and late.raised.text) == ("sng-1", "sng-1: 24.0 h")
    clock.advance(86400)
    assert watch.due(clock.now()) == []


def test_a_queue_wait_is_told_per_job() -> None:
    """Grouped by the job, two jobs of one song are two waits."""
    watch = detector(
        absence(
            "tapelog.render_job.render_requested.v1",
            ["tapelog.render_job.render_started.v1", "tapelog.render_job.render_cancelled.v1"],
            timedelta(minutes=10),
            group_by="aggregate",
        )
    )
    for job in ("job-1", "job-2"):
        watch.on_event(event("tapelog.render_job.render_requested.v1", render.RenderRequested(), 0, aggregate=job))
    watch.on_event(event("tapelog.render_job.render_started.v1", render.RenderStarted(), 9, aggregate="job-1"))
    assert [item.key for item in watch.due(START + timedelta(minutes=10))] == ["job-2"]


@pytest.mark.parametrize(("peak", "kind", "is_told"), [(-0.4, 3, True), (-1.0, 3, False), (-0.4, 2, False)])
def test_a_true_peak_over_the_ceiling_in_a_master(peak: float, kind: int, *, is_told: bool) -> None:
    """Numbers are compared as numbers, in every item of a list, and both conditions must hold."""
    path = "data.result.audio.*.measurements.true_peak_dbtp"
    watch = detector(
        pb.AlertRule(
            filter={"types": ["tapelog.render_job.render_succeeded.v1"]},
            conditions=[
                pb.AlertCondition(field="data.kind", operator="ALERT_OPERATOR_EQUAL", value="RENDER_KIND_MASTER"),
                pb.AlertCondition(field=path, operator="ALERT_OPERATOR_GREATER", value="-1.0"),
            ],
            template=f"peaks {{{path}}} dBTP",
        )
    )
    audio = [audio_pb2.AudioResult(measurements={"true_peak_dbtp": value}) for value in (-3.0, peak)]
    done = render.RenderSucceeded(kind=kind, result=res.RenderResult(audio=audio))
    found = watch.on_event(event("tapelog.render_job.render_succeeded.v1", done, 1))
    assert [item.raised.text for item in found if item.raised] == (["peaks -3, -0.4 dBTP"] if is_told else [])


@pytest.mark.parametrize(("amplitude", "is_told"), [(0.99, True), (0.85, False)])
def test_a_true_peak_over_the_ceiling_in_a_delivered_master(tmp_path: Path, amplitude: float, *, is_told: bool) -> None:
    """A tone whose samples stay 3 dB under its peak is measured in its file; only the one over -1 dBTP is told."""
    frames = np.arange(48_000)
    tone = amplitude * np.sin(2 * np.pi * frames / 4 + np.pi / 4)
    fade = np.minimum(1.0, np.minimum(frames, frames[::-1]) / 4800)
    path = tmp_path / "master.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((tone * fade * 32767).round().astype("<i2").tobytes())
    measured = analyze_file(path).measurements
    assert measured.sample_peak_dbfs < -3.0
    truth_db = 20 * math.log10(amplitude)
    assert measured.true_peak_dbtp == pytest.approx(truth_db, abs=0.1)
    delivered = session_res.DeliveryFile(
        role="master",
        true_peak_dbtp=measured.true_peak_dbtp,
        ceiling_dbtp=-1.0,
        over_ceiling_db=max(0.0, measured.true_peak_dbtp + 1.0),
    )
    (rule,) = [rule for rule in load_rules(RULES) if "delivered master" in rule.title]
    built = session.DeliveryBuilt(files=[session_res.DeliveryFile(role="recipe"), delivered])
    found = detector(rule).on_event(event("tapelog.delivery_package.delivery_built.v1", built, 1, aggregate="dlv-1"))
    texts = [item.raised.text for item in found if item.raised]
    over = measured.true_peak_dbtp + 1.0
    expected = (
        f"delivery dlv-1 of sng-1: masters peak at {text_of(measured.true_peak_dbtp)} dBTP, "
        f"over the ceiling by {text_of(over)} dB"
    )
    assert texts == ([expected] if is_told else [])


def test_so_many_within_a_window() -> None:
    """Three within ten minutes are an alert; three spread wider are none, and each counts once."""
    rule = pb.AlertRule(filter={"types": [FAILED]}, threshold={"count": 3})
    rule.threshold.window.FromTimedelta(timedelta(minutes=10))
    watch = detector(rule)
    told = [bool(watch.on_event(event(FAILED, render.RenderFailed(), minute))) for minute in (0, 6, 12, 15, 16, 17, 18)]
    assert told == [False, False, False, True, False, False, True]


def raised(
    state: Alert, minutes: float, *, happened: float | None = None, dedup: timedelta = timedelta(hours=1)
) -> Alert:
    """Raise an alert some minutes after the start."""
    now = START + timedelta(minutes=minutes)
    at = now if happened is None else START + timedelta(minutes=happened)
    for item in alerts.raise_(state, events_pb2.AlertRaised(title="t"), happened=at, now=now, dedup=dedup):
        state = alerts.evolve(state, item, now)
    return state


def step(state: Alert, decided: object, minutes: float) -> Alert:
    """Take decided events in."""
    for item in decided:  # type: ignore[attr-defined]
        state = alerts.evolve(state, item, START + timedelta(minutes=minutes))
    return state


def test_an_alert_is_raised_once_an_hour_snoozed_and_resolved() -> None:
    """Dedup while open; silence while snoozed; after it is resolved only what happens later raises it."""
    state = raised(Alert(), 0)
    assert raised(state, 59).raised == 1
    assert raised(state, 60).raised == 2
    now = START + timedelta(minutes=60)
    silent = step(state, alerts.snooze(state, until=now + timedelta(hours=2), now=now, reason=""), 60)
    assert alerts.state_of(silent, now) == pb.ALERT_STATE_SNOOZED
    assert raised(silent, 179).raised == 1
    assert raised(silent, 180).raised == 2
    over = step(silent, alerts.resolve(silent, reason="done"), 90)
    assert alerts.state_of(over, now) == pb.ALERT_STATE_RESOLVED
    assert not raised(over, 95, happened=80).is_open
    assert raised(over, 95, happened=94).is_open
    assert alerts.resolve(over, reason="again") == ()
    assert alerts.close(raised(over, 95), happened=START, reason="older") == ()
    for refused, call in (
        (UnknownResource, lambda: alerts.resolve(Alert(), reason="")),
        (WrongState, lambda: alerts.snooze(over, until=now + timedelta(days=1), now=now, reason="")),
        (InvalidValue, lambda: alerts.snooze(state, until=now, now=now, reason="")),
    ):
        with pytest.raises(refused):
            call()


def _rule(**changes: object) -> pb.AlertRule:
    base: dict[str, object] = {
        "title": "t", "severity": "ALERT_SEVERITY_INFO", "filter": {"types": ["tapelog.song.*"]},
    }  # fmt: skip
    return pb.AlertRule(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (_rule(title=""), "rule.title"),
        (_rule(severity=0), "rule.severity"),
        (_rule(filter={}), "rule.filter.types"),
        (_rule(filter={"types": ["tapelog.alert.*"]}), "rule.filter.types"),
        (_rule(conditions=[{"field": "data[0]", "operator": 1}]), "rule.conditions[0].field"),
        (_rule(conditions=[{"field": "song"}]), "rule.conditions[0].operator"),
        (_rule(conditions=[{"field": "data.x", "operator": 3, "value": "loud"}]), "rule.conditions[0].value"),
        (_rule(threshold={"count": 5}), "rule.threshold"),
        (_rule(absence={"until_types": ["tapelog.song.*"]}), "rule.absence"),
        (_rule(absence={"after": timedelta(hours=1)}), "rule.absence"),
        (_rule(absence={"until_types": ["tapelog.song.*"], "after": timedelta(days=8)}), "rule.absence"),
        (_rule(group_by="Song!"), "rule.group_by"),
        (_rule(template="x" * 1001), "rule.template"),
    ],
    ids=range(13),
)
def test_a_rule_that_cannot_work_is_refused_with_its_field(rule: pb.AlertRule, field: str) -> None:
    """Each mistake is told where it is."""
    with pytest.raises(InvalidValue) as refused:
        rules.check(rule)
    assert refused.value.field == field


def test_the_example_rules_are_rules() -> None:
    """Every rule that people begin with passes the check and says what it is about."""
    found = load_rules(RULES)
    assert len(found) == 7
    for rule in found:
        rules.check(rule)
        assert "{song}" in rule.template


def test_no_event_ends_a_mails_header() -> None:
    """A title of several lines becomes one."""
    alert = events_pb2.AlertRaised(title="a\r\nBcc: x@example.com", severity=pb.ALERT_SEVERITY_CRITICAL, text="t")
    title, text = message_of(dataclasses.replace(event("tapelog.alert.alert_raised.v1", alert, 0)))
    assert title == "[CRITICAL] a Bcc: x@example.com"
    assert text.startswith("t\n")


def test_overdue_approvals_and_returned_deliveries_are_told() -> None:
    """The example rules say who is waited for, and why a package came back."""
    overdue = session.ApprovalDeadlineMissed(
        kind=session_res.VERSION_KIND_MIX, number=2, missing=[session_res.ROLE_ARTIST]
    )
    returned = session.DeliveryReturned(comment="vocal too low", returned_by="lou")
    for title, type_, fact, words in (
        ("overdue", "tapelog.song.approval_deadline_missed.v1", overdue, ("2 of sng-1", "ARTIST")),
        ("returned", "tapelog.delivery_package.delivery_returned.v1", returned, ("dlv-1 of sng-1", "vocal too low")),
    ):
        (rule,) = [rule for rule in load_rules(RULES) if title in rule.title]
        (found,) = detector(rule).on_event(event(type_, fact, 1, aggregate="dlv-1"))
        assert all(word in found.raised.text for word in words)
