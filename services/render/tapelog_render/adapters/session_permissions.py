"""Asking the session service what a caller may do in a project."""

from typing import Final

import grpc
from tapelog.session.v1.resources_pb2 import Role
from tapelog.session.v1.session_service_pb2 import CheckPermissionRequest, CheckPermissionResponse
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.call_layers import AUTHORIZATION, CORRELATION_ID, ON_BEHALF_OF
from tapelog_chassis.errors import PermissionDenied, Unavailable

from tapelog_render.application.access import Caller, Grant

TIMEOUT_S: Final = 3.0
RETRY_AFTER_S: Final = 0.5
_NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


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
        metadata = [(AUTHORIZATION, caller.bearer), (CORRELATION_ID, caller.correlation_id)]
        if caller.on_behalf_of:
            metadata.append((ON_BEHALF_OF, caller.on_behalf_of))
        request = CheckPermissionRequest(project=f"projects/{project}", rpc=caller.rpc)
        try:
            answer: CheckPermissionResponse = await self._session.CheckPermission(
                request, timeout=TIMEOUT_S, metadata=tuple(metadata)
            )
        except grpc.aio.AioRpcError as failure:
            if failure.code() in _NO_ANSWER:
                raise Unavailable(
                    "SESSION_UNAVAILABLE",
                    "the session service, which knows the roles in the project, does not answer; try again",
                    retry_after_s=RETRY_AFTER_S,
                ) from failure
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
