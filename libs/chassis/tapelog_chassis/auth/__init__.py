"""Who calls, and what they may call: principals, the local issuer, the verifier, the policy table."""

from tapelog_chassis.auth.issuer import LocalIssuer
from tapelog_chassis.auth.policy import (
    MethodPolicy,
    PolicyTable,
    authorize,
    members,
    public,
    services,
    signed_in,
    tenant_role,
)
from tapelog_chassis.auth.principal import Kind, Principal
from tapelog_chassis.auth.revocations import Revocations
from tapelog_chassis.auth.verifier import TokenVerifier

__all__ = [
    "Kind",
    "LocalIssuer",
    "MethodPolicy",
    "PolicyTable",
    "Principal",
    "Revocations",
    "TokenVerifier",
    "authorize",
    "members",
    "public",
    "services",
    "signed_in",
    "tenant_role",
]
