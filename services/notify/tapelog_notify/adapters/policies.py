"""Who may call which RPC of notify: events are read for a whole tenant, so that needs a role in the tenant."""

from collections.abc import Mapping
from typing import Final

from tapelog_chassis.auth import MethodPolicy, Principal, tenant_role
from tapelog_chassis.errors import PermissionDenied

from tapelog_notify.domain.event_filter import BILLING_TYPES, EventFilter, beyond

SERVICE: Final = "tapelog.notify.v1.NotifyService"
READERS: Final = ("ADMIN", "AUDITOR", "INTEGRATION")
"""Tenant roles that may follow every event of their tenant."""
BILLING: Final = "BILLING_READER"
SHOWN_MAX: Final = 3


def _readers(*more: str) -> MethodPolicy:
    # An integration subscribes for itself: it changes nothing in anybody's name.
    return tenant_role(*READERS, *more, integration_names_person=False)


POLICIES: Final[Mapping[str, MethodPolicy]] = {
    f"/{SERVICE}/CreateSubscription": _readers(),
    f"/{SERVICE}/GetSubscription": _readers(),
    f"/{SERVICE}/ListSubscriptions": _readers(),
    f"/{SERVICE}/PauseSubscription": _readers(),
    f"/{SERVICE}/ResumeSubscription": _readers(),
    f"/{SERVICE}/DeleteSubscription": _readers(),
    f"/{SERVICE}/RotateSecret": _readers(),
    f"/{SERVICE}/TestSubscription": _readers(),
    f"/{SERVICE}/RedeliverEvent": _readers(),
    f"/{SERVICE}/ReplayEvents": _readers(),
    f"/{SERVICE}/ListDeliveries": _readers(),
    f"/{SERVICE}/ListDeadLetters": _readers(),
    f"/{SERVICE}/CreateAlertRule": _readers(),
    f"/{SERVICE}/ListAlertRules": _readers(),
    f"/{SERVICE}/DeleteAlertRule": _readers(),
    f"/{SERVICE}/ListAlerts": _readers(),
    f"/{SERVICE}/SnoozeAlert": _readers(),
    f"/{SERVICE}/ResolveAlert": _readers(),
    f"/{SERVICE}/GetEvent": _readers(BILLING),
    f"/{SERVICE}/Subscribe": _readers(BILLING),
}


def check_follow(principal: Principal, event_filter: EventFilter) -> None:
    """
    Refuse a billing reader who asks for more than usage and stages.

    Raises
    ------
    PermissionDenied
        With the first types that are beyond the role.
    """
    if not _reads_all(principal):
        _refuse(beyond(event_filter, EventFilter(types=BILLING_TYPES)))


def check_event(principal: Principal, type_: str) -> None:
    """Refuse (`PermissionDenied`) a billing reader another event than of usage and stages."""
    allowed = EventFilter(types=BILLING_TYPES)
    if not _reads_all(principal) and not allowed.matches(type_=type_, project="", song="", thread=None):
        _refuse((type_,))


def _reads_all(principal: Principal) -> bool:
    return principal.kind == "service" or bool(principal.tenant_roles & set(READERS))


def _refuse(excess: tuple[str, ...]) -> None:
    if excess:
        allowed = ", ".join(BILLING_TYPES)
        more = f" and {len(excess) - SHOWN_MAX} more" if len(excess) > SHOWN_MAX else ""
        raise PermissionDenied(
            "EVENT_TYPES_DENIED",
            f"{BILLING} may follow {allowed}, not {', '.join(excess[:SHOWN_MAX])}{more}: set filter.types to these",
            metadata={"role": BILLING, "allowed": allowed},
        )
