"""What a report tells of a version and of a delivery: from resources to rows."""

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_cli.desk.told import WrongUsage
from tapelog_cli.reports import delivery, version
from tapelog_cli.reports.people import Names
from tapelog_cli.reports.recipes import ROWS_MAX, changes_section, recipe_section
from tapelog_desk.report import Section

SONG = "projects/prj-1/songs/sng-1"
NAMES = Names({"pty-ann": "Ann", "pty-pia": "Pia"})


def _version(number: int, *, state: "res.VersionState.ValueType" = res.VERSION_STATE_IN_REVIEW) -> res.Version:
    made = res.Version(name=f"{SONG}/masterVersions/{number}", kind=res.VERSION_KIND_MASTER, number=number, state=state)
    made.audio.add(sample_digest=f"{number}a", sha256=f"{number}b", format=audio_pb2.AudioFormat(container="wav"))
    made.recipe_digest = f"{number}c"
    made.required_approvals.extend([res.ROLE_ARTIST, res.ROLE_STUDIO_PRODUCER])
    return made


def _rows(sections: list[Section], title: str) -> tuple[tuple[str, ...], ...]:
    return next(one.rows[1:] for one in sections if one.title.startswith(title))


def test_where_a_version_stands_is_a_sentence():
    """Whose approval is missing is said; an approval that ended counts no more; refusals are bad news."""
    waiting = _version(2)
    waiting.approvals.add(party="pty-ann", role=res.ROLE_ARTIST, sample_digest="2a")
    assert version.verdict_of(waiting, NAMES) == (
        "In review; approved by Ann (artist); waits for the studio producer",
        False,
    )
    waiting.approvals[0].superseded = True
    assert version.verdict_of(waiting, NAMES)[0] == "In review; waits for the artist and studio producer"
    assert version.verdict_of(_version(2, state=res.VERSION_STATE_REJECTED), NAMES) == ("Rejected", True)


def test_approvals_of_other_samples_are_told_apart():
    """Each row says whether the approval stands for the samples of this report."""
    approved = _version(2)
    approved.approvals.add(party="pty-ann", role=res.ROLE_ARTIST, sample_digest="2a", self_approved=True)
    approved.approvals.add(party="pty-pia", role=res.ROLE_STUDIO_PRODUCER, sample_digest="1a")
    approved.approvals.add(party="pty-pia", role=res.ROLE_STUDIO_PRODUCER, sample_digest="2a", superseded=True)
    rows = version.approvals(approved, NAMES).rows[1:]
    assert [row[-1] for row in rows] == ["approved", "other samples", "superseded"]
    assert rows[0][:2] == ("Ann", "artist, own work")


def test_rules_have_verdict_evidence_and_waiver():
    """A broken rule is told with its evidence, and as waived where that holds for this version; others are left out."""
    song, judged = res.Song(), _version(2)
    song.brief.constraints.add(id="loud", statement="Not louder than the demo.")
    for constraint, verdict in (
        ("dry", brief_pb2.VERDICT_PASS),
        ("loud", brief_pb2.VERDICT_VIOLATION),
        ("wide", brief_pb2.VERDICT_VIOLATION),
        ("key", brief_pb2.VERDICT_NOT_MEASURED),
        ("stems", brief_pb2.VERDICT_NOT_APPLICABLE),
    ):
        judged.verdicts.add(
            constraint=constraint, verdict=verdict, statement=constraint, evidence="found.", brief_revision=3
        )
    song.waivers.add(constraint="loud", version=judged.name, waived_by="pty-pia", reason="the label asks")
    song.waivers.add(constraint="wide", version=f"{SONG}/masterVersions/1", waived_by="pty-pia", reason="then")
    section = version.brief_checks(song, judged, NAMES)
    assert section.title == "The brief, revision 3"
    assert section.rows[1:] == (
        ("kept", "dry", "found."),
        ("waived", "loud", "found. Waived by Pia: the label asks"),
        ("broken", "wide", "found."),
        ("not measured", "key", "found."),
    )
    assert _rows(version.decisions(song, judged, NAMES, internal=False), "Waivers") == (
        ("Not louder than the demo.", "the label asks", "Pia", ""),
    )


def test_internal_matters_stay_inside():
    """Internal notes, and decisions about other versions, are there only when asked for; far notes never."""
    song, now, before = res.Song(sample_rate_hz=48_000), _version(2), _version(1)
    for text, thread, of in (
        ("softer", res.NOTE_THREAD_CLIENT, now.name),
        ("carried", res.NOTE_THREAD_CLIENT, before.name),
        ("tired ears", res.NOTE_THREAD_INTERNAL, now.name),
        ("unsaid thread", res.NOTE_THREAD_UNSPECIFIED, now.name),
        ("a mix's", res.NOTE_THREAD_CLIENT, f"{SONG}/mixVersions/1"),
    ):
        song.notes.add(text=text, thread=thread, version=of, author="pty-ann", author_role=res.ROLE_ARTIST)
    song.notes[0].range.start_frame = 96_000
    for about in (now.name, before.name):
        one = song.disagreements.add(question="Louder?", version=about)
        one.options.add(id="a", description="2 dB less")
        one.decision.kind, one.decision.option, one.decision.party = res.DECISION_KIND_ADOPT, "a", "pty-pia"
        one.decision.rationale = "It breathes."
        one.consents.add(party="pty-ann")
    sent = version.sections_of(song, now, before, None, NAMES, internal=False)
    assert [row[3] for row in _rows(sent, "Notes")] == ["softer", "carried"]
    assert _rows(sent, "Notes")[0][1] == "0:02.000"
    assert len(_rows(sent, "Decisions")) == 1
    assert _rows(sent, "Decisions")[0][1] == "Adopt: 2 dB less. It breathes."
    kept = version.sections_of(song, now, before, None, NAMES, internal=True)
    assert [row[3] for row in _rows(kept, "Notes")] == ["softer", "carried", "tired ears", "unsaid thread"]
    assert len(_rows(kept, "Decisions")) == 2
    assert version.hidden_notes(song, now, before) == 2


def test_files_of_a_delivery_are_traced():
    """The approved samples, the same recipe, or nothing: and nothing is bad news that names the file."""
    master = _version(2, state=res.VERSION_STATE_APPROVED)
    master.approvals.add(party="pty-ann", role=res.ROLE_ARTIST, sample_digest="2a", recipe_digest="2c")
    master.audio.add(sample_digest="2a16")
    known = {master.name: master}
    package = res.DeliveryPackage(state=res.DELIVERY_STATE_FINAL)
    for name, digest, recipe in (
        ("m.wav", "2a", "2c"),
        ("m16.wav", "2a16", "2c"),
        ("r.json", "", "2c"),
        ("x", "9", "9"),
    ):
        package.files.add(filename=name, sample_digest=digest, recipe_digest=recipe, version=master.name)
    assert [delivery.trace(file, known) for file in package.files] == [
        "approved",
        "same recipe",
        "same recipe",
        "not traced",
    ]
    said, missed = delivery.verdict_of(package, known, NAMES)
    assert said == "Final: to be handed over. 4 files, not traced: x."
    assert missed
    del package.files[-1]
    package.accepted_by = "pty-ann"
    package.state = res.DELIVERY_STATE_ACCEPTED
    assert delivery.verdict_of(package, known, NAMES) == (
        "Accepted by Ann. 3 files, each traced to its approved version.",
        False,
    )


def test_credits_say_what_they_lack():
    """Contributions with their state, and each gap with whom it is about; who may not ask is told so."""
    session = res.StudioSession(venue="Pier")
    session.contributions.add(party="pty-ann", role=res.ROLE_ARTIST, state=res.CONTRIBUTION_STATE_LOGGED)
    gap = res.GateCondition(subject="mixing engineer", description="nobody is credited in this role")
    told = delivery.sections_of(
        res.DeliveryPackage(), res.Song(), rebuilt=None, missing=[gap], sessions=[session], names=NAMES
    )
    credit = next(one for one in told if one.title == "Credits")
    assert credit.rows[1] == ("Ann", "artist", "–", "Pier", "unconfirmed")
    assert credit.text[1] == "mixing engineer: nobody is credited in this role"


def test_settings_are_told_without_braces():
    """A whole insert reads as one; numbers and constants are short; quoted text and digests stay what they are."""
    insert = "eq { bands { shape: EQ_SHAPE_BELL frequency_hz: 3000.0 gain_db: -3.0 } } channels: INSERT_CHANNELS_STEREO"
    digest = "1234567890" * 6 + "1234"
    rows = changes_section(
        [
            ("chain[0]", "", insert),
            ("chain[0].eq.bands[0].shape", "EQ_SHAPE_BELL", "EQ_SHAPE_HIGH_SHELF"),
            ("tracks[a]", 'id: "x { y: 2 }" gain_db: 1.5', ""),
            ("source.asset_sha256", digest, "1_0e5"),
            ("frame", "1105545", "-0.000125"),
        ]
    ).rows[1:]
    assert rows == (
        ("chain[0]", "–", "eq (bands (shape bell, frequency_hz 3000, gain_db −3)), channels stereo"),
        ("chain[0].eq.bands[0].shape", "bell", "high_shelf"),
        ("tracks[a]", 'id "x { y: 2 }", gain_db 1.5', "–"),
        ("source.asset_sha256", digest, "1_0e5"),
        ("frame", "1105545", "−0.000125"),
    )


def test_recipes_of_one_kind_are_compared_and_a_long_list_is_cut():
    """A mix against a master is refused; equal recipes say so; what is left out is counted."""
    with pytest.raises(WrongUsage, match="nothing in common"):
        recipe_section(recipe_pb2.MixRecipe(), recipe_pb2.MasterRecipe())
    assert recipe_section(recipe_pb2.MixRecipe(), recipe_pb2.MixRecipe()).text == (
        "Nothing: both recipes are the same.",
    )
    section = changes_section((f"tracks[{n}].gain_db", "-3", "") for n in range(ROWS_MAX + 2))
    assert section.rows[1] == ("tracks[0].gain_db", "−3", "–")
    assert len(section.rows) == ROWS_MAX + 1
    assert section.text == ("2 further changes are left out.",)
