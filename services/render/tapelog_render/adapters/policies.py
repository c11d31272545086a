"""Which RPC of the render service may be called by whom, at the level of the tenant.

Roles within a project are asked of the session service, call by call.
"""

from typing import Final

from tapelog_chassis.auth import PolicyTable, signed_in

SERVICE: Final = "tapelog.render.v1.RenderService"

_METHODS: Final = (
    "ValidateRecipe",
    "CreateRenderJob",
    "BatchCreateRenderJobs",
    "GetRenderJob",
    "ListRenderJobs",
    "WatchRenderJob",
    "CancelRenderJob",
    "GetBatch",
    "ListUsageEntries",
)

POLICIES: Final[PolicyTable] = {f"/{SERVICE}/{method}": signed_in() for method in _METHODS}
"""One row per RPC; an RPC without a row is denied."""
