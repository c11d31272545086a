"""A package by a spec through the real service: stems ordered and rendered, built, and rebuilt byte for byte."""

import hashlib
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.render.v1 import events_pb2 as render_events
from tapelog.render.v1 import resources_pb2 as render_pb
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_chassis.testing import eventually
from tapelog_client.errors import FailedPrecondition


async def _object(booked: Any, sha256: str) -> bytes:
    return b"".join([chunk async for chunk in booked.objects.open_stream(sha256)])


async def test_a_package_holds_what_its_spec_wants_and_is_rebuilt_byte_for_byte(booked: Any, renders: Any) -> None:
    """Gaps first; then stems, words and credits are in it, each traced; twice built and rebuilt it is the same."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=booked.recipe(take.asset_sha256))
    mix = await renders.finish("mia", await booked.call("mia", "ProposeMixVersion", propose), 441)
    await booked.advance(pb.STAGE_MASTERING)
    master = wire.ProposeMasterVersionRequest(
        song=booked.song, recipe=recipe_pb2.MasterRecipe(target=recipe_pb2.MasterTarget(name="streaming"))
    )
    await renders.finish("max", await booked.call("max", "ProposeMasterVersion", master), 442)
    await booked.call("pia", "SetCatalogueIds", wire.SetCatalogueIdsRequest(song=booked.song, isrc="QZABC2500001"))
    spec = pb.DeliverySpec(stems=True, lyric_sheet=True)
    build = wire.BuildDeliveryRequest(song=booked.song, mixer_initials="mm", spec=spec)
    with pytest.raises(FailedPrecondition) as refused:
        await booked.call("max", "BuildDelivery", build)
    assert {v.type for v in refused.value.violations} == {"STEMS_MISSING", "LYRICS_MISSING"}
    lyrics = wire.SetLyricsRequest(song=booked.song, lyrics=pb.Lyrics(text="Lights out"))
    await booked.call("ana", "SetLyrics", lyrics)
    await booked.call("mia", "RequestStems", wire.RequestStemsRequest(version=mix.name))
    stem = booked.wav(443)
    await booked.keep(stem)
    result = render_pb.RenderResult(audio=[booked.audio(stem)], labels=["lead-vox"], engine_version="test-1")
    reference = renders.reference("mixVersions/1/stems")
    await renders.publish(render_events.RenderSucceeded(attempt=1, result=result, reference=reference))

    async def rendered() -> bool:
        return bool((await booked.get_song()).stem_sets[0].stems)

    await eventually(rendered)
    packages = [await booked.call("max", "BuildDelivery", build) for _ in range(2)]
    assert packages[0].name != packages[1].name
    draft = packages[0]
    assert (draft.spec, draft.state) == (spec, pb.DELIVERY_STATE_DRAFT)
    by_role = {file.role: file for file in draft.files}
    assert {"master", "mix", "stem", "recipe", "analysis", "lyrics", "credits"} == set(by_role)
    assert all(file.version for file in draft.files)
    assert [package.manifest_sha256 for package in packages] == [draft.manifest_sha256] * 2
    credits_xml = await _object(booked, by_role["credits"].sha256)
    assert ET.fromstring(credits_xml).tag.endswith("RecordingInformationNotification")  # noqa: S314 - our own
    manifest = json.loads(await _object(booked, draft.manifest_sha256))
    assert {file["sha256"] for file in manifest["files"]} == {file.sha256 for file in draft.files}
    for package in packages:
        rebuilt = await booked.call("max", "RebuildDelivery", wire.RebuildDeliveryRequest(name=package.name))
        assert (rebuilt.identical, rebuilt.manifest_sha256, list(rebuilt.different)) == (
            True,
            package.manifest_sha256,
            [],
        )
    sheet = await _object(booked, by_role["lyrics"].sha256)
    assert hashlib.sha256(sheet).hexdigest() == by_role["lyrics"].sha256
    await booked.call("pia", "UpsertParty", _party("ana", "Ana Pier"))
    rebuilt = await booked.call("max", "RebuildDelivery", wire.RebuildDeliveryRequest(name=draft.name))
    assert (rebuilt.identical, list(rebuilt.different)) == (False, [by_role["credits"].filename])


def _party(party: str, display_name: str) -> wire.UpsertPartyRequest:
    return wire.UpsertPartyRequest(party=pb.Party(name=f"parties/{party}", display_name=display_name))
