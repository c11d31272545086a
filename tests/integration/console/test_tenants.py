"""Another tenant's people, on the review page: what is here and what is nowhere look alike to them."""

import re

import aiohttp
import pytest

from .site import Production, Site

EVERY_ROLE = ("ADMIN", "AUDITOR", "BILLING_READER")
WAYS = (
    "",
    "/story",
    "/report/delivery",
    "/report/mix-1",
    "/events",
    "/audio/mix-1/mix",
    "/takes/tak-1/audio",
    "/deliveries/dlv-1/manifest.json",
)


def ghost_of(name: str) -> str:
    """Return a name of the same form and length, of something that is nowhere."""
    return re.sub(r"([a-z]{3}-)[0-9a-z]{10}", r"\1zzzzzzzzzz", name)


def alike(text: str) -> str:
    """Return a page without ids and what a form's token makes of it."""
    return re.sub(r"[a-z]{3}-[0-9a-z]{20,}|value=\"\w{32,}\"|[0-9a-f]{32,}", "IT", text)


@pytest.mark.parametrize("way", WAYS)
async def test_a_page_does_not_tell_what_another_tenant_has(site: Site, production: Production, way: str) -> None:
    """The same party id and every role of another tenant: a song of ours and one that is nowhere give one page."""
    async with site.browser("pty-producer", tenant="rival", tenant_roles=EVERY_ROLE) as rival:
        async with site.browser("pty-producer") as owner:
            assert (await owner.get(f"/{production.song}")).status == 200
        here, nowhere = [await _asked(rival, f"/{name}{way}") for name in (production.song, ghost_of(production.song))]
    assert here == nowhere
    assert here[0] in (403, 404)


async def test_a_project_and_its_stream_neither(site: Site, production: Production) -> None:
    """Nor does the page of a project, its events, or what is sent to a song."""
    project = production.song.partition("/songs/")[0]
    async with site.browser("pty-producer", tenant="rival", tenant_roles=EVERY_ROLE) as rival:
        for way in ("", "/events"):
            here, nowhere = [await _asked(rival, f"/{name}{way}") for name in (project, ghost_of(project))]
            assert here == nowhere
        board = await rival.get("/")
        assert project.split("/")[1] not in board.text
        sent = [await rival.do(name, "note", text="x") for name in (production.song, ghost_of(production.song))]
    assert (sent[0].status, alike(sent[0].text)) == (sent[1].status, alike(sent[1].text))


async def _asked(browser: object, path: str) -> tuple[int, str]:
    try:
        answer = await browser.get(path)
    except aiohttp.ClientError as failure:
        return 0, type(failure).__name__
    return answer.status, alike(answer.text)
