"""Where the services listen when nobody says otherwise: said once, for their settings, deployments and each other."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LOOPBACK: Final = "127.0.0.1"
SERVICE_PORTS: Final[Mapping[str, int]] = MappingProxyType({"session": 7101, "render": 7102, "notify": 7103})
"""gRPC port of each service; `deploy/compose` has the same."""
CONSOLE_PORT: Final = 7104
"""HTTP port of the review page."""


def default_address(service: str) -> str:
    """Return host:port of a service on this machine, by its name."""
    return f"{LOOPBACK}:{SERVICE_PORTS[service]}"
