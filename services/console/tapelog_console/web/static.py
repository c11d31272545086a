"""Styles and scripts: files of this package, under addresses that change with their content."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from tapelog_console.errors import NoSuchPage

FOLDER: Final = Path(__file__).resolve().parent.parent / "static"
MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CACHE: Final = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return the content and media type of every file."""
    return {
        path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(FOLDER.iterdir())
        if path.suffix in MEDIA_TYPES
    }


@cache
def _digest() -> str:
    """Return the digest of all files: scripts import one another by relative names, so they change together."""
    digest = hashlib.sha256()
    for name, (content, _) in _files().items():
        digest.update(name.encode() + content)
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of a file."""
    return f"/static/{_digest()}/{name}"


async def serve(request: web.Request) -> web.Response:
    """Serve a file; addresses of another release get the current content, uncached."""
    found = _files().get(request.match_info["name"])
    if found is None:
        raise NoSuchPage("There is no such file.")
    content, media_type = found
    cache_control = CACHE if request.match_info["digest"] == _digest() else "no-store"
    return web.Response(
        body=content, content_type=media_type, charset="utf-8", headers={"Cache-Control": cache_control}
    )
