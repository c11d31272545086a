"""What one rule makes of the events as they pass: pure, driven by the times of events and the time it is told."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tapelog.notify.v1 import events_pb2

from .alert_rule import Rule, default_template, holds, lookup, text_of, words
from .public_event import PublicEvent, data_as_json

GROUPS_MAX: Final = 10_000
"""Groups that one rule watches at once; beyond it the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that a rule found.

    Attributes
    ----------
    key
        Value of the rule's group.
    raised
        The alert to raise; None where it is to be resolved.
    happened
        When it happened, by the event or by the passing of time.
    event
        What led to it.
    """

    key: str
    raised: events_pb2.AlertRaised | None
    happened: datetime
    event: PublicEvent

    @property
    def cause(self) -> str:
        """Id of the event that led to it: the same on every run."""
        return self.event.id


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What a rule remembers, as positions of events.

    Attributes
    ----------
    waiting
        By group: the event that its closing one is waited for.
    windows
        By group: the events counted so far.
    """

    waiting: Mapping[str, int]
    windows: Mapping[str, tuple[int, ...]]

    def positions(self) -> Iterator[int]:
        """Yield every position in it."""
        yield from self.waiting.values()
        for window in self.windows.values():
            yield from window


class Detector:
    """One rule's memory: counts within windows, and what waits for its closing event."""

    def __init__(self, id_: str, rule: Rule) -> None:
        self.id = id_
        self.rule = rule
        self._windows: OrderedDict[str, deque[PublicEvent]] = OrderedDict()
        self._waiting: OrderedDict[str, PublicEvent] = OrderedDict()

    def __repr__(self) -> str:
        return f"Detector({self.id}, {len(self._windows) + len(self._waiting)} groups)"

    def memory(self) -> Memory:
        """Return what to begin with again after a restart."""
        return Memory(
            waiting={key: event.position for key, event in self._waiting.items()},
            windows={key: tuple(event.position for event in window) for key, window in self._windows.items() if window},
        )

    def restore(self, memory: Memory, events: Mapping[int, PublicEvent]) -> None:
        """Begin with what was remembered; events that are not there any more are forgotten."""
        for key, position in memory.waiting.items():
            if position in events:
                self._waiting[key] = events[position]
        for key, positions in memory.windows.items():
            known = [events[position] for position in positions if position in events]
            self._windows[key] = deque(known, maxlen=self.rule.count)

    def on_event(self, event: PublicEvent) -> list[Finding]:
        """Take an event in; return what follows from it."""
        rule = self.rule
        if rule.create_time is not None and event.time < rule.create_time:
            return []
        is_closing = rule.is_absence and event.passes(rule.until)
        is_match = event.passes(rule.filter)
        if not is_closing and not is_match:
            return []
        values = tree_of(event)
        key = ", ".join(text_of(value) for value in lookup(values, rule.group_by))
        if is_closing:
            self._waiting.pop(key, None)
            return [Finding(key, None, event.time, event)]
        if not all(holds(condition, values) for condition in rule.proto.conditions):
            return []
        if rule.is_absence:
            # The wait counts from the first event: more of them do not make anybody wait less.
            self._waiting.setdefault(key, event)
            if len(self._waiting) > GROUPS_MAX:
                self._waiting.popitem(last=False)
            return []
        return self._count(key, event, values)

    def due(self, now: datetime) -> list[Finding]:
        """Return what has waited for too long by now; each is told once."""
        if not self.rule.is_absence:
            return []
        late = [(key, event) for key, event in self._waiting.items() if now - event.time >= self.rule.span]
        for key, _ in late:
            del self._waiting[key]
        return [Finding(key, self._raised(key, [event], tree_of(event), now), event.time, event) for key, event in late]

    def _count(self, key: str, event: PublicEvent, values: dict[str, Any]) -> list[Finding]:
        window = self._windows.setdefault(key, deque(maxlen=self.rule.count))
        self._windows.move_to_end(key)
        if len(self._windows) > GROUPS_MAX:
            self._windows.popitem(last=False)
        window.append(event)
        if self.rule.span:
            while event.time - window[0].time > self.rule.span:
                window.popleft()
        if len(window) < self.rule.count:
            return []
        events = list(window)
        window.clear()
        return [Finding(key, self._raised(key, events, values, event.time), event.time, event)]

    def _raised(
        self, key: str, events: list[PublicEvent], values: dict[str, Any], now: datetime
    ) -> events_pb2.AlertRaised:
        waited_h = (now - events[0].time).total_seconds() / 3600
        numbers = {"count": str(len(events)), "waited_h": f"{waited_h:.1f}", "key": key or "-"}
        template = self.rule.proto.template or "\n".join(default_template(self.rule))
        return events_pb2.AlertRaised(
            rule=f"alertRules/{self.id}",
            key=key,
            severity=self.rule.proto.severity,
            title=self.rule.proto.title,
            text=words(template, values, numbers),
            event_ids=[event.id for event in events],
        )


def tree_of(event: PublicEvent) -> dict[str, Any]:
    """Return an event as a tree of values, its message under `data`."""
    names = ("id", "type", "source", "project", "song", "aggregate", "actor", "on_behalf_of", "role_used")
    return {name: getattr(event, name) for name in names} | {"data": data_as_json(event) or {}}
