"""The AlertRule aggregate: a rule as data, checked once, matched against events ever after."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from tapelog.notify.v1 import alerts_pb2, events_pb2

from .errors import InvalidValue, UnknownResource
from .event_filter import EventFilter
from .subscription import filter_of
from .threads import wanted_thread

TITLE_CHARS_MAX: Final = 200
TEMPLATE_CHARS_MAX: Final = 1000
TEXT_CHARS_MAX: Final = 2000
CONDITIONS_MAX: Final = 16
COUNT_MAX: Final = 1000
SPAN_MAX: Final = timedelta(days=7)
"""Longest window and absence: how far back rules look after a restart."""
DEDUP_DEFAULT: Final = timedelta(hours=1)
ITEMS_MAX: Final = 100
"""Values at one path that a condition looks at."""

_PATH: Final = re.compile(r"[a-z][a-z0-9_]*(\.([a-z][a-z0-9_]*|\*)){0,9}")
_FIELD: Final = re.compile(r"\{([^{}]{1,200})\}")
_NUMERIC: Final = frozenset({alerts_pb2.ALERT_OPERATOR_GREATER, alerts_pb2.ALERT_OPERATOR_LESS})


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A rule as its events made it.

    Attributes
    ----------
    proto
        What its creator wrote.
    until
        Types that close an absence; empty for a rule that counts.
    """

    exists: bool = False
    proto: alerts_pb2.AlertRule = field(default_factory=alerts_pb2.AlertRule)
    filter: EventFilter = field(default_factory=EventFilter)
    until: EventFilter = field(default_factory=EventFilter)
    create_time: datetime | None = None

    @property
    def is_absence(self) -> bool:
        """Whether it waits for what does not happen."""
        return self.proto.HasField("absence")

    @property
    def span(self) -> timedelta:
        """The window of a threshold, or the time of an absence."""
        part = self.proto.absence.after if self.is_absence else self.proto.threshold.window
        return part.ToTimedelta()

    @property
    def count(self) -> int:
        """How many events make an alert."""
        return max(1, self.proto.threshold.count)

    @property
    def dedup(self) -> timedelta:
        """How long an open alert is not raised again."""
        return self.proto.dedup_window.ToTimedelta() if self.proto.HasField("dedup_window") else DEDUP_DEFAULT

    @property
    def group_by(self) -> str:
        """Path of the value that tells alerts apart."""
        return self.proto.group_by or "song"


def create(state: Rule, wanted: alerts_pb2.AlertRule, *, created_by: str) -> Sequence[Message]:
    """Create a rule; `InvalidValue` names what is wrong with it."""
    if state.create_time is not None:
        raise InvalidValue("request_id", "RULE_EXISTS", "made a rule already; a new one needs a new request_id")
    check(wanted)
    return (events_pb2.AlertRuleCreated(rule=wanted, created_by=created_by),)


def delete(state: Rule) -> Sequence[Message]:
    """Remove a rule for good."""
    if not state.exists:
        raise UnknownResource("there is no such alert rule; it may have been deleted")
    return (events_pb2.AlertRuleDeleted(),)


def evolve(state: Rule, event: Message, time: datetime) -> Rule:
    """Return the state after an event."""
    match event:
        case events_pb2.AlertRuleCreated(rule=rule):
            return Rule(
                exists=True,
                proto=rule,
                filter=filter_of(rule.filter),
                until=EventFilter(types=tuple(rule.absence.until_types)),
                create_time=time,
            )
        case events_pb2.AlertRuleDeleted():
            return Rule(create_time=state.create_time, proto=state.proto)
    raise TypeError(f"{type(event).__name__} is not an event of an alert rule")


def check(rule: alerts_pb2.AlertRule) -> None:
    """Refuse (`InvalidValue`) a rule that could never fire, or fire for ever."""
    if not 0 < len(rule.title) <= TITLE_CHARS_MAX:
        raise InvalidValue("rule.title", "TITLE_LENGTH", f"has {len(rule.title)} characters; give 1 to 200")
    if rule.severity not in alerts_pb2.AlertSeverity.values() or not rule.severity:
        raise InvalidValue("rule.severity", "SEVERITY_MISSING", "is not INFO, WARNING or CRITICAL")
    known = EventFilter.of(
        projects=list(rule.filter.projects),
        songs=list(rule.filter.songs),
        types=list(rule.filter.types),
        thread=wanted_thread(rule.filter.thread),
    )
    if any(type_.startswith("tapelog.alert") for type_ in known.known_types()):
        raise InvalidValue("rule.filter.types", "ALERTS_OF_ALERTS", "lets alerts through; name the types to look at")
    if len(rule.conditions) > CONDITIONS_MAX:
        raise InvalidValue("rule.conditions", "TOO_MANY", f"has {len(rule.conditions)} conditions; give at most 16")
    for index, condition in enumerate(rule.conditions):
        _check_condition(f"rule.conditions[{index}]", condition)
    if rule.group_by and not _PATH.fullmatch(rule.group_by):
        raise InvalidValue("rule.group_by", "INVALID_PATH", f"{rule.group_by[:64]!r} is not a path such as 'song'")
    if len(rule.template) > TEMPLATE_CHARS_MAX:
        raise InvalidValue("rule.template", "TOO_LONG", f"has {len(rule.template)} characters; give at most 1000")
    _check_when(rule)


def _check_condition(where: str, condition: alerts_pb2.AlertCondition) -> None:
    if not _PATH.fullmatch(condition.field):
        raise InvalidValue(f"{where}.field", "INVALID_PATH", f"{condition.field[:64]!r} is not a path")
    if condition.operator not in alerts_pb2.AlertOperator.values() or not condition.operator:
        raise InvalidValue(f"{where}.operator", "OPERATOR_MISSING", "is not set")
    if condition.operator in _NUMERIC and number_of(condition.value) is None:
        raise InvalidValue(
            f"{where}.value", "NOT_A_NUMBER", f"{condition.value[:64]!r} is not a number to compare with"
        )


def _check_when(rule: alerts_pb2.AlertRule) -> None:
    if rule.HasField("absence"):
        EventFilter.of(types=list(rule.absence.until_types))
        after = _span(rule.absence.after, "rule.absence.after")
        if not rule.absence.until_types or not timedelta(0) < after <= SPAN_MAX:
            raise InvalidValue("rule.absence", "INVALID_ABSENCE", "needs until_types, and after of up to 7 days")
    count, window = rule.threshold.count, _span(rule.threshold.window, "rule.threshold.window")
    if not 0 <= count <= COUNT_MAX or not timedelta(0) <= window <= SPAN_MAX or (count > 1 and not window):
        raise InvalidValue(
            "rule.threshold", "INVALID_THRESHOLD", f"needs a count of 0 to {COUNT_MAX} within a window of up to 7 days"
        )
    if not timedelta(0) <= _span(rule.dedup_window, "rule.dedup_window") <= SPAN_MAX:
        raise InvalidValue("rule.dedup_window", "INVALID_TIME", "is outside 0 s to 7 days")


def _span(duration: Duration, field: str) -> timedelta:
    """Return a duration of the wire, which may hold what is none."""
    try:
        duration.ToJsonString()  # which refuses nanoseconds beyond a second, and another sign than the seconds'
        return duration.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidValue(field, "INVALID_TIME", "is not a duration") from None


def holds(condition: alerts_pb2.AlertCondition, values: Mapping[str, Any]) -> bool:
    """Say whether a condition holds for an event, given as a tree."""
    return any(_compare(condition, value) for value in lookup(values, condition.field))


def _compare(condition: alerts_pb2.AlertCondition, value: Any) -> bool:
    text = text_of(value)
    match condition.operator:
        case alerts_pb2.ALERT_OPERATOR_EQUAL:
            return text == condition.value
        case alerts_pb2.ALERT_OPERATOR_NOT_EQUAL:
            return text != condition.value
        case alerts_pb2.ALERT_OPERATOR_CONTAINS:
            return condition.value in text
    number, limit = number_of(text), number_of(condition.value)
    if number is None or limit is None:
        return False
    return number > limit if condition.operator == alerts_pb2.ALERT_OPERATOR_GREATER else number < limit


def lookup(values: Any, path: str) -> list[Any]:
    """Return the values at a path; `*` stands for every item of a list."""
    found = [values]
    for part in path.split("."):
        if part == "*":
            found = [item for value in found if isinstance(value, list) for item in value]
        else:
            found = [value[part] for value in found if isinstance(value, Mapping) and part in value]
        found = found[:ITEMS_MAX]
    return [value for value in found if not isinstance(value, Mapping | list)]


def number_of(text: str) -> float | None:
    """Read a number; None where it is none, or none to compare with."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def text_of(value: Any) -> str:
    """Write a value as people do: numbers with two decimals at most."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value).lower() if isinstance(value, bool) else str(value)


def words(template: str, values: Mapping[str, Any], numbers: Mapping[str, str]) -> str:
    """Fill a template in; a field that the event lacks reads `-`."""

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name in numbers:
            return numbers[name]
        return ", ".join(text_of(value) for value in lookup(values, name)) or "-"

    return _FIELD.sub(fill, template)[:TEXT_CHARS_MAX]


def default_template(rule: Rule) -> Iterator[str]:
    """Yield the lines of what is said where the rule does not say it."""
    yield "No closing event for {waited_h} h after {type}" if rule.is_absence else "{count} x {type}"
    yield "song {song}, project {project}, aggregate {aggregate}"
    for condition in rule.proto.conditions:
        yield f"{condition.field} is {{{condition.field}}} (rule: {condition.value})"
