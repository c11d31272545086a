"""A small studio for tests: people, a song, and synthetic stems, all through the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

RATE_HZ = 48_000
People = Mapping[str, list["res.Role.ValueType"]]
PEOPLE: People = {
    "pty-artist": [res.ROLE_ARTIST, res.ROLE_SONGWRITER],
    "pty-producer": [res.ROLE_STUDIO_PRODUCER],
    "pty-recording": [res.ROLE_RECORDING_ENGINEER],
    "pty-mixing": [res.ROLE_MIXING_ENGINEER],
    "pty-mastering": [res.ROLE_MASTERING_ENGINEER],
    "pty-label": [res.ROLE_LABEL],
}


@dataclass(frozen=True)
class Studio:
    """A song and its people.

    Attributes
    ----------
    sources : dict of str to str
        SHA-256 of each track's selected take.
    """

    artist: Tapelog
    producer: Tapelog
    recording: Tapelog
    mixing: Tapelog
    mastering: Tapelog
    label: Tapelog
    project: str
    song: str
    sources: dict[str, str]

    @property
    def project_id(self) -> str:
        """Id of the project."""
        return self.project.split("/")[1]


async def open_studio(api: Tapelog, title: str, *constraints: brief_pb2.Constraint, people: People = PEOPLE) -> Studio:
    """Create people, project and song with a brief of these rules, and pass the gate to RECORDING.

    Parameters
    ----------
    people : mapping of str to list of Role
        Whoever holds a role, by it: fewer people may hold all of them.
    """
    who = {role: api.as_party(party) for party, roles in people.items() for role in roles}
    producer, artist = who[res.ROLE_STUDIO_PRODUCER], who[res.ROLE_ARTIST]
    project = await producer.projects.create(
        title, "The Testers", [res.Member(party=party, roles=roles) for party, roles in people.items()]
    )
    song = (await producer.songs.create(project.name, title, sample_rate_hz=RATE_HZ, bit_depth=24)).name
    writer = next(party for party, roles in people.items() if res.ROLE_ARTIST in roles)
    await artist.songs.register_work(song, title, [writer])
    await artist.briefs.propose(song, brief_pb2.Brief(intent="Plain.", constraints=constraints))
    for person in (artist, producer):
        await person.briefs.agree(song, 1)
        await person.songs.approve_arrangement(song)
    await producer.stages.advance(song, res.STAGE_RECORDING)
    return Studio(
        artist=artist,
        producer=producer,
        recording=who[res.ROLE_RECORDING_ENGINEER],
        mixing=who[res.ROLE_MIXING_ENGINEER],
        mastering=who[res.ROLE_MASTERING_ENGINEER],
        label=who[res.ROLE_LABEL],
        project=project.name,
        song=song,
        sources={},
    )


async def record_stems(studio: Studio, folder: Path, *, tracks: int, length_s: float) -> None:
    """Upload synthetic stems, select them, and pass the gate to MIXING."""
    for number in range(1, tracks + 1):
        track = f"track-{number}"
        await studio.recording.takes.define_track(studio.song, track, track)
        path = write_stem(folder / f"{track}.wav", seed=number, length_s=length_s)
        take = await studio.recording.takes.record(studio.song, track, path)
        studio.sources[track] = take.asset_sha256
    song = await studio.recording.takes.wait_checked(studio.song)
    for take in song.takes:
        await studio.producer.takes.select(studio.song, take.track, take.id)
    await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)


def write_stem(path: Path, *, seed: int, length_s: float) -> Path:
    """Write a tone with noise, mono, 24 bit; another seed is another stem."""
    frames = round(length_s * RATE_HZ)
    noise = np.random.default_rng(seed).standard_normal(frames) * 0.02
    tone = 0.1 * np.sin(2 * np.pi * 110.0 * seed * np.arange(frames) / RATE_HZ)
    soundfile.write(path, tone + noise, RATE_HZ, subtype="PCM_24")
    return path


def recipe(studio: Studio, *, chain: int = 0, gain_db: float = 0.0) -> recipe_pb2.MixRecipe:
    """Return a mix of all stems; `chain` compressors on each track make it take longer."""
    made = recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ)
    for track, sha256 in studio.sources.items():
        added = made.tracks.add(id=track, gain_db=gain_db)
        added.source.asset_sha256 = sha256
        for _ in range(chain):
            added.chain.add().compressor.threshold_db = -20.0
    return made
