"""The session service as a process of its own, for tests that kill it or measure it."""

import asyncio
import os
import socket
import sys
from typing import Any


def environment_of(settings: Any) -> tuple[int, dict[str, str]]:
    """Return a free port and the environment of a service on it that has the test's broker and no render service."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port, {
        **os.environ,
        "TAPELOG_DATA_DIR": str(settings.data_dir),
        "TAPELOG_NATS_URL": settings.nats_url,
        "TAPELOG_NATS_CREDS": str(settings.nats_creds),
        "TAPELOG_PORT": str(port),
        "TAPELOG_RENDER_ADDRESS": "127.0.0.1:1",
    }


async def start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    """Start it; whoever called ends it."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tapelog_session", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
