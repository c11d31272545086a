"""Settings that every service has, from `TAPELOG_…` environment variables; each service adds its own fields."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tapelog_chassis.grpc_options import ServerConfig, TlsFiles


class ServiceSettings(BaseSettings):
    """What a service needs to know about the place it runs in."""

    model_config = SettingsConfigDict(env_prefix="TAPELOG_", extra="ignore", frozen=True)

    data_dir: Path = Field(default=Path("tapelog-data"), description="Folder of keys, journals and the object store.")
    nats_url: str = Field(default="nats://127.0.0.1:4222", description="The broker; `tapelog up` starts its own.")
    nats_creds: Path | None = Field(
        default=None, description="File with this service's broker credentials (nkey seed), readable by it alone."
    )
    nats_tls_ca: Path | None = Field(
        default=None,
        description="PEM authorities of the broker, for `tls://` addresses that a public one did not sign.",
    )
    object_url: str = Field(
        default="", description="Object store: a file:// or s3:// URL; empty means `objects` in the data folder."
    )
    anchor_dir: Path | None = Field(
        default=None,
        description="Folder of the journals in which the log's heads are kept, best on another disk than the broker's "
        "store; empty means `anchors` in the data folder.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; beyond loopback it needs TLS.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    jwks_path: Path | None = Field(
        default=None,
        description="Public keys of the token issuer; empty means `identity/jwks.json` in the data folder.",
    )
    issuer_dir: Path | None = Field(
        default=None,
        description="Folder of the local issuer's private key, for calls to other services; empty means `identity` in "
        "the data folder.",
    )
    tls_certificate: Path | None = Field(default=None, description="PEM certificate chain of this server.")
    tls_key: Path | None = Field(default=None, description="PEM private key of this server.")
    tls_client_ca: Path | None = Field(default=None, description="PEM authorities; set, clients need a certificate.")
    reflection: bool = Field(default=False, description="Let tools such as grpcurl list the API (development).")
    health_failing_s: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="How long the store may fail until health says NOT_SERVING, in seconds; a restart is shorter.",
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of `/metrics` for Prometheus; unset serves none, 0 a free one."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Its address; beyond loopback callers must show a certificate."
    )
    metrics_client_ca: Path | None = Field(
        default=None, description="PEM authorities of the scrapers' certificates; set, metrics are served by TLS."
    )
    trace_endpoint: str = Field(
        default="", description="Where traces are sent by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces."
    )
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of the traces begun here that are kept.")
    drain_s: float = Field(default=10.0, ge=0, le=300, description="How long calls may finish at stop, in seconds.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")

    @property
    def identity_dir(self) -> Path:
        """Folder of the local issuer."""
        return self.issuer_dir or self.data_dir / "identity"

    @property
    def key_set_path(self) -> Path:
        """File of the keys that tokens are checked with."""
        return self.jwks_path or self.data_dir / "identity" / "jwks.json"

    @property
    def anchors_at(self) -> Path:
        """Folder of the journals of the log's heads."""
        return self.anchor_dir or self.data_dir / "anchors"

    def server_config(self) -> ServerConfig:
        """Return what the gRPC server builder needs."""
        tls = None
        if self.tls_certificate is not None and self.tls_key is not None:
            tls = TlsFiles(certificate=self.tls_certificate, key=self.tls_key, client_ca=self.tls_client_ca)
        return ServerConfig(host=self.host, port=self.port, tls=tls, reflection=self.reflection, drain_s=self.drain_s)
