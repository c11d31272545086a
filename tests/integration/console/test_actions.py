"""What people do on the page: the producer's way from a violation to the next mix's approval, and every refusal."""

import asyncio
from pathlib import Path

from tapelog.session.v1 import resources_pb2 as res

from .site import PEOPLE, Site, produce, section


async def test_a_producer_reviews_two_mixes(site: Site, tmp_path: Path) -> None:
    """Note, request for changes, next mix, note settled, approvals, gate: each is a fact in the song's log."""
    async with site.api() as api, site.browser("pty-producer") as producer, site.browser("pty-artist") as artist:
        made = await produce(api, tmp_path, "Two mixes")
        await producer.get(f"/{made.song}")
        left = await producer.do(
            made.song, "note", version="mix-1", text="The echo hides it", start_frame=48_001, end_frame=96_000,
            rate_hz=48_000, severity="blocker", category="effect",
        )  # fmt: skip
        assert left.status == 303, left.text
        assert left.headers["Location"] == f"/{made.song}?done=note"
        (note,) = (await api.songs.get(made.song)).notes
        assert (note.range.start_frame, note.range.end_frame) == (48_001, 96_000)
        assert (note.severity, note.author) == (res.NOTE_SEVERITY_BLOCKER, "pty-producer")

        asked = await producer.do(made.song, "request-changes", version="mix-1", text="Dry, please", note=[note.id])
        assert asked.status == 303, asked.text
        assert (await api.versions.get(made.mix.name)).state == res.VERSION_STATE_CHANGES_REQUESTED

        mixing = api.as_party("pty-mixing")
        mix = await mixing.versions.propose_mix(made.song, made.recipe(delay=False), comment="Dry")
        mix = await mixing.versions.wait_rendered(mix.name)
        await mixing.notes.address(made.song, note.id, "The delay is off.", mix.name)
        await mixing.versions.submit(mix.name)
        page = (await producer.get(f"/{made.song}")).text
        assert "Approve mix 2 as studio producer" in section(page, "decision")
        assert "The delay is off." in section(page, "notes")
        assert (await producer.do(made.song, "verify", note=note.id)).status == 303

        digest = mix.audio[0].sample_digest
        await artist.get(f"/{made.song}")
        for browser in (producer, artist):
            approved = await browser.do(made.song, "approve", version="mix-2", sample_digest=digest)
            assert approved.status == 303, approved.text
        assert "All" in section((await producer.get(f"/{made.song}")).text, "gate")
        assert (await producer.do(made.song, "advance", to="mastering")).status == 303
        assert (await api.songs.get(made.song)).stage == res.STAGE_MASTERING


async def test_a_brief_is_proposed_changed_and_agreed_on_the_page(site: Site) -> None:
    """The first one from nothing; then other words, one rule less and one more.

    A level that is none, no reason, and a form of an older revision change nothing.
    """
    members = [res.Member(party=party, roles=roles) for party, (_, roles) in PEOPLE.items()]
    async with site.api() as api, site.browser("pty-producer") as producer, site.browser("pty-artist") as artist:
        project = await api.projects.create("Rewritten, the record", "The Testers", members)
        song = (await api.songs.create(project.name, "Rewritten", sample_rate_hz=48_000, bit_depth=24)).name
        assert "Propose a brief" in section((await producer.get(f"/{song}")).text, "brief")
        first = {"revision": 0, "text": "Close & dry", "statement": "Room in the peaks", "kind": "true_peak_max"}
        wrong = await producer.do(song, "propose-brief", **first, level="loud")
        assert (await producer.do(song, "propose-brief", **first, level="−1,5")).status == 303
        wish = {
            "revision": 1, "text": "Close, dry, and small", "non_goals": "no choir\n\nno intro", "keep": [],
            "statement": "Näher dran: nothing blurs my words, ever", "kind": "effect_forbidden", "effect": "reverb",
            "tracks": "lead, band", "reason": "We heard it in the car",
        }  # fmt: skip
        silent = await producer.do(song, "propose-brief", **{**wish, "reason": ""})
        peak = (await api.songs.get(song)).brief.constraints[0]
        done = await producer.do(song, "propose-brief", **{**wish, "keep": [peak.id]})
        assert "Agree to revision 2 as artist" in section((await artist.get(f"/{song}")).text, "brief")
        stale = await artist.do(song, "propose-brief", **wish)
        for browser in (artist, producer):
            assert (await browser.do(song, "agree-brief", revision=2)).status == 303
        brief = (await api.songs.get(song)).brief
    assert (wrong.status, silent.status, done.status, stale.status) == (400, 400, 303, 400)
    assert "is not a number such as -14" in wrong.text
    assert "revision 2 by now" in stale.text
    assert (peak.id, peak.true_peak_max.max_dbtp) == ("room-in-the-peaks", -1.5)
    assert (brief.revision, brief.agreed, brief.intent) == (2, True, "Close, dry, and small")
    assert list(brief.non_goals) == ["no choir", "no intro"]
    assert [rule.id for rule in brief.constraints] == ["room-in-the-peaks", "naher-dran-nothing-blurs"]
    added = brief.constraints[1].effect_forbidden
    assert (list(added.effects), list(added.selector.tracks)) == (["reverb"], ["lead", "band"])


async def test_a_disagreement_is_settled_on_the_page(site: Site, tmp_path: Path) -> None:
    """Question, two positions, an option, the decision that waives a rule, the consents, the end."""
    async with site.api() as api:
        made = await produce(api, tmp_path, "Disagreed")
        async with (
            site.browser("pty-producer") as producer,
            site.browser("pty-artist") as artist,
            site.browser("pty-mixing") as mixing,
        ):
            for browser in (producer, artist, mixing):
                await browser.get(f"/{made.song}")
            steps = [
                (mixing, "disagree", {"text": "Does the lead need movement?", "constraint": ["dry-lead"]}),
                (mixing, "position", {"text": "It stands still", "wish": "an echo"}),
                (artist, "position", {"text": "I lose my room"}),
                (producer, "option", {"option": "a", "text": "Echo in the last bars", "version": "mix-1"}),
                (producer, "decide", {"kind": "compromise", "text": "Only there", "constraint": ["dry-lead"]}),
                (artist, "consent", {}),
                (mixing, "consent", {}),
                (producer, "close-disagreement", {"text": "as decided"}),
            ]
            for browser, action, fields in steps:
                song = await api.songs.get(made.song)
                named = {"disagreement": song.disagreements[0].id} if song.disagreements else {}
                done = await browser.do(made.song, action, **named, **fields)
                assert done.status == 303, (action, done.text)
            told = section((await artist.get(f"/{made.song}")).text, "disagreements")
        song = await api.songs.get(made.song)

    assert song.disagreements[0].state == res.DISAGREEMENT_STATE_CLOSED
    assert [waiver.constraint for waiver in song.waivers] == ["dry-lead"]
    for words in ("Does the lead need movement?", "It stands still", "I lose my room", "Echo in the last bars"):
        assert words in told


async def test_refusals_list_everything_and_change_nothing(site: Site, tmp_path: Path) -> None:
    """A closed gate, a missing role, a wrong time, a stale digest: a page that says what to do."""
    async with site.api() as api:
        made = await produce(api, tmp_path, "Refused")
        before = (await api.songs.get(made.song)).sequence
        gate = await api.stages.evaluate(made.song)
        async with site.browser("pty-producer") as producer, site.browser("pty-mixing") as mixing:
            await producer.get(f"/{made.song}")
            await mixing.get(f"/{made.song}")
            digest = made.mix.audio[0].sample_digest
            role = await mixing.do(made.song, "approve", version="mix-1", sample_digest=digest)
            stale = await producer.do(made.song, "approve", version="mix-1", sample_digest="0" * 64)
            time = await producer.do(made.song, "note", version="mix-1", text="x", at="about a minute in")
            empty = await producer.do(made.song, "note", version="mix-1", text="  ")
            long = await producer.do(made.song, "note", version="mix-1", text="x" * 2001)
            kind = await producer.do(made.song, "decide", disagreement="dis-1", text="x", kind="unheard")
            huge = await producer.do(made.song, "note", version="mix-1", text="x" * 100_000)
            unknown = await producer.do(made.song, "explode")
            assert (await api.songs.get(made.song)).sequence == before
            closed = await producer.do(made.song, "advance", to="mastering")

    assert (role.status, stale.status, time.status, empty.status, long.status) == (403, 409, 400, 400, 400)
    assert (kind.status, unknown.status, closed.status) == (400, 404, 409)
    assert huge.status == 413
    assert "Nothing was changed" in huge.text
    assert "Your role does not allow this" in role.text
    assert "write it as 1:23.456" in time.text
    for condition in gate.conditions:
        assert condition.passed or condition.code.replace("_", " ").lower() in closed.text


async def test_a_second_click_is_the_same_request(site: Site, tmp_path: Path) -> None:
    """The form's own id makes one note of two sends, one after the other or at once."""
    request_id = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
    async with site.api() as api, site.browser("pty-producer") as browser:
        made = await produce(api, tmp_path, "Twice")
        await browser.get(f"/{made.song}")
        fields = {"version": "mix-1", "text": "once", "at": "0:01.5", "until": "0:02", "rate_hz": 48_000}
        answers = await asyncio.gather(
            *(browser.do(made.song, "note", request_id=request_id, **fields) for _ in range(3))
        )
        (note,) = (await api.songs.get(made.song)).notes

    assert [answer.status for answer in answers] == [303, 303, 303]
    assert (note.range.start_frame, note.range.end_frame) == (72_000, 96_000)


async def test_no_form_leads_away_from_the_site(site: Site, tmp_path: Path) -> None:
    """Where the page goes on is made of checked parts alone."""
    async with site.api() as api, site.browser("pty-producer") as browser:
        made = await produce(api, tmp_path, "Here")
        await browser.get(f"/{made.song}")
        answer = await browser.do(
            made.song, "note", version="mix-1", text="stay", show_version="//evil.example", show_against="mix-1"
        )

    assert answer.headers["Location"] == f"/{made.song}?against=mix-1&done=note"
