"""What people do with a song, in steps of one call each: record excerpts, finish a mix, finish a master, deliver."""

from pathlib import Path

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import resources_pb2 as res

from .excerpts import excerpt, master_of, mix_of
from .studio import Studio

ISRC = "ZZTPL2600001"
"""ZZ belongs to no country."""
INITIALS = "MX"


async def record_excerpts(studio: Studio, folder: Path, *tracks: str, length_s: float) -> None:
    """Record some seconds of real stems, and select them when they are checked."""
    known = {track.id for track in (await studio.producer.songs.get(studio.song)).tracks}
    takes = []
    for track in tracks:
        if track not in known:
            await studio.recording.takes.define_track(studio.song, track, track.title())
        takes.append(await studio.recording.takes.record(studio.song, track, excerpt(folder, track, length_s=length_s)))
        studio.sources[track] = takes[-1].asset_sha256
    await studio.recording.takes.wait_checked(studio.song)
    for take in takes:
        await studio.producer.takes.select(studio.song, take.track, take.id)


async def approve(studio: Studio, version: res.Version) -> None:
    """Approve exactly the samples that were rendered, as artist and producer."""
    for person in (studio.artist, studio.producer):
        await person.versions.approve(version.name, version.audio[0].sample_digest)


async def finish_mix(studio: Studio, *, presence_db: float = 0.0, alternates: tuple[str, ...] = ()) -> res.Version:
    """Propose a mix, have it rendered with alternates that mute the voice, and approved."""
    proposed = await studio.mixing.versions.propose_mix(studio.song, mix_of(studio.sources, presence_db=presence_db))
    rendered = await studio.mixing.versions.wait_rendered(proposed.name)
    if alternates:
        await add_alternates(studio, rendered, *alternates)
    await studio.mixing.versions.submit(rendered.name)
    await approve(studio, rendered)
    return await studio.producer.versions.get(rendered.name)


async def add_alternates(studio: Studio, mix: res.Version, *names: str) -> None:
    """Ask for alternates of a mix without its lead, and wait for them."""
    wanted = [recipe_pb2.Alternate(id=name, mute=["lead"]) for name in names]
    await studio.mixing.versions.request_alternates(mix.name, wanted)
    await studio.mixing.versions.wait_alternates(studio.song, mix.name)


async def finish_master(studio: Studio) -> res.Version:
    """Propose a master for streaming, have it rendered and approved."""
    proposed = await studio.mastering.versions.propose_master(studio.song, master_of())
    rendered = await studio.mastering.versions.wait_rendered(proposed.name)
    await studio.mastering.versions.submit(rendered.name)
    await approve(studio, rendered)
    return await studio.producer.versions.get(rendered.name)


async def deliver(studio: Studio) -> res.DeliveryPackage:
    """Build the draft, pass the last gate, and build the package that is handed over."""
    await studio.mastering.deliveries.build(studio.song, INITIALS)
    await studio.producer.stages.advance(studio.song, res.STAGE_DELIVERED)
    return await studio.mastering.deliveries.build(studio.song, INITIALS)


async def send_back(
    studio: Studio, to: "res.Stage.ValueType", reason: "res.SendBackReason.ValueType", text: str
) -> res.Song:
    """Send the song back with a note that says what has to be done."""
    note = await studio.artist.notes.add_to_song(studio.song, text)
    return await studio.producer.stages.send_back(studio.song, to, reason, [note.id])
