"""Asking the session service what a caller may do in a project."""

import grpc
from tapelog.session.v1.resources_pb2 import Role
from tapelog.session.v1.session_service_pb2 import CheckPermissionRequest, CheckPermissionResponse
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.errors import PermissionDenied

from tapelog_render.adapters.session_calls import TIMEOUT_S, metadata_for, raise_if_away
from tapelog_render.application.access import Caller, Grant


class SessionPermissions:
    """`Permissions` by `SessionService.CheckPermission`, with the caller's own token.

    Parameters
    ----------
    channel : grpc.aio.Channel
        To the session service.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._session = SessionServiceStub(channel)

    async def check(self, caller: Caller, project: str) -> Grant:
        """See `Permissions.check`."""
        request = CheckPermissionRequest(project=f"projects/{project}", rpc=caller.rpc)
        try:
            answer: CheckPermissionResponse = await self._session.CheckPermission(
                request, timeout=TIMEOUT_S, metadata=metadata_for(caller)
            )
        except grpc.aio.AioRpcError as failure:
            raise_if_away(failure, "the roles in the project")
            raise PermissionDenied(
                "PERMISSION_NOT_GIVEN",
                f"the session service refused to say whether {caller.party} may do this in {project}: "
                f"{failure.details()}",
                metadata={"project": project, "rpc": caller.rpc},
            ) from failure
        if not answer.allowed:
            acting = caller.on_behalf_of or caller.party
            raise PermissionDenied(
                "ROLE_MISSING",
                f"{acting} may not call {caller.rpc.rpartition('/')[2]} in project {project}: {answer.reason}",
                metadata={"project": project, "rpc": caller.rpc, "party": acting},
            )
        role = Role.Name(answer.role).removeprefix("ROLE_") if answer.role else ""
        return Grant(role_used=role, membership_sequence=answer.membership_sequence)

    def __repr__(self) -> str:
        return "SessionPermissions()"
