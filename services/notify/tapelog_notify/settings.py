"""Settings of the notify service, from `TAPELOG_…` environment variables."""

from pathlib import Path

from pydantic import Field
from tapelog_chassis.addresses import SERVICE_PORTS
from tapelog_chassis.settings import ServiceSettings

from .adapters.webhook_client import TOTAL_S
from .domain.retry import DISABLE_AFTER_S, SCHEDULE_S


class NotifySettings(ServiceSettings):
    """What the notify service needs to know about the place it runs in."""

    port: int = Field(
        default=SERVICE_PORTS["notify"], ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    allow_loopback_webhooks: bool = Field(
        default=False, description="Let webhooks go to this machine, also by plain http (development)."
    )
    secret_key_path: Path | None = Field(
        default=None,
        description="Key that webhook secrets are encrypted with, the same for every instance; empty means "
        "`notify/secrets.key` in the data folder, made at the first start.",
    )
    nats_identity_dir: Path | None = Field(
        default=None,
        description="Folder with `keys/account.nk`, to make credentials for outside tools; empty means `nats` in the "
        "data folder. Without the key, subscriptions by NATS are refused.",
    )
    nats_public_url: str = Field(
        default="", description="Where outside tools reach the broker; empty means the same address as this service."
    )
    webhook_timeout_s: float = Field(
        default=TOTAL_S, gt=0, le=30, description="How long one attempt may take in all, in seconds."
    )
    webhook_schedule_s: tuple[float, ...] = Field(
        default=SCHEDULE_S,
        min_length=1,
        max_length=20,
        description="Wait before attempt 1, 2, 3 … in seconds; shorter than the default only to try things out.",
    )
    webhook_disable_after_s: float = Field(
        default=DISABLE_AFTER_S,
        gt=0,
        description="How long an endpoint may fail before it is switched off, in seconds.",
    )
    projector: bool = Field(default=True, description="Publish events; off, another instance has to.")

    @property
    def secret_key_file(self) -> Path:
        """The file of the secrets' key."""
        return self.secret_key_path or self.data_dir / "notify" / "secrets.key"

    @property
    def identity_folder(self) -> Path:
        """The folder of the broker's identity."""
        return self.nats_identity_dir or self.data_dir / "nats"
