"""What a token may be limited to: the RPCs of one service that read, or those that change something."""

from collections.abc import Collection
from typing import Final

from tapelog_chassis.errors import PermissionDenied

READING: Final = (
    "Check",
    "Diff",
    "Download",
    "Evaluate",
    "Export",
    "Get",
    "List",
    "Search",
    "Subscribe",
    "Validate",
    "Watch",
)
"""First words of RPCs that change nothing; every other word is one that does."""
SERVICES: Final = ("session", "render", "notify")
SCOPES: Final = tuple(f"{service}:{way}" for service in SERVICES for way in ("read", "write"))
UNSCOPED: Final = frozenset({"/tapelog.session.v1.SessionService/CheckPermission"})
"""Asks what the caller may do; render asks it with the caller's token, whatever that is limited to."""


def scope_of(method: str) -> str:
    """Return the scope that a full RPC name needs: `/tapelog.session.v1.SessionService/GetSong` -> `session:read`."""
    service, _, rpc = method.lstrip("/").partition("/")
    family = service.split(".")[1] if service.count(".") > 1 else service
    reads = rpc.startswith(READING)
    return f"{family}:{'read' if reads else 'write'}"


def check_scope(method: str, scopes: Collection[str]) -> None:
    """Refuse a method that a token's scopes do not name.

    Raises
    ------
    PermissionDenied
    """
    needed = scope_of(method)
    if needed not in scopes and method not in UNSCOPED:
        raise PermissionDenied(
            "SCOPE_MISSING",
            f"{method} needs the scope {needed}; this token has {', '.join(sorted(scopes)) or 'none'}",
            metadata={"method": method, "scope": needed},
        )
