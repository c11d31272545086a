"""An event in words, for people: the title and the text of a chat message or a mail."""

import json
from typing import Final

from tapelog.notify.v1 import alerts_pb2, events_pb2

from .public_event import PublicEvent, data_as_json

TEXT_CHARS_MAX: Final = 3000
"""Slack cuts a text off at 4,000 characters."""
_RAISED: Final = events_pb2.AlertRaised.DESCRIPTOR.full_name


def message_of(event: PublicEvent) -> tuple[str, str]:
    """Return title and text: an alert's own, or what happened, to what, and its data."""
    place = ", ".join(f"{name} {value}" for name, value in (("project", event.project), ("song", event.song)) if value)
    if event.schema == _RAISED:
        alert = events_pb2.AlertRaised.FromString(event.data)
        severity = alerts_pb2.AlertSeverity.Name(alert.severity).removeprefix("ALERT_SEVERITY_")
        lines = [alert.text, f"Alert: alerts/{event.aggregate}, rule {alert.rule}"]
        return _line(f"[{severity}] {alert.title}"), "\n".join(lines)[:TEXT_CHARS_MAX]
    word = event.type.split(".")[2].replace("_", " ") if event.type.count(".") >= 3 else event.type
    data = json.dumps(data_as_json(event) or {}, ensure_ascii=False, indent=1)
    lines = [f"{event.type} {event.aggregate}", place, f"by {event.actor} at {event.time:%Y-%m-%d %H:%M:%S} UTC", data]
    return _line(f"{word}: {event.song or event.project or event.aggregate}"), "\n".join(lines)[:TEXT_CHARS_MAX]


def _line(text: str) -> str:
    """Return a text as one line: nothing in it may end a mail's header."""
    return " ".join(text.split())[:200]
