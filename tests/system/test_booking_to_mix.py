"""Scenario S1: a studio's own tool books a song, and people take it to an approved mix."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import soundfile
from tapelog.common.v1 import event_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from tapelog_client.local import TENANT_DEFAULT, StackState
from tapelog_client.tokens import LocalKeyTokenSource
from tapelog_dsp import repair
from tapelog_session.domain.song import Song

from .conftest import System
from .excerpts import FILES, HUM_HZ, excerpt, mix_of
from .folding import after, as_read
from .studio import PEOPLE, RATE_HZ

BOOKING: Final = "BOOK-4711"
REQUEST_ID: Final = "5b9f4c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"
LENGTH_S: Final = 4.0
HUM: Final = 0.02
"""-34 dBFS: what a bad cable leaves."""
NOTE_FRAMES: Final = (96_000, 144_000)
FOLLOW_S: Final = 30.0


@dataclass(frozen=True)
class Booked:
    """The booking: the studio's tool acting for the producer, the people, the song."""

    tool: Tapelog
    people: dict[str, Tapelog]
    project: str
    song: str


async def test_a_tool_books_a_song_and_people_take_it_to_an_approved_mix(system: System, tmp_path: Path) -> None:
    """S1 whole: booking, brief, four takes with one cleaned, two mixes, approvals, and every reader agrees."""
    async with system.api("pty-producer") as api, _tool(system) as tool:
        booked = await _book(api, tool)
        await _agree(booked)
        sources = await _record(booked, tmp_path)
        await _mix(booked, sources)
        events = await _history(booked)
        await _past_is_the_fold(booked, events)
        await _subscriber_sees_the_song(api, booked, events)
        found = [
            song.name async for song in booked.people["pty-artist"].songs.list(booked.project, external_ref=BOOKING)
        ]
        assert found == [booked.song]


def _tool(system: System) -> Tapelog:
    """Connect as the studio's tool: an integration that acts for the producer."""
    state = StackState.read(system.data_dir)
    tokens = LocalKeyTokenSource(
        Path(state.identity_dir), tenant=TENANT_DEFAULT, party="pty-studio-tool", kind="integration"
    )
    return Tapelog.connect(
        session=state.session, render=state.render, notify=state.notify, tokens=tokens, on_behalf_of="pty-producer"
    )


async def _book(api: Tapelog, tool: Tapelog) -> Booked:
    """Create the project; the tool books the song twice with one request_id, and it is one song."""
    members = [res.Member(party=party, roles=roles) for party, roles in PEOPLE.items()]
    members.append(res.Member(party="pty-studio-tool", roles=[res.ROLE_INTEGRATION]))
    project = (await api.projects.create("North Pier", "The North Pier", members)).name
    values: dict[str, Any] = {"sample_rate_hz": RATE_HZ, "bit_depth": 24, "external_ref": BOOKING}
    first, again = [await tool.songs.create(project, "Lithium", **values, request_id=REQUEST_ID) for _ in range(2)]
    assert first == again
    with pytest.raises(InvalidArgument) as refused:
        await tool.songs.create(project, "Natrium", **values, request_id=REQUEST_ID)
    assert refused.value.reason == "REQUEST_ID_REUSED"
    people = {party: api.as_party(party) for party in PEOPLE}
    return Booked(tool, people, project, first.name)


async def _agree(booked: Booked) -> None:
    """The gate names everything that is missing; agreed by both, it opens."""  # noqa: D401
    producer, artist, song = booked.people["pty-producer"], booked.people["pty-artist"], booked.song
    with pytest.raises(FailedPrecondition) as refused:
        await producer.stages.advance(song, res.STAGE_RECORDING)
    codes = {violation.type for violation in refused.value.violations}
    assert {"BRIEF_NOT_AGREED", "ARRANGEMENT_NOT_APPROVED"} <= codes
    await artist.songs.register_work(song, "Lithium", ["pty-artist"])
    await artist.briefs.propose(song, brief_pb2.Brief(intent="A dry, close voice over a hard drop."))
    for person in (artist, producer):
        await person.briefs.agree(song, 1)
        await person.songs.approve_arrangement(song)
    assert (await producer.stages.advance(song, res.STAGE_RECORDING)).stage == res.STAGE_RECORDING


async def _record(booked: Booked, folder: Path) -> dict[str, str]:
    """Record four takes; the second carries hum, is cleaned, and stays as it is beside the cleaned one."""
    engineer, producer, song = booked.people["pty-recording"], booked.people["pty-producer"], booked.song
    sources, takes = {}, {}
    for number, track in enumerate(FILES, start=1):
        await engineer.takes.define_track(song, track, track.title())
        path = excerpt(folder, track, length_s=LENGTH_S, hum=HUM if number == 2 else 0.0)
        takes[track] = await engineer.takes.record(song, track, path)
        sources[track] = takes[track].asset_sha256
    hummed = takes["synth"]
    cleaned = await _clean(booked, folder / "synth.wav", hummed)
    checked = await engineer.takes.wait_checked(song)
    for take in takes.values():
        await producer.takes.select(song, take.track, take.id)
    with pytest.raises(FailedPrecondition) as refused:
        await producer.stages.advance(song, res.STAGE_MIXING)
    assert ("TAKE_HUMS", f"synth/{hummed.id}") in {(v.type, v.subject) for v in refused.value.violations}
    await producer.takes.select(song, "synth", cleaned.id)
    known = {take.id: take for take in checked.takes}
    assert (known[cleaned.id].parent, known[cleaned.id].check_state) == (hummed.id, res.TAKE_CHECK_STATE_PASSED)
    assert (known[hummed.id].asset_sha256, known[hummed.id].parent) == (hummed.asset_sha256, "")
    await producer.stages.advance(song, res.STAGE_MIXING)
    return sources | {"synth": cleaned.asset_sha256}


async def _clean(booked: Booked, path: Path, hummed: res.Take) -> res.Take:
    """Find the hum, subtract it, and add the cleaned take with its parent's name."""
    samples, rate_hz = soundfile.read(path, always_2d=True)
    finding = repair.hum.detect(samples.T, rate_hz)
    assert finding.present
    repaired, report = repair.hum.repair(samples.T, rate_hz, finding)
    assert report.applied
    clean_path = path.with_name("synth-clean.wav")
    soundfile.write(clean_path, repaired.T, rate_hz, subtype="PCM_24")
    engineer = booked.people["pty-recording"]
    asset = await engineer.assets.upload(booked.project, clean_path)
    cleaned = await engineer.takes.clean(booked.song, hummed.id, asset.sha256, [f"hum of {HUM_HZ:g} Hz subtracted"])
    assert (cleaned.parent, cleaned.asset_sha256) == (hummed.id, asset.sha256)
    assert cleaned.asset_sha256 != hummed.asset_sha256
    return cleaned


async def _mix(booked: Booked, sources: dict[str, str]) -> None:
    """Mix 1 gets a note on a passage, mix 2 answers it; its engineer may not approve it; T3 opens."""
    artist, producer, mixer = (booked.people[f"pty-{who}"] for who in ("artist", "producer", "mixing"))
    first = await mixer.versions.propose_mix(booked.song, mix_of(sources), comment="first balance")
    first = await mixer.versions.wait_rendered(first.name)
    assert first.audio[0].measurements.length_frames >= LENGTH_S * RATE_HZ
    note = await producer.notes.add(
        first.name, "more of the words", frames=NOTE_FRAMES, tracks=["lead-vox"], category=res.NOTE_CATEGORY_TONE
    )
    second = await mixer.versions.propose_mix(booked.song, mix_of(sources, presence_db=3.0), comment="words")
    second = await mixer.versions.wait_rendered(second.name)
    assert second.audio[0].sample_digest != first.audio[0].sample_digest
    await mixer.notes.address(booked.song, note.id, "3 dB at 3 kHz", second.name)
    await artist.notes.verify(booked.song, note.id)
    await mixer.versions.submit(second.name)
    heard = second.audio[0].sample_digest
    with pytest.raises(PermissionDenied):
        await mixer.versions.approve(second.name, heard)
    for person in (artist, producer):
        await person.versions.approve(second.name, heard)
    song = await producer.stages.advance(booked.song, res.STAGE_MASTERING)
    states = {version.number: version.state for version in song.versions}
    assert states == {1: res.VERSION_STATE_SUPERSEDED, 2: res.VERSION_STATE_APPROVED}
    (kept,) = song.notes
    assert (kept.range.start_frame, kept.range.end_frame, kept.state) == (*NOTE_FRAMES, res.NOTE_STATE_VERIFIED)


async def _history(booked: Booked) -> list[event_pb2.Event]:
    """Read the song's facts; they are gapless, and those of the tool name the person it acted for."""
    events = [event async for event in booked.people["pty-producer"].songs.events(booked.song)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    created = events[0]
    assert (created.actor, created.on_behalf_of) == ("pty-studio-tool", "pty-producer")
    assert created.role_used == "ROLE_STUDIO_PRODUCER"
    types = [event.type.split(".")[2] for event in events]
    for needed in ("take_cleaned", "version_rendered", "note_added", "mix_version_approved", "stage_advanced"):
        assert needed in types
    return events


async def _past_is_the_fold(booked: Booked, events: list[event_pb2.Event]) -> None:
    """For every k, GetSong(as_of_sequence=k) is the fold of the first k events."""
    reader, state = booked.people["pty-producer"], Song()
    for event in events:
        state = after(state, event)
        then = await reader.songs.get(booked.song, as_of_sequence=event.sequence)
        assert then == as_read(state, event), f"as of {event.sequence}, {event.type}"
    assert then == await reader.songs.get(booked.song)


async def _subscriber_sees_the_song(api: Tapelog, booked: Booked, events: list[event_pb2.Event]) -> None:
    """Fold what a subscriber is sent: it is the song as GetSong tells it."""
    desk = api.as_party("pty-desk", tenant_roles=["AUDITOR"])
    state, received = Song(), []
    async with (
        asyncio.timeout(FOLLOW_S),
        aclosing(
            desk.events.subscribe(songs=[booked.song.split("/")[3]], types=["tapelog.song.*"], after_position=0)
        ) as stream,
    ):
        async for event in stream:
            state = after(state, event)
            received.append(event.id)
            if len(received) == len(events):
                break
    assert received == [event.id for event in events]
    assert as_read(state, events[-1]) == await booked.tool.songs.get(booked.song)
