"""Small files of a project, read whole."""

from contextlib import aclosing
from typing import Final

from tapelog_client import Tapelog

SMALL_BYTES_MAX: Final = 16 * 1024 * 1024
"""An analysis of an hour and the manifest of an album have under 1 MB each."""


async def fetch_small(api: Tapelog, project: str, sha256: str) -> bytes:
    """Return a small object; raises `ValueError` over `SMALL_BYTES_MAX`."""
    content = bytearray()
    async with aclosing(api.assets.stream(project, sha256)) as parts:
        async for part in parts:
            content += part.chunk
            if len(content) > SMALL_BYTES_MAX:
                raise ValueError(f"{sha256} has more than {SMALL_BYTES_MAX} bytes")
    return bytes(content)
