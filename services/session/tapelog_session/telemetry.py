"""Every metric of the session service, declared once; labels never carry an id."""

from typing import Final

from tapelog_chassis.observability.metrics import counter, gauge

PROCESS_STOPPED: Final = gauge(
    "tapelog_session_process_stopped",
    "1 once a process manager stopped at an event that it cannot deal with, by process.",
    "state",
    ["process"],
)

PROCESS_QUARANTINED: Final = counter(
    "tapelog_session_process_quarantined",
    "Messages that were no events of ours and that a process manager passed by, by process.",
    "messages",
    ["process"],
)

PROCESS_HANDLED: Final = counter(
    "tapelog_session_process_events", "Events that a process manager has dealt with, by process.", "events", ["process"]
)
