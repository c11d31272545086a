"""Which RPC of the render service may be called by whom, at the level of the tenant.

Roles within a project are asked of the session service, call by call.
"""

from typing import Final

from tapelog_chassis.auth import PolicyTable, signed_in, tenant_role

SERVICE: Final = "tapelog.render.v1.RenderService"

_METHODS: Final = (
    "ValidateRecipe",
    "CreateRenderJob",
    "BatchCreateRenderJobs",
    "GetRenderJob",
    "ListRenderJobs",
    "WatchRenderJob",
    "CancelRenderJob",
    "VerifyRender",
    "GetBatch",
    "ListUsageEntries",
    "GetStatement",
)

POLICIES: Final[PolicyTable] = {
    **{f"/{SERVICE}/{method}": signed_in() for method in _METHODS},
    # A correction of what is billed is no work of a project's people.
    f"/{SERVICE}/AdjustUsage": tenant_role("ADMIN"),
}
"""One row per RPC; an RPC without a row is denied."""
