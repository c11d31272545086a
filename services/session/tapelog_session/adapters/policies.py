"""Which kind of caller may reach which RPC at all; roles in the project are the permission matrix's business."""

from __future__ import annotations

import dataclasses
from typing import Final

from tapelog_chassis.auth import MethodPolicy, members, public, signed_in, tenant_role
from tapelog_chassis.auth.policy import PolicyTable

from tapelog_session.domain.permissions import MATRIX, SESSION, Row

SERVICE: Final = "tapelog.session.v1.SessionService"
AUDIENCE: Final = "session"
"""Tokens for this service name it."""
_DEADLINES_S: Final = {"VerifyDelivery": 600.0}
"""RPCs that read whole files, as long as an upload may take."""
_OUTLIVE_THEIR_TOKEN: Final = frozenset({"DownloadObject"})
"""Streams that end by themselves."""
_OF_THE_TENANT: Final = {"RebuildViews": "ADMIN"}
"""RPCs of a role that a token gives for the whole tenant."""
_OF_ADMINISTRATORS: Final = frozenset({"CreateApiKey", "ListApiKeys", "RevokeApiKey"})
"""RPCs of people alone: a key cannot make another one."""
_NAMES_NOBODY: Final = frozenset({"CheckPermission"})
"""RPCs that an integration may call for itself."""


def _policy(rpc: str, row: Row) -> MethodPolicy:
    names_person = rpc not in _NAMES_NOBODY
    if rpc == "ExchangeApiKey":
        return public()
    if rpc in _OF_ADMINISTRATORS:
        return MethodPolicy(kinds=frozenset({"person"}), tenant_roles=frozenset({"ADMIN"}))
    if rpc in _OF_THE_TENANT:
        return tenant_role(_OF_THE_TENANT[rpc])
    if row.is_open_to_services:
        policy = signed_in(integration_names_person=names_person)
        return dataclasses.replace(policy, outlives_token=rpc in _OUTLIVE_THEIR_TOKEN)
    return members(integration_names_person=names_person, deadline_s=_DEADLINES_S.get(rpc))


POLICIES: Final[PolicyTable] = {
    method: _policy(method.removeprefix(SESSION), row) for method, row in MATRIX.items() if method.startswith(SESSION)
}
"""One row per RPC of this service, made from the matrix."""
