"""Internal and client threads through the real service: what the label is shown, and what not."""

from typing import Any

import pytest
from tapelog.session.v1 import resources_pb2 as pb
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.errors import NotFound, PermissionDenied

CLIENT, INTERNAL = pb.NOTE_THREAD_CLIENT, pb.NOTE_THREAD_INTERNAL


async def _note(studio: Any, party: str, text: str, **values: Any) -> pb.Note:
    note = wire.AddNoteRequest(song=studio.song, text=text, severity=pb.NOTE_SEVERITY_SHOULD, **values)
    return await studio.call(party, "AddNote", note)


async def _list(studio: Any, party: str, **values: Any) -> list[str]:
    found = await studio.call(party, "ListNotes", wire.ListNotesRequest(parent=studio.song, **values))
    return [note.text for note in found.notes]


async def test_the_label_reads_the_client_thread_alone(booked: Any) -> None:
    """In lists, on the song, among its facts: an internal note is nowhere; a client filter shows no internal one."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    secret = await _note(booked, "pia", "the singer had a cold")
    shown = await _note(booked, "pia", "which intro do you prefer?", thread=CLIENT)
    await booked.call("rex", "ReplyToNote", wire.ReplyToNoteRequest(song=booked.song, note=secret.id, text="indeed"))
    reply = wire.ReplyToNoteRequest(song=booked.song, note=shown.id, text="the short one")
    assert (await booked.call("lou", "ReplyToNote", reply)).replies[0].author == "lou"
    await _note(booked, "lou", "louder, please")
    assert await _list(booked, "lou") == ["which intro do you prefer?", "louder, please"]
    assert await _list(booked, "lou", thread=INTERNAL) == []
    assert await _list(booked, "pia", thread=CLIENT) == ["which intro do you prefer?", "louder, please"]
    assert await _list(booked, "pia", thread=INTERNAL) == ["the singer had a cold"]
    assert len(await _list(booked, "pia", page_size=2)) == 2
    song = await booked.call("lou", "GetSong", wire.GetSongRequest(name=booked.song))
    assert song.notes[0].id == shown.id
    songs = await booked.call("lou", "ListSongs", wire.ListSongsRequest(parent=booked.project))
    for resource in (song, songs, await _history(booked, "lou")):
        assert b"cold" not in resource.SerializeToString()
        assert b"indeed" not in resource.SerializeToString()
    assert b"cold" in (await _history(booked, "pia")).SerializeToString()
    secretly = wire.ReplyToNoteRequest(song=booked.song, note=secret.id, text="what?")
    with pytest.raises(NotFound):
        await booked.call("lou", "ReplyToNote", secretly)


async def _history(studio: Any, party: str) -> wire.ListSongEventsResponse:
    request = wire.ListSongEventsRequest(parent=studio.song, page_size=500)
    return await studio.call(party, "ListSongEvents", request)


async def test_who_may_decline_and_reopen(booked: Any) -> None:
    """Engineers decline, artist and producer reopen; the label reopens its own note and no other."""
    await booked.agree()
    await booked.advance(pb.STAGE_RECORDING)
    mine = await _note(booked, "lou", "louder, please")
    other = await _note(booked, "ana", "softer", thread=CLIENT)
    decline = wire.DeclineNoteRequest(song=booked.song, note=mine.id, reason="it would clip")
    with pytest.raises(PermissionDenied):
        await booked.call("pia", "DeclineNote", decline)
    declined = await booked.call("rex", "DeclineNote", decline)
    assert (declined.state, declined.answer) == (pb.NOTE_STATE_DECLINED, "it would clip")
    await booked.call("rex", "DeclineNote", wire.DeclineNoteRequest(song=booked.song, note=other.id, reason="no"))
    with pytest.raises(PermissionDenied):
        await booked.call("lou", "ReopenNote", wire.ReopenNoteRequest(song=booked.song, note=other.id, reason="yes"))
    reopen = wire.ReopenNoteRequest(song=booked.song, note=mine.id, reason="then lower the rest")
    assert (await booked.call("lou", "ReopenNote", reopen)).state == pb.NOTE_STATE_OPEN
