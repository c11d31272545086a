"""Writers who race on one song, over real gRPC, in one service and in two, on one real log."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from tapelog.session.v1 import session_service_pb2 as wire
from tapelog_client.channel import open_channel
from tapelog_client.errors import Aborted, InvalidArgument

RACERS: Final = 50


def _define(studio: Any, track: str, **values: Any) -> wire.DefineTrackRequest:
    return wire.DefineTrackRequest(song=studio.song, track=track, title=track.title(), **values)


@pytest.fixture
async def two(booked: Any, settings: Any, serving: Any, issuer: Any, studio_class: Any) -> AsyncIterator[list[Any]]:
    """Return callers of the booked song through two instances of the service on one log."""
    instance = settings.model_copy(update={"processes": False})
    async with serving(instance) as address, open_channel(address) as channel:
        other = studio_class(channel, issuer, booked.objects)
        other.project, other.song = booked.project, booked.song
        yield [booked, other]


async def test_of_two_writers_one_wins_and_the_other_is_told_the_new_etag(two: list[Any]) -> None:
    """Round after round with one etag from both instances: one answer, one ABORTED with the winner's etag."""
    for round_ in range(10):
        etag = (await two[0].get_song()).etag
        racers = [
            studio.call("rex", "DefineTrack", _define(studio, f"r{round_}-{number}", etag=etag))
            for number, studio in enumerate(two)
        ]
        answers = await asyncio.gather(*racers, return_exceptions=True)
        (won,) = [answer for answer in answers if not isinstance(answer, BaseException)]
        (lost,) = [answer for answer in answers if isinstance(answer, BaseException)]
        assert isinstance(lost, Aborted)
        assert (lost.reason, lost.metadata["etag_current"]) == ("ETAG_MISMATCH", won.etag)
        for studio in two:
            song = await studio.get_song()
            assert (song.etag, len(song.tracks)) == (won.etag, round_ + 1)


async def test_writers_without_an_etag_all_win_one_after_another(two: list[Any]) -> None:
    """Twenty commands at once through both instances: each takes effect once, in some order, without a gap."""
    calls = [two[number % 2].call("rex", "DefineTrack", _define(two[0], f"t-{number}")) for number in range(20)]
    etags = [song.etag for song in await asyncio.gather(*calls)]
    assert len(set(etags)) == 20
    tracks = (await two[1].get_song()).tracks
    assert sorted(track.id for track in tracks) == sorted(f"t-{number}" for number in range(20))


async def test_fifty_racers_with_one_request_id_have_one_effect_and_equal_answers(two: list[Any], broker: Any) -> None:
    """The same request fifty times at once, through both instances: one event, fifty answers equal byte for byte."""
    request = _define(two[0], "lead", request_id=str(uuid.uuid4()))
    answers = await asyncio.gather(*(two[n % 2].call("rex", "DefineTrack", request) for n in range(RACERS)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    log, song = await broker.log("session"), two[0].song.rpartition("/")[2]
    stored = [event async for event in log.read_all("session") if event.aggregate.id == song]
    assert [event.type for event in stored] == ["tapelog.song.song_created.v1", "tapelog.song.track_defined.v1"]
    for studio in two:
        late = await studio.call("rex", "DefineTrack", request)
        assert late == answers[0]
    other = _define(two[0], "bass", request_id=request.request_id)
    with pytest.raises(InvalidArgument) as refused:
        await two[1].call("rex", "DefineTrack", other)
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def test_fifty_racers_create_one_song(two: list[Any]) -> None:
    """A creation fifty times at once with one request_id: one song, fifty equal answers, one in the list."""
    request = wire.CreateSongRequest(
        parent=two[0].project, title="Twin", sample_rate_hz=48_000, bit_depth=24, request_id=str(uuid.uuid4())
    )
    answers = await asyncio.gather(*(two[n % 2].call("pia", "CreateSong", request) for n in range(RACERS)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    listed = await two[1].call("pia", "ListSongs", wire.ListSongsRequest(parent=two[0].project))
    assert [song.title for song in listed.songs].count("Twin") == 1
