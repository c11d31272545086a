"""Settings of the session service, from `TAPELOG_…` environment variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from tapelog_chassis.addresses import SERVICE_PORTS, default_address
from tapelog_chassis.settings import ServiceSettings


class SessionSettings(ServiceSettings):
    """What the session service needs to know about the place it runs in."""

    port: int = Field(
        default=SERVICE_PORTS["session"], ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    render_address: str = Field(
        default=default_address("render"), description="Where the render service listens, as host:port or unix:/path."
    )
    render_tls_ca: Path | None = Field(
        default=None, description="PEM authorities of the render service; empty means plain text, on loopback alone."
    )
    processes: bool = Field(
        default=True, description="Ask for renders and record how they end; off, another instance has to."
    )

    tenant_quota_gib: int = Field(
        default=1024,
        ge=0,
        le=1_048_576,
        description="Audio that the projects of one tenant may refer to, uploads and results together, in GiB.",
    )

    targets: Path | None = Field(
        default=None, description="TOML file of delivery targets beside the published ones (docs/mastering.md)."
    )

    archive_url: str = Field(
        default="",
        description="Second store of delivered files, a folder or a bucket; empty is a folder of the data directory.",
    )

    @property
    def archive_store_url(self) -> str:
        """Where the archive is."""
        return self.archive_url or str(self.data_dir / "archive")

    @property
    def objects_url(self) -> str:
        """Where the object store is."""
        return self.object_url or str(self.data_dir / "objects")
