"""All seven send-backs of one song, and a song that three people take all the way, two roles each."""

from pathlib import Path
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

from .conftest import System
from .production import ISRC, approve, deliver, finish_master, finish_mix, record_excerpts, send_back
from .studio import Studio, open_studio

LENGTH_S: Final = 1.5
MIX, MASTER = res.VERSION_KIND_MIX, res.VERSION_KIND_MASTER
ENDED: Final = {res.VERSION_STATE_SUPERSEDED, res.VERSION_STATE_CHANGES_REQUESTED}
THREE: Final = {
    "pty-ada": [res.ROLE_ARTIST, res.ROLE_RECORDING_ENGINEER],
    "pty-bob": [res.ROLE_STUDIO_PRODUCER, res.ROLE_LABEL],
    "pty-cyd": [res.ROLE_MIXING_ENGINEER, res.ROLE_MASTERING_ENGINEER],
}


async def test_one_song_goes_back_by_every_edge_and_arrives(system: System, tmp_path: Path) -> None:
    """B1 to B7, each from its stage with real renders; nothing is deleted, each opens what it must, cycle is 8."""
    async with system.api("pty-producer") as api:
        studio = await open_studio(api, "Every way back")
        await _prepare_again(studio, tmp_path)
        await _record_again(studio, tmp_path)
        await _mix_again(studio, tmp_path)
        package = await _master_and_deliver_again(studio)
        song = await studio.producer.songs.get(studio.song)
        assert [back.edge for back in song.send_backs] == ["B1", "B2", "B3", "B4", "B5", "B6", "B7"]
        assert song.cycle == 8
        accepted = await studio.label.deliveries.accept(package.name)
        assert accepted.state == res.DELIVERY_STATE_ACCEPTED
        mixes = [version.number for version in song.versions if version.kind == MIX]
        assert mixes == list(range(1, len(mixes) + 1))
        events = [event async for event in studio.producer.songs.events(studio.song)]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def _prepare_again(studio: Studio, folder: Path) -> None:
    """B1: the arrangement changes; the take is kept, marked, and selected no longer."""
    await record_excerpts(studio, folder, "kick", length_s=LENGTH_S)
    song = await send_back(
        studio, res.STAGE_PRE_PRODUCTION, res.SEND_BACK_REASON_ARRANGEMENT_CHANGE, "a bar more before the drop"
    )
    assert [(take.track, take.prior_arrangement) for take in song.takes] == [("kick", True)]
    assert [track.selected_take for track in song.tracks] == [""]
    await _arrange(studio)


async def _arrange(studio: Studio) -> None:
    for person in (studio.artist, studio.producer):
        await person.songs.approve_arrangement(studio.song)
    await studio.producer.stages.advance(studio.song, res.STAGE_RECORDING)


async def _record_again(studio: Studio, folder: Path) -> None:
    """B2: a part is missing; the mix ends, the takes stay selected, and what follows is a new source."""
    await record_excerpts(studio, folder, "kick", length_s=LENGTH_S)
    await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
    await finish_mix(studio)
    song = await send_back(studio, res.STAGE_RECORDING, res.SEND_BACK_REASON_MISSING_PART, "the choir is missing")
    assert _states(song, MIX) == [res.VERSION_STATE_SUPERSEDED]
    assert (song.usage_scope, bool(song.tracks[0].selected_take)) == (res.USAGE_SCOPE_NEW_SOURCE, True)
    await record_excerpts(studio, folder, "choir", length_s=LENGTH_S)
    await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)


async def _mix_again(studio: Studio, folder: Path) -> None:
    """B3: the brief is disputed; it has to be agreed, and everything recorded, again. Then B4: a mix move."""
    await finish_mix(studio, presence_db=0.5)
    song = await send_back(studio, res.STAGE_PRE_PRODUCTION, res.SEND_BACK_REASON_BRIEF_DISPUTED, "too hard a drop")
    assert (song.brief.agreed, {take.prior_arrangement for take in song.takes}) == (False, {True})
    for person in (studio.artist, studio.producer):
        await person.briefs.agree(studio.song, song.brief.revision)
    await _arrange(studio)
    await record_excerpts(studio, folder, "kick", "choir", "lead-vox", length_s=LENGTH_S)
    await _to_mastering(studio, presence_db=1.0)
    await finish_master(studio)
    song = await send_back(studio, res.STAGE_MIXING, res.SEND_BACK_REASON_MIX_MOVE, "more choir in verse 2")
    assert _states(song, MASTER) == [res.VERSION_STATE_SUPERSEDED]
    assert set(_states(song, MIX)) <= ENDED
    assert song.usage_scope == res.USAGE_SCOPE_REMASTER


async def _to_mastering(studio: Studio, *, presence_db: float) -> None:
    song = await studio.producer.songs.get(studio.song)
    if song.stage == res.STAGE_RECORDING:
        await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
    await finish_mix(studio, presence_db=presence_db)
    await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)


async def _master_and_deliver_again(studio: Studio) -> res.DeliveryPackage:
    """B5: a source fault found late; B6: the label's technical return; B7: its creative one, with the artist."""
    await _to_mastering(studio, presence_db=1.5)
    await finish_master(studio)
    song = await send_back(studio, res.STAGE_RECORDING, res.SEND_BACK_REASON_NOISE, "a click in the kick")
    assert {*_states(song, MIX), *_states(song, MASTER)} <= ENDED
    await _to_mastering(studio, presence_db=2.0)
    await finish_master(studio)
    await studio.producer.songs.set_isrc(studio.song, ISRC)
    first = await deliver(studio)
    song = await send_back(studio, res.STAGE_MASTERING, res.SEND_BACK_REASON_TECHNICAL_RETURN, "a click at 1.2 s")
    assert (await studio.label.deliveries.get(first.name)).state == res.DELIVERY_STATE_RETURNED
    heard_again = next(v for v in song.versions if v.state == res.VERSION_STATE_IN_REVIEW)
    await approve(studio, heard_again)
    second = await deliver(studio)
    creative = res.SEND_BACK_REASON_CREATIVE_CHANGE
    await studio.artist.stages.request_send_back(studio.song, res.STAGE_MIXING, creative, comment="I agree")
    await send_back(studio, res.STAGE_MIXING, creative, "vocal too low")
    assert (await studio.label.deliveries.get(second.name)).state == res.DELIVERY_STATE_RETURNED
    await _to_mastering(studio, presence_db=2.5)
    await finish_master(studio)
    return await deliver(studio)


def _states(song: res.Song, kind: "res.VersionKind.ValueType") -> list[int]:
    """Return the states of all versions of a kind."""
    return [version.state for version in song.versions if version.kind == kind]


async def test_three_people_with_two_roles_each_take_a_song_all_the_way(system: System, tmp_path: Path) -> None:
    """From booking to ARCHIVED; each fact names the role its person acted in, and nobody approves their own work."""
    async with system.api("pty-bob") as api:
        studio = await open_studio(api, "Three people", people=THREE)
        await record_excerpts(studio, tmp_path, "kick", "lead-vox", length_s=LENGTH_S)
        await _to_mastering_of_three(studio)
        await finish_master(studio)
        await studio.producer.songs.set_isrc(studio.song, ISRC)
        package = await deliver(studio)
        await studio.label.deliveries.accept(package.name)
        await studio.mastering.deliveries.verify(package.name)
        song = await studio.producer.stages.advance(studio.song, res.STAGE_ARCHIVED)
        assert song.stage == res.STAGE_ARCHIVED
        await _roles_are_told(studio.producer, studio.song)


async def _to_mastering_of_three(studio: Studio) -> None:
    await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)
    await finish_mix(studio)
    await studio.producer.stages.advance(studio.song, res.STAGE_MASTERING)


async def _roles_are_told(reader: Tapelog, song: str) -> None:
    """Every fact of a person names the one of their two roles that the craft asks for."""
    facts: dict[str, set[tuple[str, str]]] = {}
    async for event in reader.songs.events(song):
        if event.actor.startswith("pty-"):
            facts.setdefault(event.type.split(".")[2], set()).add((event.actor, event.role_used))
    cyd, mixing, mastering = "pty-cyd", "ROLE_MIXING_ENGINEER", "ROLE_MASTERING_ENGINEER"
    assert facts["mix_version_proposed"] == {(cyd, mixing)}
    assert facts["master_version_proposed"] == {(cyd, mastering)}
    both = {("pty-ada", "ROLE_ARTIST"), ("pty-bob", "ROLE_STUDIO_PRODUCER")}
    assert facts["mix_version_approved"] <= both
    assert facts["brief_agreed"] == both
    assert facts["take_recorded"] == {("pty-ada", "ROLE_RECORDING_ENGINEER")}
    assert facts["take_selected"] == {("pty-bob", "ROLE_STUDIO_PRODUCER")}
    assert facts["stage_advanced"] == {("pty-bob", "ROLE_STUDIO_PRODUCER")}
