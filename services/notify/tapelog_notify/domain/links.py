"""What an event is about, and the event itself, as links that a receiver of a small body can follow."""

from collections.abc import Mapping
from typing import Final

SCHEME: Final = "tapelog:"
"""Links are `tapelog:` and a resource name; whoever has the name reads it from the service that owns it."""
_EVENTS: Final = "events/"

_NAMES: Final[Mapping[str, str]] = {
    "project": "projects/{id}",
    "song": "projects/{project}/songs/{id}",
    "studio_session": "projects/{project}/studioSessions/{id}",
    "delivery_package": "projects/{project}/songs/{song}/deliveries/{id}",
    "render_job": "renderJobs/{id}",
    "batch": "batches/{id}",
    "subscription": "subscriptions/{id}",
    "alert_rule": "alertRules/{id}",
    "alert": "alerts/{id}",
}
"""Resource names by the aggregate in an event's type. Assets are named by their SHA-256 and accounts are a statement's
argument: for these the event says all there is."""


def event_link(position: int) -> str:
    """Return the link of an event: `GetEvent` reads it."""
    return f"{SCHEME}{_EVENTS}{position}"


def position_of(name: str) -> int | None:
    """Read the position in `events/{position}`, with or without the scheme; None where it is not of that form."""
    text = name.removeprefix(SCHEME).removeprefix(_EVENTS)
    is_event = name.removeprefix(SCHEME).startswith(_EVENTS) and text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if is_event else None


def resource_link(type_: str, *, id_: str, project: str, song: str) -> str:
    """Return the link of the resource that an event of this type is about, or an empty text."""
    parts = type_.split(".")
    template = _NAMES.get(parts[1] if len(parts) == 4 else "", "")
    needed = {"project": project, "song": song}
    if not template or any(f"{{{name}}}" in template and not value for name, value in needed.items()):
        return ""
    return SCHEME + template.format(id=id_, **needed)
