"""Every metric of the chassis, declared once: names, units, labels.

Labels take few values: methods, codes, outcomes; never an id of a song, a party or a tenant.
"""

from typing import Final

from tapelog_chassis.observability.metrics import counter, gauge, histogram

RPCS_HANDLED: Final = counter(
    "tapelog_rpcs_handled", "Calls answered, by method and status code.", "calls", ["method", "code"]
)

RPC_SECONDS: Final = histogram("tapelog_rpc_seconds", "Time from a call's start to its last byte.", ["method"])

RPCS_IN_FLIGHT: Final = gauge(
    "tapelog_rpcs_in_flight", "Calls being served, unary and streaming apart.", "calls", ["shape"]
)

RPCS_SHED: Final = counter(
    "tapelog_rpcs_shed", "Calls refused because a concurrency limit was reached.", "calls", ["shape"]
)

DOOR_CLOSED: Final = counter(
    "tapelog_rpc_door_closed",
    "Times, of some milliseconds each, that no unary call was taken from the transport because there was no room; the "
    "transport ends those beyond its own limit with CANCELLED, uncounted.",
    "times",
    [],
)

INTERNAL_ERRORS: Final = counter(
    "tapelog_internal_errors", "Unexpected errors, each logged under its id.", "errors", ["method"]
)

AUDIT_LOST: Final = counter(
    "tapelog_audit_lost",
    "Records of access that came faster than they could be written; a gap says how many.",
    "records",
)

AUDIT_FAILURES: Final = counter("tapelog_audit_failures", "Times that the audit could not be written.", "times")

COMMANDS: Final = counter(
    "tapelog_commands",
    "Commands executed, by context and outcome: appended, empty, replayed, refused, conflict, unknown.",
    "commands",
    ["context", "outcome"],
)

COMMAND_CONFLICTS: Final = counter(
    "tapelog_command_conflicts", "Lost races that were decided again, by context.", "races", ["context"]
)

AGGREGATES_CACHED: Final = gauge(
    "tapelog_aggregates_cached", "Aggregates kept loaded, by context.", "aggregates", ["context"]
)

APPEND_SECONDS: Final = histogram(
    "tapelog_append_seconds",
    "Time until events were on the broker's disk or refused, by context and outcome: stored, conflict, full, failed.",
    ["context", "outcome"],
)

FOREIGN_MESSAGES: Final = gauge(
    "tapelog_log_foreign_messages",
    "Messages in a context's log that are no events of ours; each closes the aggregate on whose subject it lies.",
    "messages",
    ["context"],
)

AGGREGATES_CLOSED: Final = gauge(
    "tapelog_log_aggregates_closed",
    "Aggregates that are refused because a foreign message lies among their events, by context.",
    "aggregates",
    ["context"],
)

EVENTS_STEPPED_OVER: Final = counter(
    "tapelog_events_stepped_over",
    "Events that a projection cannot read, or that lie behind one, and that it has stepped over, by projection.",
    "events",
    ["reader"],
)

BROKER_CONNECTED: Final = gauge(
    "tapelog_broker_connected", "1 while the connection to the broker stands, by user.", "connections", ["user"]
)

BROKER_RECONNECTS: Final = counter(
    "tapelog_broker_reconnects", "Connections to the broker that were lost and made anew, by user.", "times", ["user"]
)

STORE_SERVING: Final = gauge(
    "tapelog_store_serving", "1 while the broker takes a probe's write, 0 once it failed for too long.", "state"
)

PROJECTION_LAG: Final = gauge(
    "tapelog_projection_lag", "How far a projection is behind the log, by projection.", "log positions", ["projection"]
)

CONSUMER_PENDING: Final = gauge(
    "tapelog_consumer_pending",
    "Messages that a durable consumer of the topology has not settled, by consumer.",
    "messages",
    ["consumer"],
)

OBJECT_BYTES: Final = counter("tapelog_object_bytes", "Audio and documents put into the object store.", "bytes")

DISK_FREE_BYTES: Final = gauge(
    "tapelog_disk_free_bytes", "Room left on the disk of a folder of ours, by folder.", "bytes", ["folder"]
)

DISK_BYTES: Final = gauge("tapelog_disk_bytes", "Size of the disk of a folder of ours, by folder.", "bytes", ["folder"])

SAMPLES_FAILED: Final = counter(
    "tapelog_samples_failed", "Figures that could not be taken because the broker did not answer.", "samples"
)
