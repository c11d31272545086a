"""Audio and delivered files: by range, from the service in blocks, never whole in memory."""

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from tapelog_client.errors import TapelogApiError

from tapelog_console.errors import NoSuchPage
from tapelog_console.reading.objects import fetch_small

from .context import api_of, console_of, person_of, song_of
from .forms import version_name

MANIFEST: Final = "manifest.json"
CACHE: Final = "private, no-cache"
"""A browser may keep it, but asks before each use whether the person may still have it."""
NAME: Final = re.compile(r"([0-9a-f]{16})\.[a-z0-9]{1,8}")
STALL_S_MAX: Final = 30.0
"""A paused player takes nothing; after this its connection is cut, and it asks for the rest when it plays on."""
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Thing:
    """An object that the person may have: they were allowed to read what refers to it."""

    project: str
    sha256: str
    size_bytes: int
    media_type: str
    download_name: str = ""

    @property
    def etag(self) -> str:
        """A strong validator: the bytes' own digest."""
        return f'"{self.sha256}"'


async def audio(request: web.Request) -> web.StreamResponse:
    """Send a version's audio."""
    name = NAME.fullmatch(request.match_info["file"])
    song = song_of(request)
    version = await api_of(request).versions.get(version_name(song, request.match_info["version"]))
    found = next((item for item in version.audio if name and item.sha256.startswith(name[1])), None)
    if found is None:
        raise NoSuchPage("This version has no such file: it was rendered again, or the address is wrong.")
    media_type = found.media_type if found.media_type.startswith("audio/") else "application/octet-stream"
    return await send(request, Thing(_project(song), found.sha256, found.size_bytes, media_type))


async def take(request: web.Request) -> web.StreamResponse:
    """Send a take's audio, as it was uploaded."""
    api, song = api_of(request), song_of(request)
    takes = (await api.songs.get(song)).takes
    found = next((item for item in takes if item.id == request.match_info["take"]), None)
    if found is None:
        raise NoSuchPage("The song has no such take.")
    asset = await api.assets.get(_project(song), found.asset_sha256)
    media_type = asset.media_type if asset.media_type.startswith("audio/") else "application/octet-stream"
    return await send(request, Thing(_project(song), asset.sha256, asset.size_bytes, media_type))


async def delivered(request: web.Request) -> web.StreamResponse:
    """Send a file of a delivery package, or its manifest."""
    song, filename = song_of(request), request.match_info["file"]
    api = api_of(request)
    package = await api.deliveries.get(f"{song}/deliveries/{request.match_info['delivery']}")
    if filename == MANIFEST:
        content = await fetch_small(api, _project(song), package.manifest_sha256)
        disposition = f'attachment; filename="{MANIFEST}"'
        return web.Response(body=content, content_type="application/json", headers={"Content-Disposition": disposition})
    found = next((item for item in package.files if item.filename == filename), None)
    if found is None:
        raise NoSuchPage("The package has no such file.")
    return await send(
        request, Thing(_project(song), found.sha256, found.size_bytes, found.media_type, download_name=filename)
    )


async def send(request: web.Request, thing: Thing) -> web.StreamResponse:
    """Send an object, or the range of it that is asked for (RFC 9110, 14)."""
    headers = {"Accept-Ranges": "bytes", "ETag": thing.etag, "Cache-Control": CACHE, "Content-Type": thing.media_type}
    if thing.download_name:
        headers["Content-Disposition"] = f'attachment; filename="{thing.download_name}"'
    if request.headers.get("If-None-Match", "") == thing.etag and "Range" not in request.headers:
        return web.Response(status=304, headers=headers)
    span = wanted_range(request.headers.get("Range", ""), thing.size_bytes)
    if request.headers.get("If-Range", thing.etag) != thing.etag:
        span = None
    begin, end = span or (0, thing.size_bytes)
    if span is not None and begin >= end:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{thing.size_bytes}"})
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    if span is not None:
        response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{thing.size_bytes}"
    response.content_length = end - begin
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    person = person_of(request)
    with console_of(request).transfer_seats.take(person.tenant, person.party):
        await response.prepare(request)
        await _pass_on(request, response, thing, begin, end)
    return response


def wanted_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return [begin, end) of a Range header; None for the whole; an empty range where there is nothing.

    Several ranges at once are answered with the whole, as the standard allows: no player asks for them.
    """
    found = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(size_bytes - int(last), 0), size_bytes
    begin = int(first)
    if last and int(last) < begin:
        return None  # not a range: the standard says to ignore it
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return (begin, end) if begin < size_bytes else (size_bytes, size_bytes)


async def _pass_on(request: web.Request, response: web.StreamResponse, thing: Thing, begin: int, end: int) -> None:
    """Write [begin, end) block by block, as fast as the browser takes them."""
    left = end - begin
    try:
        async with aclosing(api_of(request).assets.stream(thing.project, thing.sha256, offset_bytes=begin)) as parts:
            async for part in parts:
                async with asyncio.timeout(STALL_S_MAX):
                    await response.write(part.chunk[:left])
                left -= len(part.chunk)
                if left <= 0:
                    break
        await response.write_eof()
    except ConnectionError:
        return  # the browser has what it wanted, or went away
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    except TapelogApiError as error:
        _log.warning("a transfer broke off", sha256=thing.sha256, left_bytes=left, error=repr(error))
        if request.transport is not None:
            request.transport.abort()  # too late for an error page; the player asks for the rest


def _project(song: str) -> str:
    return "/".join(song.split("/")[:2])
