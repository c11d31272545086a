"""Settings of the review page, from `TAPELOG_…` environment variables."""

from pathlib import Path

from pydantic import Field
from tapelog_chassis.addresses import CONSOLE_PORT, default_address
from tapelog_chassis.settings import ServiceSettings


class ConsoleSettings(ServiceSettings):
    """What the review page needs to know about the place it runs in."""

    port: int = Field(default=CONSOLE_PORT, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    session_address: str = Field(default=default_address("session"), description="host:port of the session service.")
    render_address: str = Field(default=default_address("render"), description="host:port of the render service.")
    notify_address: str = Field(default=default_address("notify"), description="host:port of the notify service.")
    services_tls_ca: Path | None = Field(
        default=None, description="PEM authorities of the services; empty means plain text, which is for loopback."
    )
    public_url: str = Field(
        default="",
        description="How browsers reach the page, such as https://review.example.org; empty means the address it "
        "listens on. Needed behind a proxy.",
    )

    @property
    def reports_dir(self) -> Path:
        """Where reports are made: whole songs lie there for some seconds."""
        return self.data_dir / "console" / "reports"

    @property
    def key_file(self) -> Path:
        """The key that cookies are signed with."""
        return self.data_dir / "console" / "cookie.key"

    @property
    def spent_file(self) -> Path:
        """Sign-in codes that were used and sessions that were ended, until they expire by themselves."""
        return self.data_dir / "console" / "spent.jsonl"
