"""Act 1: the people, the project and the song."""

from dataclasses import dataclass
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog

from tapelog_cli.demo.material import Material
from tapelog_cli.demo.show import Show

ARTIST: Final = "pty-artist"
PRODUCER: Final = "pty-producer"
RECORDING: Final = "pty-recording"
MIXING: Final = "pty-mixing"
MASTERING: Final = "pty-mastering"
LABEL: Final = "pty-label"

NAMES: Final = {
    ARTIST: ("Artist", [res.ROLE_ARTIST, res.ROLE_SONGWRITER]),
    PRODUCER: ("Studio producer", [res.ROLE_STUDIO_PRODUCER]),
    RECORDING: ("Recording engineer", [res.ROLE_RECORDING_ENGINEER]),
    MIXING: ("Mixing engineer", [res.ROLE_MIXING_ENGINEER]),
    MASTERING: ("Mastering engineer", [res.ROLE_MASTERING_ENGINEER]),
    LABEL: ("Label", [res.ROLE_LABEL]),
}


@dataclass(frozen=True, slots=True)
class Booking:
    """A song with its people; each speaks for themselves.

    Attributes
    ----------
    artist, producer, recording, mixing, mastering, label : Tapelog
        The client as that person.
    project, song : str
        Resource names.
    """

    artist: Tapelog
    producer: Tapelog
    recording: Tapelog
    mixing: Tapelog
    mastering: Tapelog
    label: Tapelog
    project: str
    song: str

    @property
    def project_id(self) -> str:
        """Id of the project: also its usage account."""
        return self.project.split("/")[1]

    @property
    def song_id(self) -> str:
        """Id of the song."""
        return self.song.split("/")[3]


async def book(api: Tapelog, material: Material, show: Show) -> Booking:
    """Register the people, create the project with their roles and the song in it."""
    producer = api.as_party(PRODUCER)
    for party, (name, _) in NAMES.items():
        await producer.parties.upsert(party, name)
    project = await producer.projects.create(
        material.project_title,
        material.artist,
        [res.Member(party=party, roles=roles) for party, (_, roles) in NAMES.items()],
        external_ref="DEMO-1",
    )
    show.say("Studio producer", f"opens {project.title!r} by {project.artist_name} with {len(NAMES)} people")
    song = await producer.songs.create(
        project.name,
        material.title,
        sample_rate_hz=material.sample_rate_hz,
        bit_depth=material.bit_depth,
        external_ref="DEMO-1-1",
    )
    rate_khz = song.sample_rate_hz / 1000
    show.say("Studio producer", f"books the song {song.title!r} at {rate_khz:g} kHz, {song.bit_depth} bit")
    return Booking(
        artist=api.as_party(ARTIST),
        producer=producer,
        recording=api.as_party(RECORDING),
        mixing=api.as_party(MIXING),
        mastering=api.as_party(MASTERING),
        label=api.as_party(LABEL),
        project=project.name,
        song=song.name,
    )
