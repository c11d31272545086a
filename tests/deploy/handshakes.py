"""Certificates wrong in one way each, and whether the listeners of an installation serve whoever shows them."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapelog_chassis.auth.certificates import PrivateAuthority
from tapelog_chassis.clock import FakeClock, SystemClock
from tapelog_chassis.nats import Unreachable, connected
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_client.channel import open_channel

WRONGS = ("plaintext", "TLS 1.1", "wrong authority", "expired", "wrong name", "no certificate", "revoked")
LONG_AGO = dt.timedelta(days=500)
KNOCK_S = 10.0

Knock = Callable[[CertificatePair | None], Awaitable[bool]]


@dataclasses.dataclass(frozen=True)
class Listener:
    """A port, and the two ways to try it: with a certificate by its own client, and with a bare socket."""

    name: str
    port: int
    knock: Knock
    plain: Callable[[], Awaitable[bool]]
    greets: bool = False
    """The server speaks first, before TLS begins (NATS)."""


def pair_of(folder: Path, name: str) -> CertificatePair:
    """Return the files of one certificate."""
    return CertificatePair(folder / f"{name}.pem", folder / f"{name}.key")


def wrong_pairs(authority: Path, elsewhere: Path) -> dict[str, CertificatePair | None]:
    """Make certificates that are wrong in one way each, with the installation's authority and with another one."""
    PrivateAuthority.open(elsewhere / "foreign").issue_client("desk")
    own = elsewhere / "own"
    own.mkdir(mode=0o700)
    for name in ("ca.pem", "ca.key"):
        (own / name).touch(mode=0o600)
        (own / name).write_bytes((authority / name).read_bytes())
    PrivateAuthority.open(own, clock=FakeClock(SystemClock().now() - LONG_AGO)).issue_client("late")
    issue_nameless(own)
    return {
        "wrong authority": pair_of(elsewhere / "foreign", "clients/desk"),
        "expired": pair_of(own, "clients/late"),
        "wrong name": pair_of(own, "nameless"),
        "no certificate": None,
    }


def issue_nameless(folder: Path) -> None:
    """Make a certificate of the authority for a host, without an identity of the installation."""
    root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signing = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "session")]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("session")]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    (folder / "nameless.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "nameless.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def grpc_listener(name: str, port: int, authority: Path) -> Listener:
    """Ask a service for its health, which needs no token."""

    async def ask(channel: grpc.aio.Channel) -> bool:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=KNOCK_S)
        except grpc.aio.AioRpcError:
            return False
        return True

    async def knock(pair: CertificatePair | None) -> bool:
        async with open_channel(f"127.0.0.1:{port}", tls_ca=authority, certificate=pair) as channel:
            return await ask(channel)

    async def plain() -> bool:
        async with open_channel(f"127.0.0.1:{port}") as channel:
            return await ask(channel)

    return Listener(name, port, knock, plain)


def http_listener(name: str, port: int, path: str, authority: Path) -> Listener:
    """Get a page."""

    async def get(scheme: str, context: ssl.SSLContext | None) -> bool:
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context or True)) as session,
                session.get(f"{scheme}://localhost:{port}{path}") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def knock(pair: CertificatePair | None) -> bool:
        context = ssl.create_default_context(cafile=authority)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return await get("https", context)

    async def plain() -> bool:
        return await get("http", None)

    return Listener(name, port, knock, plain)


def nats_listener(port: int, authority: Path, creds: Path) -> Listener:
    """Connect to the broker, each time with credentials that are good."""

    async def knock(pair: CertificatePair | None) -> bool:
        try:
            async with connected(
                f"tls://localhost:{port}", name="session", creds=creds, tls_ca=authority, tls_pair=pair
            ) as client:
                return client.is_connected
        except Unreachable:
            return False

    async def plain() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            assert json.loads((await reader.readline()).removeprefix(b"INFO "))["tls_required"]
            writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
            return b"PONG" in await reader.read(4096)

    return Listener("broker", port, knock, plain, greets=True)


async def speaks_tls(listener: Listener, good: CertificatePair, newest: ssl.TLSVersion) -> str:
    """Complete a handshake of TLS 1.0 to `newest`; return its version, empty where there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    allow_old_tls(context, newest)
    context.load_cert_chain(good.certificate, good.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    with contextlib.closing(writer):
        if listener.greets:
            await reader.readline()
        await writer.start_tls(context)
        return str(writer.get_extra_info("ssl_object").version())


def allow_old_tls(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    """Let a context speak TLS 1.0 to `newest`, with the ciphers of their time."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest


async def speaks_old_tls(listener: Listener, good: CertificatePair) -> bool:
    """Say whether a listener completes a handshake of TLS 1.1 or older."""
    return bool(await speaks_tls(listener, good, ssl.TLSVersion.TLSv1_1))


@contextlib.asynccontextmanager
async def permissive_listener(pair: CertificatePair) -> AsyncIterator[Listener]:
    """Run a server that takes every version of TLS: what shows that a probe of old ones is able to speak them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    allow_old_tls(context, ssl.TLSVersion.TLSv1_3)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def nobody(_pair: CertificatePair | None = None) -> bool:
        return False

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield Listener("permissive", server.sockets[0].getsockname()[1], nobody, nobody)


async def serves(trial: Awaitable[bool]) -> bool:
    """Say whether a trial was served; a refusal, a cut and silence are all no."""
    try:
        async with asyncio.timeout(KNOCK_S):
            return await trial
    except (OSError, TimeoutError, EOFError):
        return False
