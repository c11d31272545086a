"""The page of alerts: rules made and removed on it, alerts that come by themselves, and what people do about them."""

import asyncio
import re

import pytest
from tapelog.notify.v1 import alerts_pb2
from tapelog_console.reading.alerts import PRESETS

from .site import Browser, Production, Site, section
from .test_streams import WAIT_S, listening

ADMIN = ("ADMIN",)


async def _regions(browser: Browser) -> tuple[str, str]:
    page = (await browser.get("/alerts")).text
    return section(page, "alerts"), section(page, "rules")


async def _rule_id(browser: Browser, title: str) -> str:
    page = (await browser.get("/alerts")).text
    at = page.index(f"<b>{title}</b>")
    found = re.compile(r'name="rule" value="([^"]+)"').search(page, at)
    assert found is not None
    return found[1]


async def test_an_alert_comes_by_itself_and_is_closed_on_the_page(site: Site, lively: Production) -> None:
    """A rule is added by a form; what breaks the brief next tells the open page; it is silenced and closed."""
    async with (
        site.browser("pty-producer", tenant_roles=ADMIN) as browser,
        site.api() as api,
    ):
        assert (await browser.get("/alerts")).status == 200
        assert (
            (await browser.post("/alerts/do/add-rule", preset="brief-broken")).headers["Location"].startswith("/alerts")
        )
        page = (await browser.get("/alerts")).text
        assert "A version breaks the brief" in section(page, "rules")
        cursor = re.search(r'data-cursor="(\w+)"', page)
        assert cursor is not None
        async with listening(browser, f"/alerts/events?after={cursor[1]}") as events:
            mixing = api.as_party("pty-mixing")
            await mixing.versions.propose_mix(lively.song, lively.recipe(delay=True, gain_db=-1.0))
            async with asyncio.timeout(WAIT_S):
                told = await anext(events)
        assert (told.event, told.cursor != cursor[1]) == ("changed", True)
        page = (await browser.get("/alerts")).text
        assert "dry-lead" in section(page, "alerts")
        assert "raised 1 time" in section(page, "alerts")
        assert f'<a href="/{lively.song}">Lively</a>' in page
        alert = re.search(r'name="alert" value="([^"]+)"', page)
        assert alert is not None
        await browser.post("/alerts/do/snooze", alert=alert[1], hours=8, text="known")
        assert "silent until" in (await _regions(browser))[0]
        await browser.post("/alerts/do/resolve", alert=alert[1], text="the delay is off")
        assert "All quiet" in (await _regions(browser))[0]
        assert "over" in section((await browser.get("/alerts?all")).text, "alerts")
        removed = await browser.post(
            "/alerts/do/remove-rule", rule=await _rule_id(browser, "A version breaks the brief")
        )
        assert removed.status == 303
        assert "A version breaks the brief" not in (await _regions(browser))[1].partition("Look for more")[0]


async def test_what_the_page_refuses(site: Site) -> None:
    """A number beyond a week, an action that is none, and everything from somebody without a role in the studio."""
    async with site.browser("pty-admin", tenant_roles=ADMIN) as browser:
        await browser.get("/alerts")
        too_long = await browser.post("/alerts/do/add-rule", preset="artist-waits", number=169)
        unknown = await browser.post("/alerts/do/shout", preset="artist-waits")
        odd = await browser.post("/alerts/do/snooze", alert="alt-1", hours=5)
        forged = await browser.post("/alerts/do/add-rule", preset="brief-broken", form_token="0" * 64)
    async with site.browser("pty-producer") as browser:
        await browser.get("/alerts")
        refused = await browser.post("/alerts/do/add-rule", preset="brief-broken")
        deaf = await browser.get("/alerts/events")
    assert (too_long.status, "between 1 and 168" in too_long.text) == (400, True)
    assert (unknown.status, odd.status, forged.status) == (404, 400, 403)
    assert (refused.status, deaf.status) == (403, 403)


@pytest.mark.parametrize("key", PRESETS)
async def test_every_rule_that_the_page_offers_can_be_made(site: Site, key: str) -> None:
    """The notify service takes it as it is, with its number in the title."""
    preset = PRESETS[key]
    async with site.browser("pty-admin", tenant_roles=ADMIN) as browser:
        await browser.get("/alerts")
        made = await browser.post("/alerts/do/add-rule", preset=key, number=3 if preset.unit else "")
        assert made.status == 303, made.text
        title = preset.title.format(n=3)
        id_ = await _rule_id(browser, title)
        async with site.api("pty-admin").as_party("pty-admin", tenant_roles=list(ADMIN)) as api:
            rule = next(one for one in await api.alerts.rules() if one.name == f"alertRules/{id_}")
        await browser.post("/alerts/do/remove-rule", rule=id_)
    assert rule.title == title
    assert rule.severity != alerts_pb2.ALERT_SEVERITY_UNSPECIFIED
    if preset.unit:
        assert rule.absence.after.ToTimedelta() == 3 * preset.unit_time
