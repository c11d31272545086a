"""Settings of the notify service, from `TAPELOG_…` environment variables."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from tapelog_chassis.addresses import SERVICE_PORTS
from tapelog_chassis.settings import ServiceSettings

from .adapters.mail import MailServer
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
    smtp_host: str = Field(default="", description="Mail server for e-mail subscriptions; empty means none.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_from: str = Field(default="tapelog@localhost", description="Sender of the mail.")
    smtp_username: str = Field(default="", description="Name to sign in with; empty means not to.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password to sign in with.")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="starttls, tls from the first byte, or none (loopback only)."
    )
    projector: bool = Field(default=True, description="Publish events; off, another instance has to.")

    def mail_server(self) -> MailServer | None:
        """Return where mail is handed in, if anywhere."""
        if not self.smtp_host:
            return None
        return MailServer(
            self.smtp_host,
            self.smtp_port,
            self.smtp_from,
            self.smtp_username,
            self.smtp_password.get_secret_value(),
            self.smtp_security,
        )

    @property
    def secret_key_file(self) -> Path:
        """The file of the secrets' key."""
        return self.secret_key_path or self.data_dir / "notify" / "secrets.key"

    @property
    def identity_folder(self) -> Path:
        """The folder of the broker's identity."""
        return self.nats_identity_dir or self.data_dir / "nats"
