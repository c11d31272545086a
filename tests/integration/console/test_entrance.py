"""Signing in and out, and what is refused at the door."""

import asyncio
import subprocess
import sys
from http.cookies import SimpleCookie

import pytest
from tapelog_chassis.auth import LocalIssuer
from tapelog_cli.exit_codes import ExitCode

from .site import Production, Site

PAGES = ("/", "/alerts", "/projects/prj-1", "/projects/prj-1/songs/sng-1", "/projects/prj-1/songs/sng-1/story")


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_sees_nothing(site: Site, path: str) -> None:
    """Every page asks to sign in, and says how."""
    async with site.visitor() as browser:
        answer = await browser.get(path)

    assert answer.status == 401
    assert "Please sign in" in answer.text
    assert "tapelog sign-in" in answer.text


async def test_a_link_signs_in_once(site: Site) -> None:
    """The first use makes a session; the second is refused, also with another encoding of its signature."""
    link = site.link("pty-producer")
    async with site.visitor() as first, site.visitor() as second:
        await first.get("/sign-in")
        await second.get("/sign-in")
        assert (await first.post("/sign-in", code=link)).status == 303
        assert (await first.get("/")).status == 200

        again = await second.post("/sign-in", code=link)
        assert again.status == 401
        assert "used already" in again.text
        # Base64 of 64 bytes has four spare bits: the same signature can be spelled in sixteen ways.
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        respelled = link[:-1] + alphabet[alphabet.index(link[-1]) ^ 1]
        assert (await second.post("/sign-in", code=respelled)).status == 401
        assert (await second.get("/")).status == 401


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_the_command_line_prints_a_link_that_works(site: Site) -> None:
    """`tapelog sign-in` finds the running stack; a name that is no id is refused before anything is minted."""
    command = [sys.executable, "-m", "tapelog_cli", "sign-in", "--data-dir", str(site.data_dir)]
    done, refused = await asyncio.gather(
        *(asyncio.to_thread(_run, [*command, party]) for party in ("pty-producer", "No Id"))
    )
    async with site.visitor() as browser:
        await browser.get("/sign-in")
        answer = await browser.post("/sign-in", code=done.stdout.strip())

    assert done.stdout.startswith(f"{site.url}/sign-in#")
    assert answer.status == 303
    assert refused.returncode == ExitCode.USAGE


@pytest.mark.parametrize("audience", ["session", "render"])
async def test_a_token_of_a_service_does_not_sign_in(site: Site, audience: str) -> None:
    """Codes have an audience of their own."""
    token = LocalIssuer.open(site.data_dir / "identity").mint(
        audiences=[audience], tenant="local", party="pty-producer"
    )
    async with site.visitor() as browser:
        await browser.get("/sign-in")
        assert (await browser.post("/sign-in", code=token)).status == 401


async def test_the_session_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    """HttpOnly, SameSite, and nothing of the sign-in code in it."""
    link = site.link("pty-producer")
    async with site.visitor() as browser:
        await browser.get("/sign-in")
        answer = await browser.post("/sign-in", code=link)

    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert link.partition("#")[2] not in cookie.value


async def test_a_changed_cookie_is_nobodys(site: Site) -> None:
    """Whoever changes one character of the cookie is signed out."""
    async with site.browser("pty-producer") as browser:
        (cookie,) = (item for item in browser.session.cookie_jar if item.key.startswith("tapelog_session"))
        forged = ("A" if cookie.value[5] != "A" else "B").join([cookie.value[:5], cookie.value[6:]])
        browser.session.cookie_jar.update_cookies({cookie.key: forged}, browser.session._base_url)
        assert (await browser.get("/")).status == 401


async def test_signing_out_ends_every_copy_of_the_session(site: Site) -> None:
    """A cookie that was copied before signing out is worth nothing after it."""
    async with site.browser("pty-producer") as browser, site.visitor() as thief:
        (cookie,) = (item for item in browser.session.cookie_jar if item.key.startswith("tapelog_session"))
        thief.session.cookie_jar.update_cookies({cookie.key: cookie.value}, thief.session._base_url)
        assert (await thief.get("/")).status == 200

        await browser.get("/")
        assert (await browser.post("/sign-out")).status == 303
        assert (await thief.get("/")).status == 401


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form_token": ""}, {}),
        ({"form_token": "0" * 64}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
    ],
    ids=["no token", "wrong token", "other origin", "cross-site"],
)
async def test_a_forged_form_changes_nothing(
    site: Site, production: Production, fields: dict[str, str], headers: dict[str, str]
) -> None:
    """A form without this visit's token, or from another site, is refused."""
    async with site.browser("pty-producer") as browser:
        await browser.get(f"/{production.song}")
        answer = await browser.post(f"/{production.song}/do/note", headers=headers, text="forged", **fields)
    async with site.api() as api:
        song = await api.songs.get(production.song)

    assert answer.status == 403
    assert "Nothing was changed" in answer.text
    assert "forged" not in [note.text for note in song.notes]


async def test_another_persons_form_token_is_refused(site: Site, production: Production) -> None:
    """Tokens are bound to the session, not to the installation."""
    async with site.browser("pty-producer") as producer, site.browser("pty-artist") as artist:
        await producer.get("/")
        answer = await artist.do(production.song, "note", text="stolen", form_token=producer.form_token)

    assert answer.status == 403


async def test_another_host_name_is_refused(site: Site) -> None:
    """A name that somebody points at this machine does not open the page."""
    async with site.visitor() as browser:
        answer = await browser.get("/sign-in", Host="evil.example")

    assert answer.status == 421


@pytest.mark.parametrize("path", ["/sign-in", "/", "/healthz", "/nothing", "/static/x/base.css"])
async def test_every_answer_has_the_security_headers(site: Site, path: str) -> None:
    """Also errors: a strict content policy without inline anything, no sniffing, no framing."""
    async with site.visitor() as browser:
        headers = (await browser.get(path)).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


async def test_no_code_and_no_token_is_logged(site: Site) -> None:
    """What the process wrote about all of these tests names no credential."""
    async with site.browser("pty-producer") as browser:
        await browser.get("/?code=secret-in-address")

    log = (site.data_dir.parent / "up.log").read_text()
    assert "eyJ" not in log
    assert "secret-in-address" not in log
