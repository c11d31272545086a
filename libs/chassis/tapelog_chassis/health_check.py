"""Ask a service for its health, as a container's health check does: `python -m tapelog_chassis.health_check [live]`.

Without an argument the question is whether it can do its work; with `live`, whether the process answers at all.

It reads the service's own `TAPELOG_…` settings, so it needs no arguments and works with TLS and mutual TLS: the
service's own certificate is the one it trusts, and the one it shows.
"""

import sys
from typing import Final

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from tapelog_chassis.auth.certificates import subject_hosts
from tapelog_chassis.lifecycle import EXIT_CONFIG, EXIT_CRASH, EXIT_OK
from tapelog_chassis.rpc.grpc_options import ServerConfig, TlsFiles
from tapelog_chassis.settings import ServiceSettings

TIMEOUT_S: Final = 3.0
ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
"""A server that listens everywhere is asked over loopback."""


def ask(config: ServerConfig, service: str = "") -> str:
    """Return what a server says of itself, or the gRPC status why it says nothing.

    Returns
    -------
    str
        `SERVING`, `NOT_SERVING`, or a status such as `UNAVAILABLE`.
    """
    host = ANY_ADDRESS.get(config.host, config.host)
    address = host if host.startswith("unix:") else f"{host}:{config.port}"
    with _channel(address, config.tls) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S, wait_for_ready=False
            )
        except grpc.RpcError as failure:
            return str(failure.code().name)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main() -> int:
    """Print the answer; 0 when it is `SERVING`, 1 when it is not, 78 when the settings are wrong."""
    try:
        config = ServiceSettings().server_config()
        answer = ask(config, *sys.argv[1:2])
    except (ValidationError, OSError, ValueError) as failure:
        sys.stderr.write(f"health check cannot ask: {failure}\n")
        return EXIT_CONFIG
    sys.stdout.write(f"{answer}\n")
    return EXIT_OK if answer == "SERVING" else EXIT_CRASH


def _channel(address: str, tls: TlsFiles | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address)
    chain = tls.certificate.read_bytes()
    hosts = subject_hosts(x509.load_pem_x509_certificate(chain))
    key = tls.key.read_bytes() if tls.client_ca is not None else None
    credentials = grpc.ssl_channel_credentials(
        root_certificates=chain, private_key=key, certificate_chain=chain if key is not None else None
    )
    override = [("grpc.ssl_target_name_override", hosts[0])] if hosts else []
    return grpc.secure_channel(address, credentials, options=override)


if __name__ == "__main__":
    sys.exit(main())
