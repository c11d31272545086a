"""The review page as a process of its own: with TLS, and refused where it would be open to everybody."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import pytest
from tapelog_chassis.auth.certificates import PrivateAuthority
from tapelog_chassis.lifecycle import EXIT_CONFIG
from tapelog_cli.main import main
from tapelog_client import StackState

from .site import START_S, Browser, Production, Site, own_console


async def _health(url: str, **settings: str) -> tuple[int | None, str]:
    """Return how the container's health check ends, and what it prints."""
    own = {"TAPELOG_PORT": url.rpartition(":")[2], **{f"TAPELOG_{name}": value for name, value in settings.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tapelog_console.health_check", env={**os.environ, **own}, stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode().strip()


async def test_over_tls_everything_is_for_tls_alone(
    site: Site, production: Production, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The link is https, cookies are Secure, browsers are told to come back by https, and the song is there.

    The health check trusts the console's own certificate; one that speaks no TLS gets no good answer.
    """
    PrivateAuthority.open(tmp_path / "tls").issue("console", ("localhost", "127.0.0.1"))
    files = {
        "TLS_CERTIFICATE": str(tmp_path / "tls" / "console.pem"),
        "TLS_KEY": str(tmp_path / "tls" / "console.key"),
    }
    trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    async with own_console(site, tmp_path, **files) as (url, _):
        connector, jar = aiohttp.TCPConnector(ssl=trust), aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(url, connector=connector, cookie_jar=jar) as session:
            browser = Browser(session)
            await browser.get("/sign-in")
            identity = str(StackState.read(site.data_dir).identity_dir)
            assert main(["sign-in", "pty-producer", "--identity", identity, "--url", url]) == 0
            link = capsys.readouterr().out.strip()
            signed_in = await browser.post("/sign-in", code=link)
            page = await browser.get(f"/{production.song}")
        health = [await _health(url, **files), await _health(url)]

    assert link.startswith(f"{url}/sign-in#")
    assert health[0] == (0, "serving")
    assert health[1][0] == 1
    (cookie,) = SimpleCookie(signed_in.headers["Set-Cookie"]).values()
    assert url.startswith("https://")
    assert cookie["secure"]
    assert "max-age" in page.headers["Strict-Transport-Security"]
    assert page.status == 200


async def test_beyond_loopback_plain_text_is_refused(site: Site, tmp_path: Path) -> None:
    """It ends with the code for wrong set-ups and names both ways out."""
    environment = {
        **os.environ,
        "TAPELOG_HOST": "0.0.0.0",  # noqa: S104 - what is refused
        "TAPELOG_PORT": "0",
        "TAPELOG_DATA_DIR": str(tmp_path),
        "TAPELOG_JWKS_PATH": str(site.data_dir / "identity" / "jwks.json"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tapelog_console", env=environment, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(START_S):
        _, told = await process.communicate()

    assert process.returncode == EXIT_CONFIG
    detail = json.loads(told.splitlines()[-1])["detail"]
    assert "TAPELOG_TLS_CERTIFICATE" in detail
    assert "127.0.0.1" in detail
