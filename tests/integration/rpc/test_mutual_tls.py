"""Certificates on both sides: who a connection is against whom its token says, and what is revoked meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.auth.certificates import PrivateAuthority
from tapelog_chassis.errors import ConfigRefusal, InsecureBind
from tapelog_chassis.rpc.grpc_options import CertificatePair, ServerConfig, TlsFiles
from tapelog_chassis.rpc.testing_rpc import LocalServer
from tapelog_chassis.settings import ServiceSettings
from tapelog_client.channel import open_channel
from tapelog_client.errors import from_rpc_error
from tapelog_console.settings import ConsoleSettings
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings
from tapelog_session.settings import SessionSettings


@pytest.fixture
def authority(tmp_path: Path) -> PrivateAuthority:
    """Give an authority with certificates of two parts and a desk."""
    made = PrivateAuthority.open(tmp_path)
    for name in ("session", "render"):
        made.issue(name, (name, "127.0.0.1"))
    made.issue_client("desk")
    return made


@pytest.fixture
async def mutual(serve: Any, authority: PrivateAuthority, tmp_path: Path) -> AsyncIterator[LocalServer]:
    """Serve the desk as render, to clients with certificates alone."""
    files = TlsFiles(tmp_path / "render.pem", tmp_path / "render.key", tmp_path / "ca.pem", tmp_path / "revoked.pem")
    async with serve(config=ServerConfig(tls=files, drain_s=0.2)) as local:
        yield local


def pair(folder: Path, name: str) -> CertificatePair:
    """Return the files of a certificate."""
    return CertificatePair(folder / f"{name}.pem", folder / f"{name}.key")


async def say(stub: Any, metadata: Any) -> str:
    """Return what the desk answers, or the reason of its refusal."""
    try:
        return str((await stub.Say(StringValue(value="hi"), metadata=metadata)).value)
    except grpc.aio.AioRpcError as failure:
        return from_rpc_error(failure).reason


@pytest.mark.parametrize(
    "caller",
    [
        ("session", "svc-session", "service", "hi"),
        ("render", "svc-session", "service", "CERTIFICATE_NOT_OF_SERVICE"),
        ("clients/desk", "svc-session", "service", "CERTIFICATE_NOT_OF_SERVICE"),
        ("session", "session", "service", "CERTIFICATE_NOT_OF_SERVICE"),
        ("clients/desk", "pty-ana", "person", "hi"),
        ("render", "pty-ana", "person", "hi"),
    ],
)
async def test_a_services_token_counts_on_that_services_connection_alone(
    mutual: LocalServer, stub_of: Any, tmp_path: Path, caller: tuple[str, str, Any, str]
):
    """A service is who its certificate says; people come through a desk's or a part's connection with a token."""
    shown, party, kind, expected = caller
    metadata = mutual.tokens.metadata(party, kind=kind)
    async with open_channel(
        mutual.server.address, tls_ca=tmp_path / "ca.pem", certificate=pair(tmp_path, shown)
    ) as channel:
        assert await say(stub_of(channel), metadata) == expected


async def test_what_is_revoked_ends_on_an_open_connection(
    mutual: LocalServer, stub_of: Any, authority: PrivateAuthority, tmp_path: Path
):
    """Two seconds after the list has changed no call is served, on a connection that was made before."""
    shown = pair(tmp_path, "clients/desk")
    async with open_channel(mutual.server.address, tls_ca=tmp_path / "ca.pem", certificate=shown) as channel:
        metadata = mutual.tokens.metadata("pty-ana")
        assert await say(stub_of(channel), metadata) == "hi"
        authority.revoke("clients/desk")
        async with asyncio.timeout(5):
            while (answer := await say(stub_of(channel), metadata)) == "hi":  # noqa: ASYNC110 - the file is polled
                await asyncio.sleep(0.05)
    assert answer == "CERTIFICATE_REVOKED"


async def test_a_revocation_list_that_is_none_stops_the_start(serve: Any, authority: PrivateAuthority, tmp_path: Path):
    """Without its list the server would let in who was revoked, so it does not start."""
    for damage in (lambda path: path.write_text("no list"), Path.unlink):
        damage(tmp_path / "revoked.pem")
        config = ServerConfig(
            tls=TlsFiles(
                tmp_path / "render.pem", tmp_path / "render.key", tmp_path / "ca.pem", tmp_path / "revoked.pem"
            )
        )
        with pytest.raises(ConfigRefusal, match="revocation list"):
            async with serve(config=config):
                pass


PARTS: list[type[ServiceSettings]] = [SessionSettings, RenderSettings, NotifySettings, ConsoleSettings]


@pytest.mark.parametrize("settings", PARTS)
def test_no_part_listens_openly(settings: type[ServiceSettings], authority: PrivateAuthority, tmp_path: Path):
    """Beyond loopback every port of every part wants certificates; half of a pair is no certificate."""
    LocalIssuer.open(tmp_path / "identity", create=True)
    good = {"tls_certificate": tmp_path / "render.pem", "tls_key": tmp_path / "render.key"}
    open_host = "0.0.0.0"  # noqa: S104 - refused
    with pytest.raises(InsecureBind, match="without TLS"):
        settings(host=open_host).check_listeners()
    with pytest.raises(ConfigRefusal, match="metrics"):
        settings(metrics_host=open_host, metrics_port=0, **good).check_listeners()
    with pytest.raises(ConfigRefusal, match="TAPELOG_TLS_KEY is not set"):
        settings(tls_certificate=good["tls_certificate"]).check_listeners()
    with pytest.raises(ConfigRefusal, match="has none itself"):
        settings(tls_client_ca=tmp_path / "ca.pem").check_listeners()
    settings(host=open_host, **good).check_listeners()
    settings().check_listeners()
