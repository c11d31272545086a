"""The story of a song and the comparison of versions, through the real service."""

from typing import Any

import pytest
from google.protobuf import json_format
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import InvalidArgument


async def test_a_song_tells_who_did_what_in_which_role_and_why(booked: Any, renders: Any) -> None:
    """As text and as JSON, page by page, without an internal note for the label."""
    await booked.agree()
    await renders.record(booked.wav(440))
    note = wire.AddNoteRequest(song=booked.song, text="between us", severity=pb.NOTE_SEVERITY_NICE)
    await booked.call("pia", "AddNote", note)
    hold = wire.PutSongOnHoldRequest(song=booked.song, reason="on tour until May")
    await booked.call("pia", "PutSongOnHold", hold)
    lines, token = [], ""
    while True:
        request = wire.GetSongHistoryRequest(name=booked.song, page_size=7, page_token=token)
        page = await booked.call("pia", "GetSongHistory", request)
        lines += page.lines
        token = page.next_page_token
        if not token:
            break
    assert [line.sequence for line in lines] == list(range(1, len(lines) + 1))
    newest = wire.GetSongHistoryRequest(name=booked.song, after_sequence=len(lines) - 3, page_size=2)
    page = await booked.call("pia", "GetSongHistory", newest)
    assert list(page.lines) == lines[-3:-1]
    newest.page_token = page.next_page_token
    assert list((await booked.call("pia", "GetSongHistory", newest)).lines) == lines[-1:]
    with pytest.raises(InvalidArgument, match="-1 is negative"):
        await booked.call("pia", "GetSongHistory", wire.GetSongHistoryRequest(name=booked.song, after_sequence=-1))
    last = lines[-1]
    assert (last.actor, last.role, last.why) == ("pia", pb.ROLE_STUDIO_PRODUCER, "on tour until May")
    assert last.text.endswith("pia (studio producer) put the song on hold in MIXING: on tour until May")
    assert json_format.MessageToDict(last)["what"] == "put the song on hold in MIXING"
    checked = next(line for line in lines if line.what.startswith("checked take"))
    assert checked.actor == "svc-session"
    for_label = await booked.call("lou", "GetSongHistory", wire.GetSongHistoryRequest(name=booked.song, page_size=500))
    assert "between us" in " ".join(line.text for line in lines)
    assert "between us" not in " ".join(line.text for line in for_label.lines)


async def test_two_versions_are_compared_in_recipe_and_sound(booked: Any, renders: Any) -> None:
    """What changed has its path; what was measured both values; a mix and a master cannot be compared."""
    await booked.agree()
    take = await renders.record(booked.wav(440))
    quieter = booked.recipe(take.asset_sha256, recipe_pb2.Processor(high_pass=recipe_pb2.HighPass(frequency_hz=80)))
    quieter.tracks[0].gain_db = -3
    names = []
    for number, (recipe, lufs) in enumerate(((booked.recipe(take.asset_sha256), -14.0), (quieter, -17.0)), start=1):
        propose = wire.ProposeMixVersionRequest(song=booked.song, recipe=recipe)
        names.append((await booked.call("mia", "ProposeMixVersion", propose)).name)
        data = booked.wav(440 + number)
        await booked.keep(data)
        await renders.succeed(f"mixVersions/{number}", booked.audio(data, integrated_lufs=lufs))
        await booked.reaches(number, pb.VERSION_STATE_RENDERED)
    diff = await booked.call("ana", "DiffVersions", wire.DiffVersionsRequest(before=names[0], after=names[1]))
    assert [change.path for change in diff.recipe] == ["tracks[lead-vox].gain_db", "tracks[lead-vox].chain[0]"]
    loudness = next(change for change in diff.sound if change.quantity == "integrated_lufs")
    assert (loudness.before, loudness.after, diff.same_samples) == (-14.0, -17.0, False)
    assert (diff.before_match_gain_db, diff.after_match_gain_db) == (-3.0, 0.0)
    same = await booked.call("ana", "DiffVersions", wire.DiffVersionsRequest(before=names[0], after=names[0]))
    assert (len(same.recipe), same.same_samples) == (0, True)
    master = names[0].replace("mixVersions", "masterVersions")
    with pytest.raises(InvalidArgument):
        await booked.call("ana", "DiffVersions", wire.DiffVersionsRequest(before=names[0], after=master))
