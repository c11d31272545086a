"""Scenario S3 with real audio: the mix breaks the brief, people disagree, the producer brings them to a compromise."""

from pathlib import Path
from typing import Final

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied

from .conftest import System
from .excerpts import mix_of
from .production import record_excerpts
from .studio import Studio, open_studio

LENGTH_S: Final = 3.0
BRIDGE: Final = (72_000, 120_000)
"""The passage in which the voice may move, in frames."""
MATCH_LU: Final = 0.1
ALLOWANCE: Final = 2
VOICE: Final = brief_pb2.TrackSelector(tracks=["lead-vox"])
ECHO: Final = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=240, feedback=0.3))
WIDE: Final = recipe_pb2.Processor(width=recipe_pb2.Width(width=1.8))
NARROW: Final = brief_pb2.Constraint(
    id="narrow",
    statement="My voice stays in the middle.",
    effect_forbidden=brief_pb2.EffectForbidden(selector=VOICE, effects=["width"]),
)
DRY: Final = brief_pb2.Constraint(
    id="dry",
    statement="No echo on my voice.",
    effect_forbidden=brief_pb2.EffectForbidden(selector=VOICE, effects=["delay"]),
)
FAR: Final = brief_pb2.Constraint(
    id="far",
    statement="Reverb only behind the voice.",
    send_limit=brief_pb2.SendLimit(selector=VOICE, effect="reverb", max_gain_db=-14),
)
IN_BRIDGE: Final = brief_pb2.Constraint(
    id="dry",
    statement="Echo in the bridge alone.",
    section_scope=brief_pb2.SectionScope(
        selector=VOICE,
        effects=["delay"],
        sections=[
            brief_pb2.Section(title="bridge", range=audio_pb2.FrameRange(start_frame=BRIDGE[0], end_frame=BRIDGE[1]))
        ],
    ),
)
QUIET: Final = brief_pb2.Constraint(
    id="quiet-echo",
    statement="And far away.",
    send_limit=brief_pb2.SendLimit(selector=VOICE, effect="delay", max_gain_db=-18),
)


@pytest.mark.nightly
async def test_a_rejected_mix_ends_in_a_compromise_that_can_be_heard(system: System, tmp_path: Path) -> None:
    """S3 whole: flagged before the render, refused, disputed, heard equally loud, decided, mixed again, approved."""
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "Compromise", DRY, NARROW, FAR)
        await studio.producer.projects.set_allowance(studio.project, ALLOWANCE)
        await record_excerpts(studio, tmp_path, "choir", "lead-vox", length_s=LENGTH_S)
        await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
        mix = await _break_the_brief(studio)
        opened = await _disagree(studio, mix)
        await _hear_both(studio, opened.id)
        await _decide(studio, opened.id)
        await _printed_effects_are_not_measured(studio)
        await _mix_as_decided(studio)
        await _audit(studio, opened.id)
        await _rounds_beyond_the_allowance_are_told_and_not_blocked(studio)


def _voice_with(studio: Studio, *chain: recipe_pb2.Processor) -> recipe_pb2.MixRecipe:
    recipe = mix_of(studio.sources)
    next(track for track in recipe.tracks if track.id == "lead-vox").chain.extend(chain)
    return recipe


async def _break_the_brief(studio: Studio) -> res.Version:
    """Two violations with their places before any render; the gate names both; the engineer cannot waive."""
    mix = await studio.mixing.versions.propose_mix(studio.song, _voice_with(studio, ECHO, WIDE), comment="movement")
    assert mix.state == res.VERSION_STATE_PROPOSED
    broken = [verdict for verdict in mix.verdicts if verdict.verdict == brief_pb2.VERDICT_VIOLATION]
    assert {v.constraint: list(v.recipe_paths) for v in broken} == {
        "dry": ["tracks[lead-vox].chain[0].delay"],
        "narrow": ["tracks[lead-vox].chain[1].width"],
    }
    await studio.mixing.versions.wait_rendered(mix.name)
    await studio.mixing.versions.submit(mix.name)
    with pytest.raises(FailedPrecondition) as refused:
        await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
    told = [v.description.split(" ")[0] for v in refused.value.violations if v.type == "BRIEF_VIOLATED"]
    assert told == ["dry", "narrow"]
    with pytest.raises(PermissionDenied):
        await studio.mixing.versions.waive_check(mix.name, "dry", "dis-1", "it is better")
    await studio.producer.versions.request_changes(mix.name, "not the vision")
    return mix


async def _disagree(studio: Studio, mix: res.Version) -> res.Disagreement:
    opened = await studio.mixing.disagreements.open(
        studio.song, "the bridge needs movement", version=mix.name, constraints=["dry", "narrow"]
    )
    await studio.mixing.disagreements.state(studio.song, opened.id, "the bridge stands still")
    return await studio.artist.disagreements.state(studio.song, opened.id, "it must stay intimate")


async def _hear_both(studio: Studio, id_: str) -> None:
    """Both options are rendered; played with the gains that go with them, they measure equally loud."""
    loud = _voice_with(studio, ECHO)
    for track in loud.tracks:
        track.gain_db += 5.0
    for option, recipe in (("dry", _voice_with(studio)), ("echo", loud)):
        version = await studio.mixing.versions.propose_mix(studio.song, recipe, comment=f"option {option}")
        await studio.mixing.versions.wait_rendered(version.name)
        known = await studio.mixing.disagreements.propose(
            studio.song, id_, option, f"the {option} one", version=version.name
        )
    loudness = [option.integrated_lufs for option in known.options]
    assert loudness[1] - loudness[0] > 1.0
    played = [option.integrated_lufs + option.match_gain_db for option in known.options]
    assert abs(played[0] - played[1]) <= MATCH_LU


async def _decide(studio: Studio, id_: str) -> None:
    """A compromise that changes nothing is refused; with a new brief it is decided, consented and closed."""  # noqa: D401
    kind, why = res.DECISION_KIND_COMPROMISE, "echo in the bridge alone, far away; no widening"
    with pytest.raises(InvalidArgument):
        await studio.producer.disagreements.decide(studio.song, id_, kind, why)
    brief = brief_pb2.Brief(intent="A dry, close voice.", constraints=[IN_BRIDGE, QUIET, NARROW, FAR])
    await studio.producer.disagreements.decide(studio.song, id_, kind, why, brief=brief, consequences=["mix again"])
    for person in (studio.mixing, studio.artist):
        await person.disagreements.consent(studio.song, id_)
    closed = await studio.producer.disagreements.close(studio.song, id_)
    assert closed.state == res.DISAGREEMENT_STATE_CLOSED
    song = await studio.producer.songs.get(studio.song)
    assert (song.brief.revision, song.brief.agreed) == (2, True)


async def _printed_effects_are_not_measured(studio: Studio) -> None:
    """A stem with effects printed into it gives NOT_MEASURED, which is no pass."""  # noqa: D401
    recipe = _voice_with(studio)
    next(track for track in recipe.tracks if track.id == "lead-vox").printed_effects.append("compressor")
    checked = await studio.mixing.briefs.check_recipe(studio.song, recipe)
    verdicts = {verdict.constraint: verdict for verdict in checked.verdicts}
    assert verdicts["narrow"].verdict == brief_pb2.VERDICT_NOT_MEASURED
    assert "OPAQUE_PROCESSING" in verdicts["narrow"].evidence


def _as_decided(studio: Studio) -> recipe_pb2.MixRecipe:
    """Return the voice dry, and once more for the bridge alone, quietly into the echo."""
    recipe = mix_of(studio.sources)
    bridge = recipe.tracks.add(id="vox-bridge", gain_db=-6.0, tags=["vocal"])
    bridge.source.asset_sha256 = studio.sources["lead-vox"]
    for frame, gain_db in ((0, -96.0), (BRIDGE[0], 0.0), (BRIDGE[1], -96.0)):
        bridge.gain_automation.add(frame=frame, gain_db=gain_db, curve=recipe_pb2.AUTOMATION_CURVE_HOLD)
    bridge.sends.add(bus="echo", gain_db=-18.0)
    recipe.buses.add(id="echo", chain=[ECHO])
    return recipe


async def _mix_as_decided(studio: Studio) -> None:
    """The mix keeps the new brief; an approval prepared against the old one does not apply; T3 opens."""  # noqa: D401
    mix = await studio.mixing.versions.propose_mix(studio.song, _as_decided(studio), comment="as decided")
    rendered = await studio.mixing.versions.wait_rendered(mix.name)
    assert {v.constraint: v.verdict for v in rendered.verdicts} == {
        "dry": brief_pb2.VERDICT_PASS,
        "quiet-echo": brief_pb2.VERDICT_PASS,
        "narrow": brief_pb2.VERDICT_PASS,
        "far": brief_pb2.VERDICT_NOT_APPLICABLE,
    }
    await studio.mixing.versions.submit(mix.name)
    heard = rendered.audio[0].sample_digest
    with pytest.raises(FailedPrecondition) as refused:
        await studio.artist.versions.approve(mix.name, heard, brief_revision=1)
    assert [violation.type for violation in refused.value.violations] == ["BRIEF_MOVED_ON"]
    for person in (studio.artist, studio.producer):
        await person.versions.approve(mix.name, heard, brief_revision=2)
    song = await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)
    approved = next(v for v in song.versions if v.state == res.VERSION_STATE_APPROVED)
    assert {approval.brief_revision for approval in approved.approvals} == {2}


async def _audit(studio: Studio, id_: str) -> None:
    """The song remembers who wanted what, who decided, in which role, and why."""  # noqa: D401
    song = await studio.label.songs.get(studio.song)
    (known,) = song.disagreements
    assert known.id == id_
    assert {(stated.party, stated.role, stated.concern) for stated in known.positions} == {
        ("pty-mixing", res.ROLE_MIXING_ENGINEER, "the bridge stands still"),
        ("pty-artist", res.ROLE_ARTIST, "it must stay intimate"),
    }
    assert (known.decision.party, known.decision.brief_revision) == ("pty-producer", 2)
    assert "far away" in known.decision.rationale
    story = [line.text async for line in studio.label.songs.history(studio.song)]
    assert any("compromise" in line for line in story)


async def _rounds_beyond_the_allowance_are_told_and_not_blocked(studio: Studio) -> None:
    """The round after the last agreed one raises RevisionAllowanceExceeded, and is taken like any other."""  # noqa: D401
    song = await studio.producer.songs.get(studio.song)
    assert song.revision_allowance == ALLOWANCE
    while song.usage_scope != res.USAGE_SCOPE_EXTRA_REVISION:
        assert song.revision_rounds <= ALLOWANCE
        version = await studio.mastering.versions.propose_master(
            studio.song, recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
        )
        await studio.producer.versions.request_changes(version.name, "again")
        song = await studio.producer.songs.get(studio.song)
    types = [event.type async for event in studio.producer.songs.events(studio.song)]
    assert types.count("tapelog.song.revision_allowance_exceeded.v1") == 1
