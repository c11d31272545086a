"""RPCs that stream bytes: uploads of assets, downloads of objects."""
# ruff: noqa: N802 - the methods bear the names of the RPCs

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire

from tapelog_session.adapters.grpc_common import Part, current_call, past_of, request_of, rpc
from tapelog_session.adapters.refusals import refusals
from tapelog_session.application import uploads
from tapelog_session.application.access import Call
from tapelog_session.application.reading import queries
from tapelog_session.application.song_commands import Request
from tapelog_session.application.uploads import Upload
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.names import parse_asset, parse_project


class ObjectPart(Part):
    """Assets and objects."""

    @rpc
    async def UploadAsset(self, requests: AsyncIterator[wire.UploadAssetRequest], call: Call) -> pb.Asset:
        """See the proto."""
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidCommand("HEADER_MISSING", [("header", "the first message of an upload is its header")])
        request, upload = _upload_of(first.header)
        return await uploads.upload_asset(
            self._aggregates,
            self._desk.views,
            self._desk.unfinished,
            call,
            request,
            upload=upload,
            chunks=_chunks(requests),
            tenant_bytes_max=self._desk.tenant_bytes_max,
        )

    @rpc
    async def GetUpload(self, request: wire.GetUploadRequest, call: Call) -> wire.Upload:
        """See the proto."""
        header, upload = _upload_of(request.header)
        committed = await uploads.committed_bytes(
            self._aggregates, self._desk.views, self._desk.unfinished, call, header, upload=upload
        )
        return wire.Upload(committed_bytes=committed)

    @rpc
    async def GetAsset(self, request: wire.GetAssetRequest, call: Call) -> pb.Asset:
        """See the proto."""
        project, sha256 = parse_asset(request.name, "name")
        return await queries.get_asset(self._aggregates, call, project, sha256, past_of(request))

    async def DownloadObject(
        self, request: wire.DownloadObjectRequest, _context: Any
    ) -> AsyncIterator[wire.DownloadObjectResponse]:
        """See the proto."""
        with refusals():
            download = await uploads.download_object(
                self._aggregates,
                self._desk.views,
                self._desk.objects,
                current_call(),
                project=parse_project(request.parent, "parent"),
                sha256=request.sha256,
                offset_bytes=request.offset_bytes,
            )
        yield wire.DownloadObjectResponse(size_bytes=download.size_bytes)
        async for chunk in download.chunks:
            yield wire.DownloadObjectResponse(chunk=chunk)


def _upload_of(header: wire.UploadHeader) -> tuple[Request, Upload]:
    """Return what makes an upload safe to repeat, wherever it goes on, and what it declares."""
    upload = Upload(
        project=parse_project(header.parent, "header.parent"),
        sha256=header.sha256,
        size_bytes=header.size_bytes,
        original_filename=header.original_filename,
        offset_bytes=header.offset_bytes,
    )
    from_its_start = wire.UploadHeader()
    from_its_start.CopyFrom(header)
    from_its_start.offset_bytes = 0
    return request_of(from_its_start), upload


async def _chunks(requests: AsyncIterator[wire.UploadAssetRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "chunk":
            raise InvalidCommand("HEADER_REPEATED", [("header", "every message after the first carries a chunk")])
        yield request.chunk
