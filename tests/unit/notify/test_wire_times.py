"""Times and durations that protobuf lets a message hold and that are none: refused by their field."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from tapelog.notify.v1 import alerts_pb2, events_pb2, notify_service_pb2
from tapelog_chassis.errors import InvalidArgument
from tapelog_notify.adapters.translate import overlap_of
from tapelog_notify.domain.alert_rule import _check_when
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.domain.public_event import PublicEvent, data_as_json, to_json

NO_DURATIONS = [
    Duration(seconds=2**63 - 1),
    Duration(seconds=-(2**63)),
    Duration(seconds=1, nanos=2**31 - 1),
    Duration(seconds=5, nanos=-5),
]


@pytest.mark.parametrize("duration", NO_DURATIONS, ids=str)
def test_an_overlap_that_is_none_is_refused_by_its_field(duration: Any):
    """Of a request to rotate a secret."""
    with pytest.raises(InvalidArgument) as refused:
        overlap_of(notify_service_pb2.RotateSecretRequest(overlap=duration))
    assert [field.field for field in refused.value.fields] == ["overlap"]


@pytest.mark.parametrize("duration", NO_DURATIONS, ids=str)
def test_a_rule_whose_spans_are_none_is_refused_by_their_field(duration: Any):
    """Window, absence and quiet time."""
    for rule, field in (
        (alerts_pb2.AlertRule(threshold={"window": duration}), "rule.threshold.window"),
        (
            alerts_pb2.AlertRule(absence={"after": duration, "until_types": ["tapelog.song.song_created.v1"]}),
            "rule.absence.after",
        ),
        (alerts_pb2.AlertRule(dedup_window=duration), "rule.dedup_window"),
    ):
        with pytest.raises(InvalidValue) as refused:
            _check_when(rule)
        assert refused.value.field == field


def test_an_event_that_has_no_json_goes_out_without_its_data():
    """What was stored before such values were refused holds up no webhook and no alert: the link to it is there."""
    rule = alerts_pb2.AlertRule(name="alertRules/alr-1", threshold={"window": Duration(seconds=1, nanos=2**31 - 1)})
    stored = events_pb2.AlertRuleCreated(rule=rule)
    event = PublicEvent(
        position=7,
        id="e-1",
        type="tapelog.alert_rule.alert_rule_created.v1",
        source="/tapelog/notify",
        aggregate="alr-1",
        sequence=1,
        time=datetime(2026, 5, 3, tzinfo=UTC),
        schema=stored.DESCRIPTOR.full_name,
        data=stored.SerializeToString(),
        tenant="local",
        project="",
        song="",
        actor="pty-ana",
        on_behalf_of="",
        role_used="",
        correlation_id="",
        causation_id="",
    )
    assert data_as_json(event) is None
    body = json.loads(to_json(event))
    assert "data" not in body
    assert body["dataref"] == "tapelog:events/7"
