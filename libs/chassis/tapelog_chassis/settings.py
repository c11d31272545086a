"""Settings that every service has, from `TAPELOG_…` environment variables; each service adds its own fields."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tapelog_chassis.errors import ConfigRefusal, InsecureBind
from tapelog_chassis.rpc.grpc_options import CertificatePair, ServerConfig, TlsFiles, is_loopback


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
    anchor_key_dir: Path | None = Field(
        default=None,
        description="Folder of the keys that sign those journals, best where the broker's user cannot read; empty "
        "means `anchor-keys` in the data folder.",
    )
    scan_every_s: float = Field(
        default=45.0,
        ge=1,
        le=86_400,
        description="How often the whole log is read again and compared with its anchors, in seconds.",
    )
    audit_dir: Path | None = Field(
        default=None,
        description="Folder of the audit of every decision on access; empty means `audit` in the data folder.",
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
    tls_revoked: Path | None = Field(
        default=None,
        description="PEM revocation list of those authorities; read again while the service runs when it changes.",
    )
    client_certificate: Path | None = Field(
        default=None,
        description="PEM certificate that this part shows to the others and to the broker; empty means the server's.",
    )
    client_key: Path | None = Field(default=None, description="PEM private key of that certificate.")
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

    @property
    def anchor_keys_at(self) -> Path:
        """Folder of the keys that sign the journals."""
        return self.anchor_key_dir or self.data_dir / "anchor-keys"

    @property
    def client_pair(self) -> CertificatePair | None:
        """The certificate to show to the others, if there is any.

        Raises
        ------
        ConfigRefusal
            A certificate without its key, or the other way round.
        """
        own = _pair(self.client_certificate, self.client_key, "TAPELOG_CLIENT_CERTIFICATE", "TAPELOG_CLIENT_KEY")
        return own or _pair(self.tls_certificate, self.tls_key, "TAPELOG_TLS_CERTIFICATE", "TAPELOG_TLS_KEY")

    def tls_files(self) -> TlsFiles | None:
        """Return the server's side of TLS, or None for plain text.

        Raises
        ------
        ConfigRefusal
            Half of it is set: nothing is served in plain text because of a variable that was forgotten.
        """
        pair = _pair(self.tls_certificate, self.tls_key, "TAPELOG_TLS_CERTIFICATE", "TAPELOG_TLS_KEY")
        if pair is None:
            if self.tls_client_ca is not None:
                raise ConfigRefusal(
                    "TAPELOG_TLS_CLIENT_CA asks clients for certificates, and the server has none itself: set "
                    "TAPELOG_TLS_CERTIFICATE and TAPELOG_TLS_KEY"
                )
            return None
        if self.tls_revoked is not None and self.tls_client_ca is None and self.metrics_client_ca is None:
            raise ConfigRefusal("TAPELOG_TLS_REVOKED is about clients' certificates: set TAPELOG_TLS_CLIENT_CA too")
        return TlsFiles(pair.certificate, pair.key, client_ca=self.tls_client_ca, revoked=self.tls_revoked)

    @property
    def audit_at(self) -> Path:
        """Folder of the audit."""
        return self.audit_dir or self.data_dir / "audit"

    def check_listeners(self) -> None:
        """Refuse every listener that would be open: asked before anything is connected to or started.

        Raises
        ------
        InsecureBind, ConfigRefusal
            An address that other machines reach, without a certificate of ours, or metrics without those of scrapers.
        """
        if self.tls_files() is None and not is_loopback(self.host):
            raise InsecureBind(self.host)
        if self.metrics_port is not None and self.metrics_client_ca is None and not is_loopback(self.metrics_host):
            raise ConfigRefusal(
                f"refusing to show metrics on {self.metrics_host} to everybody: set TAPELOG_METRICS_CLIENT_CA and the "
                "server's certificate, or keep TAPELOG_METRICS_HOST on loopback"
            )

    def server_config(self) -> ServerConfig:
        """Return what the gRPC server builder needs."""
        tls = self.tls_files()
        return ServerConfig(host=self.host, port=self.port, tls=tls, reflection=self.reflection, drain_s=self.drain_s)


def _pair(certificate: Path | None, key: Path | None, *names: str) -> CertificatePair | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = names[0] if certificate is None else names[1]
        raise ConfigRefusal(f"{' and '.join(names)} belong together: {missing} is not set")
    return CertificatePair(certificate, key)
