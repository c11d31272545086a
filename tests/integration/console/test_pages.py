"""What the pages show, to whom."""

import itertools
import re

import pytest
from tapelog_console.reading import words

from .site import Production, Site, section


async def test_the_board_has_the_song_in_its_stage_and_says_who_is_waited_for(
    site: Site, production: Production
) -> None:
    """The producer sees that the song waits for them; the mixing engineer, for whom."""
    async with site.browser("pty-producer") as producer, site.browser("pty-mixing") as mixing:
        mine = (await producer.get("/")).text
        theirs = (await mixing.get("/")).text

    card = re.search(rf'<li class="song-card mine">\s*<a href="/{production.song}">.*?</li>', mine, re.DOTALL)
    assert card is not None
    assert "waits for you" in card[0]
    assert "1 brief violation" in card[0]
    column = mine[mine.index('id="stage-3"') : mine.index('id="stage-4"')]
    assert production.song in column
    card = re.search(rf'<a href="/{production.song}">.*?</li>', theirs, re.DOTALL)
    assert card is not None
    assert "Pia Producer" in card[0]
    assert "(studio producer)" in card[0]


async def test_the_project_page_has_its_people(site: Site, production: Production) -> None:
    """Names and roles, escaped."""
    async with site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{production.project}")).text

    assert "Max Mixing" in page
    assert "mixing engineer" in page
    assert "Ana &lt;b&gt;Bold&lt;/b&gt;" in page


async def test_the_song_page_shows_the_violation_with_its_evidence(site: Site, production: Production) -> None:
    """The rule, the artist's words, and where in the recipe it is broken."""
    async with site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{production.song}")).text

    told = section(page, "brief")
    assert "violation" in told
    assert "dry-lead" in told
    assert "I want the room, not an echo" in told
    assert "tracks[lead].chain[0].delay" in told
    assert "breaks 1 rule of the brief" in section(page, "decision")


async def test_what_people_write_is_text_and_never_markup(site: Site, production: Production) -> None:
    """Titles, comments, briefs and names with tags in them are shown as they were written."""
    async with site.browser("pty-producer") as browser:
        pages = [(await browser.get(path)).text for path in ("/", f"/{production.song}", f"/{production.song}/story")]

    for page in pages:
        assert "<script>alert" not in page
        assert "<em>only</em>" not in page
        assert "<i>slap</i>" not in page
    assert "Read &lt;em&gt;only&lt;/em&gt;" in pages[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[1]


async def test_every_failing_condition_of_the_gate_is_listed(site: Site, production: Production) -> None:
    """As many as the service says, each with its words."""
    async with site.api() as api:
        gate = await api.stages.evaluate(production.song)
    async with site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{production.song}")).text

    failing = [condition for condition in gate.conditions if not condition.passed]
    told = section(page, "gate")
    assert len(failing) > 1
    assert [condition.code for condition in failing if condition.code.replace("_", " ").lower() not in told] == []
    assert [condition.code for condition in failing if words.plain(condition.description) not in told] == []
    assert not re.search(r"[A-Z]+_[A-Z]+", told)


async def test_waveform_and_loudness_are_drawn_from_the_render(site: Site, production: Production) -> None:
    """The path spans the whole width and both signs; the curve stands where the loudness was measured."""
    async with site.browser("pty-producer") as browser:
        page = (await browser.get(f"/{production.song}")).text

    path = re.search(r'class="wave-path" d="M([^"]+)Z"', page)
    assert path is not None
    values = [tuple(map(float, point.split())) for point in path[1].split("L")]
    assert max(x for x, _ in values) > 990
    assert min(y for _, y in values) < -0.05
    assert max(y for _, y in values) > 0.05
    assert re.search(r'<polyline points="[\d.]+,[\d.]+', page)


async def test_takes_are_listed_with_their_arrival_check(site: Site, production: Production) -> None:
    """Every track, its chosen take, and that it is fit for use."""
    async with site.browser("pty-producer") as browser:
        told = section((await browser.get(f"/{production.song}")).text, "takes")

    assert "2 tracks, 2 takes" in told
    assert told.count("fit for use") == 2
    assert told.count("chosen") == 2


@pytest.mark.parametrize(
    ("party", "expected"),
    [
        ("pty-producer", "You decide as studio producer"),
        ("pty-artist", "You decide as artist"),
        ("pty-mixing", "You are mixing engineer: artist and studio producer decide"),
    ],
)
async def test_the_role_is_made_plain(site: Site, production: Production, party: str, expected: str) -> None:
    """Who may decide reads as what they decide; who may not, who does."""
    async with site.browser(party) as browser:
        page = (await browser.get(f"/{production.song}")).text

    assert expected in section(page, "decision")


async def test_a_stranger_to_the_project_gets_a_page_that_says_what_to_do(site: Site, production: Production) -> None:
    """No title, no name of anybody: only that it is not theirs."""
    async with site.browser("pty-outsider") as browser:
        answers = [
            await browser.get(path)
            for path in (f"/{production.song}", f"/{production.project}", f"/{production.song}/story")
        ]
        board = await browser.get("/")

    for answer in answers:
        assert answer.status in (403, 404)
        assert "Pia" not in answer.text
        assert "only" not in answer.text
    assert "No projects yet" in board.text


async def test_alerts_are_for_those_who_may_read_them(site: Site) -> None:
    """Without a role in the tenant the page says which one is missing; with it, it lists."""
    async with site.browser("pty-producer") as browser:
        refused = await browser.get("/alerts")
    async with site.browser("pty-producer", tenant_roles=("AUDITOR",)) as browser:
        listed = await browser.get("/alerts")

    assert "Your role does not read alerts" in refused.text
    assert "AUDITOR" in refused.text
    assert "All quiet" in listed.text


async def test_a_story_is_read_in_chapters(site: Site, production: Production) -> None:
    """Before a fact its page has those before it and a link on; a place that is no number is told."""
    async with site.browser("pty-producer") as browser:
        whole = (await browser.get(f"/{production.song}/story")).text
        part = (await browser.get(f"/{production.song}/story?before=4")).text
        wrong = await browser.get(f"/{production.song}/story?before=last")
    assert "facts, from the first to the newest" in whole
    assert whole.count("<time ") > 20
    assert part.count("<time ") == 3
    assert re.search(r"Facts 1 to 3 of \d+", part)
    assert f'rel="next" href="/{production.song}/story"' in part
    assert wrong.status == 404


async def test_a_wrong_address_gets_a_human_page(site: Site, production: Production) -> None:
    """Also a version that does not exist, and a name that is no id."""
    async with site.browser("pty-producer") as browser:
        for path in ("/nothing", f"/{production.song}?version=mix-99", "/projects/NOT%20AN%20ID", "/projects/prj-none"):
            answer = await browser.get(path)
            assert answer.status == 404, path
            assert "There is nothing here" in answer.text
            assert "Traceback" not in answer.text


async def test_pages_have_landmarks_labels_and_headings_in_order(site: Site, production: Production) -> None:
    """One main, one h1, no level skipped, a label for every field, no inline style or script."""
    async with site.browser("pty-producer") as browser:
        for path in ("/", f"/{production.project}", f"/{production.song}", f"/{production.song}/story", "/alerts"):
            page = (await browser.get(path)).text
            levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
            fields = re.findall(r"<(?:input|select|textarea)\b(?![^>]*type=\"(?:hidden|checkbox)\")[^>]*>", page)
            labelled = set(re.findall(r'<label for="([^"]+)"', page))

            assert page.count("<main") == 1
            assert levels.count(1) == 1
            assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
            assert [field for field in fields if re.search(r'id="([^"]+)"', field)[1] not in labelled] == []
            assert 'class="skip"' in page
            assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", page)
