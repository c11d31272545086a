"""The health command of containers, against real servers in the three ways they can listen."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tapelog_chassis.auth import LocalIssuer, TokenVerifier
from tapelog_chassis.auth.certificates import PrivateAuthority
from tapelog_chassis.rpc.grpc_options import ServerConfig, TlsFiles
from tapelog_chassis.rpc.grpc_server import RpcServer, build_server


@contextlib.asynccontextmanager
async def serving(config: ServerConfig) -> AsyncIterator[RpcServer]:
    """Run a server that has nothing but its health."""
    verifier = TokenVerifier.from_jwks(LocalIssuer.generate().jwks(), audience="session")
    async with build_server(config, [], verifier=verifier, policies={}) as server:
        yield server


async def ask(**settings: object) -> tuple[int, str]:
    """Run the command with these settings and return its exit code and what it printed."""
    environment = {**os.environ, **{f"TAPELOG_{name.upper()}": str(value) for name, value in settings.items()}}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tapelog_chassis.health_check",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode is not None
    return child.returncode, output.decode()


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    """Give a certificate for the name a container has, which is not the address the check dials."""
    authority = PrivateAuthority.open(tmp_path)
    authority.issue("render", ("render",))
    return TlsFiles(tmp_path / "render.pem", tmp_path / "render.key", tmp_path / "ca.pem")


async def test_a_plain_server_on_loopback_is_asked():
    """The settings name the port; SERVING is exit code 0."""
    async with serving(ServerConfig()) as server:
        assert await ask(port=server.port) == (0, "SERVING\n")


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual tls"])
async def test_a_server_with_tls_on_every_address_is_asked(tls: TlsFiles, mutual: bool):
    """The check needs only the server's own settings: it trusts, and when demanded shows, the server's certificate."""
    client_ca = tls.client_ca if mutual else None
    config = ServerConfig(host="0.0.0.0", tls=TlsFiles(tls.certificate, tls.key, client_ca))  # noqa: S104 - as in a container
    settings = {"host": "0.0.0.0", "tls_certificate": tls.certificate, "tls_key": tls.key}  # noqa: S104 - the same
    if mutual:
        settings["tls_client_ca"] = tls.client_ca
    async with serving(config) as server:
        assert await ask(port=server.port, **settings) == (0, "SERVING\n")
        code, answer = await ask(port=server.port)
    assert (code, answer) == (1, "UNAVAILABLE\n"), "without TLS the same server does not answer"


async def test_nobody_listening_is_not_healthy():
    """A service that is down is UNAVAILABLE and exit code 1, within the check's own time limit."""
    async with serving(ServerConfig()) as server:
        port = server.port
    assert await ask(port=port) == (1, "UNAVAILABLE\n")


async def test_wrong_settings_are_a_wrong_set_up(tmp_path: Path):
    """A certificate that is not there is exit code 78, and said."""
    code, answer = await ask(port=1, tls_certificate=tmp_path / "no.pem", tls_key=tmp_path / "no.key")
    assert code == 78
    assert "no.pem" in answer
