"""Scenario S3: the producer rejects the mix, people disagree, the producer brings them to a compromise."""

from typing import Any

import pytest
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog.session.v1 import brief_pb2, events_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied

ECHO = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300, feedback=0.2))
WIDE = recipe_pb2.Processor(width=recipe_pb2.Width(width=1.8))
VOICE = brief_pb2.TrackSelector(tracks=["lead-vox"])
BRIDGE = (1_200, 2_400)
"""Bars 49 to 64 of a very short song, in frames."""


def _forbid(id_: str, statement: str, *effects: str) -> brief_pb2.Constraint:
    return brief_pb2.Constraint(
        id=id_,
        statement=statement,
        effect_forbidden=brief_pb2.EffectForbidden(selector=VOICE, effects=effects),
    )


DRY = _forbid("dry", "No echo on my voice.", "delay")
NARROW = _forbid("narrow", "My voice stays in the middle.", "width")
REVERB = brief_pb2.Constraint(
    id="far",
    statement="Reverb only behind the voice.",
    send_limit=brief_pb2.SendLimit(selector=VOICE, effect="reverb", max_gain_db=-14),
)
IN_BRIDGE = brief_pb2.Constraint(
    id="dry",
    statement="Echo in the bridge alone.",
    section_scope=brief_pb2.SectionScope(
        selector=VOICE,
        effects=["delay"],
        sections=[
            brief_pb2.Section(
                title="bars 49-64", range=audio_pb2.FrameRange(start_frame=BRIDGE[0], end_frame=BRIDGE[1])
            )
        ],
    ),
)
QUIET = brief_pb2.Constraint(
    id="quiet-echo",
    statement="And far away.",
    send_limit=brief_pb2.SendLimit(selector=VOICE, effect="delay", max_gain_db=-18),
)


def _compromise(asset: str) -> recipe_pb2.MixRecipe:
    """The voice dry, and once more for the bridge alone, quietly into the echo."""  # noqa: D401
    source = recipe_pb2.RecipeSource(asset_sha256=asset)
    moves = [(0, -96.0), (BRIDGE[0], 0.0), (BRIDGE[1], -96.0)]
    hold = recipe_pb2.AUTOMATION_CURVE_HOLD
    bridge = recipe_pb2.RecipeTrack(
        id="vox-bridge",
        source=source,
        gain_automation=[recipe_pb2.GainPoint(frame=f, gain_db=g, curve=hold) for f, g in moves],
        sends=[recipe_pb2.RecipeSend(bus="echo", gain_db=-18)],
    )
    voice = recipe_pb2.RecipeTrack(id="lead-vox", source=source)
    return recipe_pb2.MixRecipe(
        sample_rate_hz=48_000, tracks=[voice, bridge], buses=[recipe_pb2.RecipeBus(id="echo", chain=[ECHO])]
    )


async def _propose(studio: Any, recipe: recipe_pb2.MixRecipe, comment: str) -> pb.Version:
    request = wire.ProposeMixVersionRequest(song=studio.song, recipe=recipe, comment=comment)
    return await studio.call("mia", "ProposeMixVersion", request)


async def _to_dispute(studio: Any, renders: Any) -> tuple[str, pb.Version, pb.Disagreement]:
    """The mix that breaks two rules is flagged, refused at the gate, sent back, and disputed."""  # noqa: D401
    await studio.agree(DRY, NARROW, REVERB)
    asset = (await renders.record(studio.wav(440))).asset_sha256
    mix = await _propose(studio, studio.recipe(asset, ECHO, WIDE), "movement")
    broken = [v for v in mix.verdicts if v.verdict == brief_pb2.VERDICT_VIOLATION]
    assert [list(v.recipe_paths) for v in broken] == [
        ["tracks[lead-vox].chain[0].delay"],
        ["tracks[lead-vox].chain[1].width"],
    ]
    with pytest.raises(FailedPrecondition) as refused:
        await studio.advance(pb.STAGE_MASTERING)
    texts = [v.description for v in refused.value.violations if v.type == "BRIEF_VIOLATED"]
    assert [text.split(" ")[0] for text in texts] == ["dry", "narrow"]
    waive = wire.WaiveCheckRequest(version=mix.name, constraint="dry", disagreement="dis-1", reason="it is better")
    with pytest.raises(PermissionDenied):
        await studio.call("mia", "WaiveCheck", waive)
    changes = wire.RequestChangesRequest(name=mix.name, summary="not the vision")
    await studio.call("pia", "RequestChanges", changes)
    opened = await studio.call(
        "mia",
        "OpenDisagreement",
        wire.OpenDisagreementRequest(
            song=studio.song, question="the bridge needs movement", version=mix.name, constraints=["dry", "narrow"]
        ),
    )
    return asset, mix, opened


async def _options(studio: Any, renders: Any, asset: str, id_: str) -> None:
    """Two positions, two options to hear, equally loud."""
    for party, concern in (("mia", "the bridge stands still"), ("ana", "it must stay intimate")):
        state = wire.StatePositionRequest(song=studio.song, disagreement=id_, concern=concern)
        await studio.call(party, "StatePosition", state)
    previews = (("a", studio.recipe(asset), -16.2), ("b", studio.recipe(asset, ECHO), -12.9))
    for number, (option, recipe, lufs) in enumerate(previews, start=2):
        version = await _propose(studio, recipe, f"option {option}")
        data = studio.wav(440 + number)
        await studio.keep(data)
        await renders.succeed(f"mixVersions/{number}", studio.audio(data, integrated_lufs=lufs))
        await studio.reaches(number, pb.VERSION_STATE_RENDERED)
        propose = wire.ProposeOptionRequest(
            song=studio.song, disagreement=id_, option=option, description=option, version=version.name
        )
        known = await studio.call("mia", "ProposeOption", propose)
    played = [option.integrated_lufs + option.match_gain_db for option in known.options]
    assert abs(played[0] - played[1]) < 0.1


async def _decide(studio: Any, id_: str) -> None:
    """A compromise without amendment or waiver is refused; with rev 2 of the brief it is decided and consented."""  # noqa: D401
    decide = wire.RecordDecisionRequest(
        song=studio.song,
        disagreement=id_,
        kind=pb.DECISION_KIND_COMPROMISE,
        rationale="echo in the bridge alone, far away; no widening",
        consequences=["mix again"],
    )
    with pytest.raises(PermissionDenied):
        await studio.call("mia", "RecordDecision", decide)
    with pytest.raises(InvalidArgument):
        await studio.call("pia", "RecordDecision", decide)
    decide.brief.CopyFrom(brief_pb2.Brief(intent="A dry, close voice.", constraints=[IN_BRIDGE, QUIET, NARROW, REVERB]))
    await studio.call("pia", "RecordDecision", decide)
    for party in ("mia", "ana"):
        consent = wire.ConsentToDecisionRequest(song=studio.song, disagreement=id_)
        known = await studio.call(party, "ConsentToDecision", consent)
    assert known.state == pb.DISAGREEMENT_STATE_CONSENTED
    closed = wire.CloseDisagreementRequest(song=studio.song, disagreement=id_)
    assert (await studio.call("pia", "CloseDisagreement", closed)).state == pb.DISAGREEMENT_STATE_CLOSED


async def test_the_producer_brings_them_to_a_compromise(booked: Any, renders: Any) -> None:
    """From the rejected mix over positions, options, decision and consents to a mix that passes the new brief."""
    asset, _, opened = await _to_dispute(booked, renders)
    await _options(booked, renders, asset, opened.id)
    await _decide(booked, opened.id)
    song = await booked.get_song()
    assert (song.brief.revision, song.brief.agreed) == (2, True)
    mix = await _propose(booked, _compromise(asset), "as decided")
    assert {v.constraint: v.verdict for v in mix.verdicts} == {
        "dry": brief_pb2.VERDICT_PASS,
        "quiet-echo": brief_pb2.VERDICT_PASS,
        "narrow": brief_pb2.VERDICT_PASS,
        "far": brief_pb2.VERDICT_NOT_APPLICABLE,
    }
    data = booked.wav(450)
    await booked.keep(data)
    await renders.succeed("mixVersions/4", booked.audio(data))
    rendered = await booked.reaches(4, pb.VERSION_STATE_RENDERED)
    await booked.call("mia", "SubmitVersion", wire.SubmitVersionRequest(name=mix.name))
    stale = wire.ApproveVersionRequest(name=mix.name, sample_digest=rendered.audio[0].sample_digest, brief_revision=1)
    with pytest.raises(FailedPrecondition) as refused:
        await booked.call("ana", "ApproveVersion", stale)
    assert [v.type for v in refused.value.violations] == ["BRIEF_MOVED_ON"]
    await booked.approve(rendered)
    assert (await booked.advance(pb.STAGE_MASTERING)).stage == pb.STAGE_MASTERING
    await _audit(booked, opened.id)


async def _audit(studio: Any, id_: str) -> None:
    """The log answers who wanted what, who decided, in which role, and why."""  # noqa: D401
    history = await studio.call("pia", "ListSongEvents", wire.ListSongEventsRequest(parent=studio.song, page_size=500))
    found = {}
    for event in history.events:
        for message in (events_pb2.PositionStated, events_pb2.DecisionRecorded, events_pb2.DecisionConsented):
            if event.data.Is(message.DESCRIPTOR):
                fact = message()
                event.data.Unpack(fact)
                assert fact.disagreement == id_
                found[message.DESCRIPTOR.name, event.actor] = (event.role_used, fact)
    assert found["PositionStated", "mia"][1].position.concern == "the bridge stands still"
    role, decided = found["DecisionRecorded", "pia"]
    assert (role, decided.decision.brief_revision) == ("ROLE_STUDIO_PRODUCER", 2)
    assert "far away" in decided.decision.rationale
    assert {key[1] for key in found if key[0] == "DecisionConsented"} == {"ana", "mia"}
