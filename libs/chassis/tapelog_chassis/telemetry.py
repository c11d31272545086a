"""Every metric of the chassis, declared once: names, units, labels.

Labels take few values: methods, codes, outcomes; never an id of a song, a party or a tenant.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RPC_SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RPCS_HANDLED: Final = Counter("tapelog_rpcs_handled", "Calls answered, by method and status code.", ["method", "code"])

RPC_SECONDS: Final = Histogram(
    "tapelog_rpc_seconds", "Time from a call's start to its last byte.", ["method"], buckets=RPC_SECONDS_BUCKETS
)

RPCS_IN_FLIGHT: Final = Gauge("tapelog_rpcs_in_flight", "Calls being served, unary and streaming apart.", ["shape"])

RPCS_SHED: Final = Counter("tapelog_rpcs_shed", "Calls refused because a concurrency limit was reached.", ["shape"])

INTERNAL_ERRORS: Final = Counter("tapelog_internal_errors", "Unexpected errors, each logged under its id.", ["method"])

COMMANDS: Final = Counter(
    "tapelog_commands",
    "Commands executed, by aggregate type and outcome: appended, empty, replayed, refused, conflict, unknown.",
    ["context", "outcome"],
)

COMMAND_CONFLICTS: Final = Counter(
    "tapelog_command_conflicts", "Lost races that were decided again, by aggregate type.", ["context"]
)

AGGREGATES_CACHED: Final = Gauge("tapelog_aggregates_cached", "Aggregates kept loaded, by type.", ["context"])
