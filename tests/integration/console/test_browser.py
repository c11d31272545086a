"""A producer at work in a real Chromium."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

from .chromium import SCREENSHOTS, chromium, look, strictly
from .site import Production, Site, produce

READY = "[data-ready=Engine]"
PLAY_S = 20
POLL_MS = 20

SWITCH_WITHOUT_A_GAP = """async (address) => {
  const { startSides, fadeTo, gainOf, CROSSFADE_S } = await import(address);
  const rate = 48000, length = 48000, at = 128 * 150, offset = 4800;
  const context = new OfflineAudioContext(1, length, rate);
  const buffers = [0, 1].map((side) => {
    const buffer = new AudioBuffer({ length: 2 * length, sampleRate: rate });
    const data = buffer.getChannelData(0);
    for (let n = 0; n < data.length; n += 1) data[n] = side ? 0.25 + (n % 1000) / 4000 : -0.25 - (n % 700) / 2800;
    return buffer;
  });
  const gains = [gainOf(-3), 1];
  const sides = startSides(context, buffers, gains, 0, offset / rate, 0);
  context.suspend(at / rate).then(() => { fadeTo(sides, gains, 1, context.currentTime); context.resume(); });
  const heard = (await context.startRendering()).getChannelData(0);
  const [a, b] = buffers.map((buffer) => buffer.getChannelData(0));
  const fade = Math.ceil(CROSSFADE_S * rate) + 1;
  let worst = 0;
  for (let n = 0; n < length; n += 1) {
    const share = Math.min(Math.max((n - at) / (CROSSFADE_S * rate), 0), 1);
    const wanted = gains[0] * a[n + offset] * (1 - share) + gains[1] * b[n + offset] * share;
    if (n < at || n > at + fade) worst = Math.max(worst, Math.abs(heard[n] - wanted));
    else worst = Math.max(worst, Math.abs(heard[n] - wanted) / 10);
  }
  return worst;
}"""
"""Render a switch offline and compare every sample with what it has to be: A until the moment, B at the same place
after the crossfade, and their weighted sum between."""


async def _sign_in(page: Page, site: Site) -> None:
    await page.goto(site.link("pty-producer"))
    await page.wait_for_url(f"{site.url}/")
    assert await page.evaluate("window.location.hash") == ""


async def _frame(page: Page) -> int:
    return int(await page.locator("[data-wave]").get_attribute("aria-valuenow") or -1)


async def _until_past(page: Page, frame: int) -> None:
    """Wait until the cursor has passed a frame; asked from outside: the page forbids to evaluate text."""
    async with asyncio.timeout(PLAY_S):
        while await _frame(page) <= frame:
            await page.wait_for_timeout(POLL_MS)


async def _next_mix(api: Tapelog, made: Production) -> res.Version:
    """Propose, render and submit a mix that keeps the brief, as the engineer."""
    mixing = api.as_party("pty-mixing")
    mix = await mixing.versions.propose_mix(made.song, made.recipe(delay=False, gain_db=-2.0), comment="Dry and close")
    mix = await mixing.versions.wait_rendered(mix.name)
    (note,) = (await api.songs.get(made.song)).notes
    await mixing.notes.address(made.song, note.id, "The delay is off.", mix.name)
    return await mixing.versions.submit(mix.name)


async def test_a_producer_reviews_two_mixes_in_a_browser(site: Site, tmp_path: Path) -> None:
    """Sign in, find the violation, leave a note while it plays, ask for changes, hear A/B, approve the next mix."""
    async with site.api() as api, chromium() as context:
        made = await produce(api, tmp_path, "Northern Line", length_s=6.0)
        page = await context.new_page()
        complaints = strictly(page)
        await page.goto(f"{site.url}/sign-in")
        await look(page, "sign-in")
        await page.goto("about:blank")
        await _sign_in(page, site)
        await expect(page.locator(".live.on")).to_be_attached()
        await look(page, "board")

        await page.locator(f'.song-card a[href="/{made.song}"]').click()
        await expect(page.locator("#rule-dry-lead")).to_contain_text("tracks[lead].chain[0].delay")
        await expect(page.locator("#decision")).to_contain_text("You decide as studio producer")
        note_at = await _leave_a_note_while_it_plays(page)
        (note,) = (await api.songs.get(made.song)).notes
        assert note.range.start_frame == note_at
        await look(page, "song-mix-1")

        await page.locator("#ask-changes > summary").click()
        await page.locator("#changes-text").fill("Take the delay off the lead.")
        await page.get_by_role("button", name="Ask for changes to mix 1").click()
        await expect(page.locator("#decision")).to_contain_text("Changes are asked for")

        mix = await _next_mix(api, made)  # the page is open and hears of it by itself
        await page.get_by_role("link", name="Hear it against mix 1").click()
        await expect(page.locator("#decision")).to_contain_text("Approve mix 2 as studio producer")
        await _hear_both(page)
        await page.get_by_role("button", name="I hear that it is done").click()
        await expect(page.locator("#notes .note-state-3")).to_be_visible()
        await page.get_by_role("button", name="Approve mix 2 as studio producer").click()
        await expect(page.locator("#decision")).to_contain_text("You approved mix 2")

        await api.as_party("pty-artist").versions.approve(mix.name, mix.audio[0].sample_digest)
        await expect(page.locator("#gate")).to_contain_text("conditions hold")
        await look(page, "song-mix-2")
        await page.get_by_role("button", name="Pass the gate as studio producer").click()
        await expect(page.locator(".rail .now")).to_have_text(re.compile("mastering"))
        await page.get_by_role("link", name="The whole story").click()
        await look(page, "story")
        await page.goto(f"{site.url}/{made.project}")
        await look(page, "project")
        await page.goto(f"{site.url}/alerts")
        await look(page, "alerts-refused")
        song = await api.songs.get(made.song)

    assert complaints == []
    assert song.stage == res.STAGE_MASTERING
    assert [approval.party for approval in song.versions[1].approvals] == ["pty-producer", "pty-artist"]
    assert song.notes[0].state == res.NOTE_STATE_VERIFIED


@pytest.mark.nightly
async def test_every_form_of_the_song_page_can_be_read_on_a_phone(site: Site, tmp_path: Path) -> None:
    """With a disagreement under way and everything opened: no sideways scrolling, enough contrast, labels."""
    async with site.api() as api, chromium() as context:
        made = await produce(api, tmp_path, "All forms", length_s=6.0)
        await api.notes.add(made.mix.name, "Blurred", frames=(96_000, 144_000))
        opened = await api.as_party("pty-mixing").disagreements.open(
            made.song, "Does the lead need movement?", version=made.mix.name, constraints=["dry-lead"]
        )
        for party, concern in (("pty-mixing", "It stands still in the bridge"), ("pty-artist", "I lose my room")):
            await api.as_party(party).disagreements.state(made.song, opened.id, concern, wish="To be heard")
        await api.disagreements.propose(made.song, opened.id, "a", "An echo in the bridge", version=made.mix.name)
        page = await context.new_page()
        complaints = strictly(page)
        await _sign_in(page, site)
        await page.goto(f"{site.url}/{made.song}")
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        await look(page, "song-forms")
        async with context.expect_page() as opened_page:
            await page.get_by_role("link", name="Report of mix 1").click()
        report = await opened_page.value
        await expect(report.locator("h1")).to_contain_text("All forms, mix 1")
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            await report.screenshot(path=Path(folder) / "report-desktop.png", full_page=True)

    assert complaints == []


@pytest.mark.nightly
async def test_the_studio_looks_after_its_alerts_in_a_browser(site: Site, tmp_path: Path) -> None:
    """A rule is added, what it finds appears on the open page by itself, and is closed there; live on each side."""
    async with site.api() as api, chromium() as context:
        made = await produce(api, tmp_path, "Watched")
        page = await context.new_page()
        complaints = strictly(page)
        await page.goto(site.link("pty-admin", tenant_roles=("ADMIN",)))
        await page.wait_for_url(f"{site.url}/")
        await page.goto(f"{site.url}/alerts")
        await expect(page.locator(".live.on")).to_be_attached()
        await page.get_by_text("Look for more").click()
        await page.get_by_role("button", name="Add the rule: A version breaks the brief").click()
        await expect(page.locator("#flash")).to_contain_text("looks at what happens from now on")
        await api.as_party("pty-mixing").versions.propose_mix(made.song, made.recipe(delay=True, gain_db=-1.0))
        await expect(page.locator("#alerts .alert")).to_contain_text("tracks[lead].chain[0].delay")
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        await look(page, "alerts")
        await page.locator("#alerts textarea").first.fill("The delay is off")
        await page.get_by_role("button", name="Close the alert").click()
        await expect(page.locator("#alerts")).to_contain_text("All quiet")
        await page.get_by_role("button", name="Remove the rule").first.click()
        await expect(page.locator("#rules .plain-list")).to_have_count(0)

    assert complaints == []


@pytest.mark.nightly
async def test_what_somebody_writes_is_not_lost_when_the_song_moves_on(site: Site, tmp_path: Path) -> None:
    """A half-written reply stays while others change the song; what they changed comes when it is sent."""
    async with site.api() as api, chromium() as context:
        made = await produce(api, tmp_path, "Written")
        await api.notes.add(made.mix.name, "First")
        page = await context.new_page()
        await _sign_in(page, site)
        await page.goto(f"{site.url}/{made.song}")
        await expect(page.locator(".live.on")).to_be_attached()
        note = page.locator("#notes .note").first
        await note.get_by_text("Reply", exact=True).click()
        await note.locator("textarea").fill("Half a sent")
        await api.notes.add(made.mix.name, "Second")
        await expect(page.locator("#gate")).to_contain_text("conditions")
        await expect(page.locator("#story")).to_contain_text("Second")
        assert await note.locator("textarea").input_value() == "Half a sent"
        await expect(page.locator("#notes .note")).to_have_count(1)

        await note.locator("textarea").press_sequentially("ence")
        await note.get_by_role("button", name="Reply as studio producer").click()
        await expect(page.locator("#notes .note")).to_have_count(2)
        await expect(page.locator("#notes")).to_contain_text("Half a sentence")


@pytest.mark.nightly
async def test_without_web_audio_the_browsers_own_players_take_over(site: Site, production: Production) -> None:
    """The same controls play, seek and stop; the file comes by ranges."""
    async with chromium() as context:
        await context.add_init_script("delete window.AudioContext;")
        page = await context.new_page()
        complaints = strictly(page)
        await _sign_in(page, site)
        await page.goto(f"{site.url}/{production.song}")
        await expect(page.locator("[data-ready=PlainEngine]")).to_be_attached()
        await page.locator("h1").click()
        await page.keyboard.press("Space")
        await _until_past(page, 20_000)
        await page.keyboard.press("k")
        await expect(page.locator("[data-play]")).to_have_attribute("aria-pressed", "false")
        await page.keyboard.press("Home")
        assert await _frame(page) == 0

    assert complaints == []


@pytest.mark.nightly
async def test_without_scripts_the_page_is_read_and_notes_are_left(site: Site, lively: Production) -> None:
    """Links and forms alone: sign in by pasting, open the song, leave a note at a typed time."""
    async with chromium(javascript=False) as context:
        page = await context.new_page()
        await page.goto(f"{site.url}/sign-in")
        await page.locator("#code").fill(site.link("pty-producer"))
        await page.get_by_role("button", name="Sign in").click()
        await page.locator(f'.song-card a[href="/{lively.song}"]').click()
        await expect(page.locator("audio").first).to_be_visible()
        await page.locator("#note-text").fill("Without a script")
        await page.locator("#note-at").fill("0:01.250")
        await page.get_by_role("button", name="Leave note").click()
        await expect(page.locator("#flash")).to_contain_text("Your note is on the song")
        await expect(page.locator("#notes")).to_contain_text("0:01.250")


async def _leave_a_note_while_it_plays(page: Page) -> int:
    """Play, jump, note at the cursor by keyboard alone; it goes on playing. Return the frame that was offered."""
    await expect(page.locator(READY)).to_be_attached()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Space")
    await expect(page.locator("[data-play]")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("ArrowRight")
    await _until_past(page, 50_000)
    await page.keyboard.press("n")
    await page.keyboard.type("The echo hides the words. alb")  # letters here are letters, not keys of the player
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement === document.body")
    await page.locator("[data-note-text]").fill("The echo hides the words.")
    await page.locator("#note-severity").select_option("blocker")
    offered = int(await page.locator("[data-start-frame]").input_value())
    assert 48_000 < offered <= await _frame(page)
    await page.get_by_role("button", name="Leave note").click()
    await expect(page.locator("#notes .note")).to_contain_text("The echo hides the words.")
    await expect(page.locator("#flash")).to_contain_text("Your note is on the song")
    await expect(page.locator("[data-play]")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".note-pin")).to_have_count(1)
    await page.locator("h1").click()
    await page.keyboard.press("k")
    await expect(page.locator("[data-play]")).to_have_attribute("aria-pressed", "false")
    return offered


async def _hear_both(page: Page) -> None:
    """Switch while it plays: the other side is heard at the same position, equally loud, without a gap."""
    await expect(page.locator(READY)).to_be_attached()
    gains = [float(await side.get_attribute("data-gain-db") or 1) for side in await page.locator("[data-side]").all()]
    assert max(gains) == 0.0
    assert min(gains) < -0.5
    await page.locator("h1").click()
    await page.keyboard.press("Space")
    await _until_past(page, 5_000)
    before = await _frame(page)
    await page.keyboard.press("b")
    await expect(page.locator("[data-side=B]")).to_have_attribute("aria-pressed", "true")
    await _until_past(page, before + 2_000)
    await page.keyboard.press("a")
    await expect(page.locator("[data-side=A]")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[data-play]")).to_have_attribute("aria-pressed", "true")
    address = await page.evaluate("document.querySelector('script[type=module]').src.replace('main.js', 'engine.js')")
    worst: Any = await page.evaluate(SWITCH_WITHOUT_A_GAP, address)
    assert worst < 1e-3
    await page.keyboard.press("k")
