"""The one way to build a gRPC server: same limits, same layers, same health, same drain for every service."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from tapelog_chassis.audit.log import AuditLog
from tapelog_chassis.auth.policy import MethodPolicy, PolicyTable, public
from tapelog_chassis.auth.verifier import TokenVerifier
from tapelog_chassis.errors import ConfigRefusal, InsecureBind, PortInUse
from tapelog_chassis.rpc import access_layers, call_layers
from tapelog_chassis.rpc.front_door import DoorServer, Refusal
from tapelog_chassis.rpc.grpc_options import INTERNAL_CALLS_MAX, ServerConfig, TlsFiles, is_loopback
from tapelog_chassis.rpc.handlers import Handlers
from tapelog_chassis.rpc.peers import PeerCheck
from tapelog_chassis.rpc.slots import WAITING_MAX

ServedService = tuple[Callable[[Any, Any], None], Any, str]
"""The generated `add_…Servicer_to_server`, the servicer, and the service's full name."""

INFRASTRUCTURE: Final[Mapping[str, MethodPolicy]] = {
    "/grpc.health.v1.Health/Check": public(),
    "/grpc.health.v1.Health/Watch": public(),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": public(),
}
"""Rows of the methods that every server has; reflection is served only when the settings ask for it."""

NOT_SERVING_NOTICE_S: Final = 0.05
"""Between telling health watchers and ending streams, theirs among them: time for the news to be written."""

CURRENT: Final = "current"
"""Health name under which a server says whether what it shows is current (see `health_lag`)."""
INTACT: Final = "intact"
"""Health name under which a server says whether its logs hold nothing but events (see `health_intact`)."""
LIVE: Final = "live"
"""Health name that is SERVING for as long as the process answers at all, whatever becomes of its broker: a supervisor
that starts a process again asks for this one, whoever sends calls asks for the others."""

REFRESH_S: Final = 1.0
"""How often files that say who is trusted are looked at: what was revoked is refused this much later at most."""

_log = structlog.get_logger(__name__)


class RpcServer:
    """A built server: started and drained with `async with`.

    Attributes
    ----------
    port : int
        The port it listens on, known once started.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        config: ServerConfig,
        names: Sequence[str],
        health_servicer: Any,
        deadline: call_layers.Deadline,
        *,
        refresh: Callable[[], bool],
        audit: AuditLog | None = None,
    ) -> None:
        self._server = server
        self._config = config
        self._names = tuple(names)
        self._health = health_servicer
        self._deadline = deadline
        self._refresh = refresh
        self._audit = contextlib.AsyncExitStack()
        self._audit_log = audit
        self._watch: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """What a client dials."""
        host = self._config.host
        return host if host.startswith("unix:") else f"{_bracketed(host)}:{self.port}"

    async def start(self) -> None:
        """Listen and serve.

        Raises
        ------
        PortInUse
            Another process has the port.
        """
        if self._audit_log is not None:
            await self._audit.enter_async_context(self._audit_log.running())
        try:
            self.port = _bind(self._server, self._config)
            await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)  # before anybody can ask
            await self.set_current(current=True)
            await self.set_intact(intact=True)
            await self.set_serving(serving=True)
            await self._server.start()
        except BaseException:
            await self._audit.aclose()
            raise
        self._watch = asyncio.create_task(self._refresh_forever(), name="trust")
        _log.info("listening", address=self.address, services=self._names, tls=self._config.tls is not None)

    async def set_serving(self, serving: bool) -> None:
        """Say whether this server can do its work; from the drain on it says no, whatever is set."""
        states = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    async def set_current(self, current: bool) -> None:
        """Say whether what this server shows is current."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(CURRENT, states.SERVING if current else states.NOT_SERVING)

    async def set_intact(self, intact: bool) -> None:
        """Say whether this server's logs hold nothing but events."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(INTACT, states.SERVING if intact else states.NOT_SERVING)

    async def drain(self, grace_s: float | None = None) -> None:
        """Stop well: say NOT_SERVING, end open streams, let calls finish for `grace_s`, then cut what is left."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(NOT_SERVING_NOTICE_S)
        self._deadline.drain()
        await self._server.stop(self._config.drain_s if grace_s is None else grace_s)
        await self._audit.aclose()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _refresh_forever(self) -> None:
        """Take over what others changed about who is trusted: keys, revocations."""
        while True:
            await asyncio.sleep(REFRESH_S)
            self._refresh()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain()

    def __repr__(self) -> str:
        return f"RpcServer({self.address!r}, services={self._names!r})"


def build_server(
    config: ServerConfig,
    services: Sequence[ServedService],
    *,
    verifier: TokenVerifier,
    policies: PolicyTable,
    audit: AuditLog | None = None,
) -> RpcServer:
    """Build a server that refuses by default.

    Parameters
    ----------
    config : ServerConfig
        Where it listens, and its limits.
    services : Sequence[ServedService]
        `(add_function, servicer, full_service_name)` each.
    verifier : TokenVerifier
        Proves tokens; its audience is this service.
    policies : PolicyTable
        One row per RPC; an RPC without a row is denied.
    audit : AuditLog, optional
        Where decisions on access are recorded; it is written while the server serves.

    Raises
    ------
    InsecureBind
        The address is reachable from other machines and TLS is not configured.
    """
    if config.tls is None and not is_loopback(config.host):
        raise InsecureBind(config.host)
    deadline = call_layers.Deadline()
    peers = None if config.tls is None or config.tls.client_ca is None else PeerCheck(config.tls.revoked)
    identity = access_layers.Identity(verifier, {**policies, **INFRASTRUCTURE}, peers)
    admission = call_layers.Admission(
        unary_calls_max=config.unary_calls_max, streaming_calls_max=config.streaming_calls_max
    )
    layers: tuple[call_layers.Layer, ...] = (
        call_layers.Telemetry(),
        call_layers.Tracing(),
        admission,
        call_layers.Context(),
        *(() if audit is None else (access_layers.Audit(audit),)),
        *(() if peers is None else (access_layers.Certificate(peers),)),
        identity,
        deadline,
        call_layers.Errors(),
    )
    handlers = Handlers(layers)
    aio: Any = health.__dict__["aio"]  # the published type stubs miss it
    health_servicer = aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, handlers)
    names = [name for _, _, name in services]
    for add, servicer, _ in services:
        add(servicer, handlers)
    if config.reflection:
        aio_reflection: Any = reflection.__dict__["aio"]  # as above
        described = aio_reflection.ReflectionServicer((*names, health.SERVICE_NAME, reflection.SERVICE_NAME))
        add_ServerReflectionServicer_to_server(described, handlers)
    server: Any = DoorServer(
        handlers,
        slots=admission.unary,
        refusal=_said_at_the_door(admission, names),
        calls_max=config.unary_calls_max + WAITING_MAX + config.streaming_calls_max + INTERNAL_CALLS_MAX,
    )
    return RpcServer(server, config, names, health_servicer, deadline, refresh=identity.refresh, audit=audit)


def _said_at_the_door(admission: call_layers.Admission, services: Sequence[str]) -> Refusal:
    """Return what the server says to whom it does not let in; which method it is, it has not looked at."""
    error, details = admission.refusal("unary", call_layers.error_domain(services[0] if services else ""))
    return error.code.value[0], error.message, ((call_layers.STATUS_DETAILS, details),)


def _bind(server: grpc.aio.Server, config: ServerConfig) -> int:
    host, port = config.host, config.port
    if _is_taken(host, port):  # asked first, because grpc would write its own lines to standard error
        raise PortInUse(host, port)
    address = host if host.startswith("unix:") else f"{_bracketed(host)}:{port}"
    try:
        if config.tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(config.tls))
    except RuntimeError as failure:
        if _is_taken(host, port):
            raise PortInUse(host, port) from None
        raise ConfigRefusal(f"cannot listen on {address}: {failure}. Name an address of this machine.") from None


def _is_taken(host: str, port: int) -> bool:
    """Ask the system whether a port belongs to somebody: grpc does not say why a bind failed."""
    if host.startswith("unix:") or port == 0:
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as failure:
            return failure.errno == errno.EADDRINUSE
    return False


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    try:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        client_ca = None if tls.client_ca is None else tls.client_ca.read_bytes()
    except OSError as failure:
        raise ConfigRefusal(f"cannot read the TLS file {failure.filename}: {failure.strerror}") from None
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
