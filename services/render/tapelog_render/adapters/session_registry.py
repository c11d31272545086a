"""Asking the session service what belongs to a project."""

import grpc
from tapelog.session.v1.session_service_pb2 import GetAssetRequest, GetSongRequest
from tapelog.session.v1.session_service_pb2_grpc import SessionServiceStub
from tapelog_chassis.errors import PermissionDenied

from tapelog_render.adapters.session_calls import TIMEOUT_S, metadata_for, raise_if_away
from tapelog_render.application.access import Caller


class SessionRegistry:
    """`Registry` by `SessionService.GetSong` and `GetAsset`, with the caller's own token.

    Parameters
    ----------
    channel : grpc.aio.Channel
        To the session service.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._session = SessionServiceStub(channel)

    async def has_song(self, caller: Caller, project: str, song: str) -> bool:
        """See `Registry.has_song`."""
        request = GetSongRequest(name=f"projects/{project}/songs/{song}")
        try:
            await self._session.GetSong(request, timeout=TIMEOUT_S, metadata=metadata_for(caller))
        except grpc.aio.AioRpcError as failure:
            return _is_known(failure, caller, project, "the project's songs")
        return True

    async def has_asset(self, caller: Caller, project: str, sha256: str) -> bool:
        """See `Registry.has_asset`."""
        request = GetAssetRequest(name=f"projects/{project}/assets/{sha256}")
        try:
            await self._session.GetAsset(request, timeout=TIMEOUT_S, metadata=metadata_for(caller))
        except grpc.aio.AioRpcError as failure:
            return _is_known(failure, caller, project, "the project's uploads")
        return True

    def __repr__(self) -> str:
        return "SessionRegistry()"


def _is_known(failure: grpc.aio.AioRpcError, caller: Caller, project: str, what: str) -> bool:
    """Return False for what is not there; raise for everything else."""
    if failure.code() == grpc.StatusCode.NOT_FOUND:
        return False
    raise_if_away(failure, what)
    raise PermissionDenied(
        "PERMISSION_NOT_GIVEN",
        f"the session service refused to tell {caller.party} about {what} of {project}: {failure.details()}",
        metadata={"project": project, "rpc": caller.rpc},
    ) from failure
