"""A small session and notify service on a real socket, with the few answers that the client's own logic needs."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from tapelog.common.v1 import event_pb2
from tapelog.notify.v1 import notify_service_pb2 as notify
from tapelog.notify.v1 import notify_service_pb2_grpc as notify_grpc
from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as session
from tapelog.session.v1 import session_service_pb2_grpc as session_grpc
from tapelog_chassis.auth import signed_in
from tapelog_chassis.errors import InvalidArgument, Unavailable
from tapelog_chassis.rpc.testing_rpc import TokenFactory, running_server
from tapelog_client import StaticTokenSource, Tapelog

SESSION = "tapelog.session.v1.SessionService"
NOTIFY = "tapelog.notify.v1.NotifyService"


class SmallSession(session_grpc.SessionServiceServicer):
    """Keeps uploaded bytes; `cuts` breaks that many transfers after their first chunk."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.kept: dict[str, bytes] = {}
        self.request_ids: list[str] = []
        self.chunk_sizes: list[int] = []
        self.offsets: list[int] = []
        self.upload_offsets: list[int] = []
        self.cuts = 0
        self.refusals = 0
        self.states = [res.VERSION_STATE_PROPOSED, res.VERSION_STATE_PROPOSED, res.VERSION_STATE_RENDERED]
        self.songs = [res.Song(name=f"projects/prj-1/songs/sng-{number}") for number in range(7)]

    async def UploadAsset(self, requests: AsyncIterator[session.UploadAssetRequest], _context: Any) -> res.Asset:  # noqa: N802
        """Take an upload."""
        header = session.UploadHeader()
        body = b""
        async for request in requests:
            if request.HasField("header"):
                header = request.header
                self.request_ids.append(header.request_id)
                self.upload_offsets.append(header.offset_bytes)
                body = self.kept.get(header.request_id, b"")[: header.offset_bytes]
                continue
            self.chunk_sizes.append(len(request.chunk))
            body += request.chunk
            if self.cuts:
                self.cuts -= 1
                self.kept[header.request_id] = body
                raise Unavailable("GOING_DOWN", "the service stops")
        if hashlib.sha256(body).hexdigest() != header.sha256:
            raise InvalidArgument.of_field("header.sha256", "is not the hash of the bytes")
        self.objects[header.sha256] = body
        return res.Asset(name=f"{header.parent}/assets/{header.sha256}", sha256=header.sha256, size_bytes=len(body))

    async def GetUpload(self, request: session.GetUploadRequest, _context: Any) -> session.Upload:  # noqa: N802
        """Say how much of an upload is kept."""
        return session.Upload(committed_bytes=len(self.kept.get(request.header.request_id, b"")))

    async def DownloadObject(  # noqa: N802
        self, request: session.DownloadObjectRequest, _context: Any
    ) -> AsyncIterator[session.DownloadObjectResponse]:
        """Send an object from an offset."""
        body = self.objects[request.sha256]
        self.offsets.append(request.offset_bytes)
        for begin in range(request.offset_bytes, len(body), 1000):
            yield session.DownloadObjectResponse(chunk=body[begin : begin + 1000], size_bytes=len(body))
            if self.cuts:
                self.cuts -= 1
                raise Unavailable("GOING_DOWN", "the service stops")

    async def CreateSong(self, request: session.CreateSongRequest, _context: Any) -> res.Song:  # noqa: N802
        """Refuse as often as told, then create."""
        self.request_ids.append(request.request_id)
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("STARTING", "the service is starting")
        return res.Song(name=f"{request.parent}/songs/sng-1", title=request.title)

    async def GetVersion(self, request: session.GetVersionRequest, _context: Any) -> res.Version:  # noqa: N802
        """Go through the states, one a call."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return res.Version(name=request.name, state=state, render_error="SOURCE_TRUNCATED: take 3")

    async def ListSongs(self, request: session.ListSongsRequest, _context: Any) -> session.ListSongsResponse:  # noqa: N802
        """List two a page."""
        begin = int(request.page_token or 0)
        more = begin + 2 < len(self.songs)
        return session.ListSongsResponse(
            songs=self.songs[begin : begin + 2], next_page_token=str(begin + 2) if more else ""
        )


class SmallNotify(notify_grpc.NotifyServiceServicer):
    """Streams numbered events; each stream in `breaks` ends after so many items."""

    def __init__(self) -> None:
        self.length = 9
        self.breaks: list[int] = []
        self.starts: list[int] = []

    async def Subscribe(  # noqa: N802
        self, request: notify.SubscribeRequest, _context: Any
    ) -> AsyncIterator[notify.SubscribeResponse]:
        """Stream from the position asked for."""
        after = request.start.after_position
        self.starts.append(after)
        limit = self.breaks.pop(0) if self.breaks else 10**6
        yield notify.SubscribeResponse(heartbeat=notify.Heartbeat(position=after))
        for count, position in enumerate(range(after + 1, self.length + 1)):
            if count == limit:
                raise Unavailable("GOING_DOWN", "the service stops")
            yield notify.SubscribeResponse(event=event_pb2.Event(id=f"event-{position}", position=position))


@pytest.fixture
def small_session() -> SmallSession:
    """Return the session service's state."""
    return SmallSession()


@pytest.fixture
def small_notify() -> SmallNotify:
    """Return the notify service's state."""
    return SmallNotify()


@pytest.fixture
async def api(small_session: SmallSession, small_notify: SmallNotify) -> AsyncIterator[Tapelog]:
    """Return a client of both services over real sockets."""
    tokens = TokenFactory(audience="session")
    async with AsyncExitStack() as stack:

        async def serve(add: Callable[[Any, grpc.aio.Server], None], servicer: Any, name: str) -> str:
            methods = [method for method in dir(servicer) if method[0].isupper()]
            policies = {f"/{name}/{method}": signed_in() for method in methods}
            server = await stack.enter_async_context(
                running_server([(add, servicer, name)], policies=policies, audience="session", tokens=tokens)
            )
            return server.server.address

        session_address = await serve(session_grpc.add_SessionServiceServicer_to_server, small_session, SESSION)
        notify_address = await serve(notify_grpc.add_NotifyServiceServicer_to_server, small_notify, NOTIFY)
        client = Tapelog.connect(
            session=session_address, notify=notify_address, tokens=StaticTokenSource(tokens.token("pty-ana"))
        )
        yield await stack.enter_async_context(client)
