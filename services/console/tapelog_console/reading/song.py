"""Everything that a song's page shows, read as one person."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_client import Tapelog
from tapelog_client.errors import FailedPrecondition, TapelogApiError

from tapelog_console.errors import NoSuchPage
from tapelog_console.identity.cookies import SignedIn

from . import history, listening, words
from .listening import Side
from .people import Grants, People, awaited
from .story import Teller
from .waveform import Drawing, Drawings


@dataclass(frozen=True, slots=True)
class SongView:
    """A song as its page shows it.

    Attributes
    ----------
    version, other : Version or None
        What is looked at, and what it is compared with.
    sides : tuple of Side
    drawing : Drawing or None
        Of `version`.
    names : Mapping[str, str]
    may : Grants
    my_roles : str
    gate : EvaluateGateResponse or None
        None where no gate follows.
    story : list of HistoryLine
        The newest lines, newest first.
    delivery : DeliveryPackage or None
    changes : DiffVersionsResponse or None
        From the earlier to the later of the two versions; None where there are not two of one kind.
    """

    song: res.Song
    project: res.Project
    version: res.Version | None
    other: res.Version | None
    sides: tuple[Side, ...]
    drawing: Drawing | None
    names: Mapping[str, str]
    may: Grants
    my_roles: str
    gate: rpc.EvaluateGateResponse | None
    story: list[rpc.HistoryLine]
    delivery: res.DeliveryPackage | None
    changes: rpc.DiffVersionsResponse | None

    @property
    def rate_hz(self) -> int:
        """Sample rate in which notes and positions are counted: the session's, whatever a file has."""
        return self.song.sample_rate_hz

    @property
    def length_frames(self) -> int:
        """Length of what is looked at, in frames of the session; 0 while nothing is rendered."""
        if not self.sides:
            return 0
        form = self.sides[0].audio.format
        return round(form.length_frames * self.rate_hz / max(form.sample_rate_hz, 1))

    @property
    def notes(self) -> list[res.Note]:
        """Notes on the version that is looked at, and the ones carried to it; else those on the song, oldest first."""
        if self.version is None:
            return list(self.song.notes)
        name = self.version.name
        return [note for note in self.song.notes if name in (note.version, note.carried_to) or not note.version]

    @property
    def notes_elsewhere(self) -> list[res.Note]:
        """Notes on other versions."""
        here = {note.id for note in self.notes}
        return [note for note in self.song.notes if note.id not in here]

    @property
    def failing(self) -> list[res.GateCondition]:
        """Conditions that keep the gate closed: all of them."""
        return [] if self.gate is None else [condition for condition in self.gate.conditions if not condition.passed]

    @property
    def rendering(self) -> list[res.Version]:
        """Versions whose render is on the way."""
        return [version for version in self.song.versions if version.state == res.VERSION_STATE_PROPOSED]

    @property
    def awaited(self) -> list[tuple[str, list[str]]]:
        """Whom the song waits for: each role in words, with the parties who hold it."""
        return awaited(self.song, self.project)

    @property
    def tell(self) -> Teller:
        """What says the lines of the story to people."""
        return Teller(self.song, self.names)

    @property
    def newer(self) -> res.Version | None:
        """The newest version that can be heard, if it is not the one that is looked at."""
        newest, _ = listening.newest(self.song.versions)
        return newest if newest and self.version and newest.name != self.version.name else None

    def share(self, frame: int) -> str:
        """Return where a frame is, in per cent of the length."""
        return f"{100 * min(max(frame, 0), self.length_frames) / max(self.length_frames, 1):.4f}%"

    def width(self, start_frame: int, end_frame: int) -> str:
        """Return how long a passage is, in per cent of the length."""
        return f"{100 * max(end_frame - start_frame, 0) / max(self.length_frames, 1):.4f}%"


class SongReader:
    """Reads songs for their pages."""

    def __init__(self, people: People, drawings: Drawings) -> None:
        self._people = people
        self._drawings = drawings

    async def read(self, api: Tapelog, person: SignedIn, name: str, *, shown: str = "", against: str = "") -> SongView:
        """Return a song as its page shows it.

        Parameters
        ----------
        name : str
            projects/{project}/songs/{song}.
        shown, against : str
            Keys of the version that is looked at, and of the one it is compared with; empty takes the newest.

        Raises
        ------
        NoSuchPage
            There is no such version.
        TapelogApiError
            What the services refuse.
        """
        project_name = "/".join(name.split("/")[:2])
        (song, story), project, gate = await asyncio.gather(
            _with_story(api, name), api.projects.get(project_name), self._gate(api, name)
        )
        newest, before = listening.newest(song.versions)
        version = find(song, shown) if shown else newest
        other = find(song, against) if against else before
        if version is not None and other is not None and other.name == version.name:
            other = next((one for one in reversed(song.versions) if one.name != version.name and one.audio), None)
        may, drawing, delivery, changes, names = await asyncio.gather(
            self._people.grants(api, person, project),
            self._drawing(api, project_name, version),
            self._delivery(api, song),
            _changes(api, version, other),
            self._people.names(api, person.tenant, parties(song, project, story)),
        )
        mine = next((member.roles for member in project.members if member.party == person.party), ())
        return SongView(
            song=song,
            project=project,
            version=version,
            other=other,
            sides=listening.side_by_side(song, version, other),
            drawing=drawing,
            names=names,
            may=may,
            my_roles=words.roles(mine),
            gate=gate,
            story=story,
            delivery=delivery,
            changes=changes,
        )

    async def _gate(self, api: Tapelog, name: str) -> rpc.EvaluateGateResponse | None:
        try:
            return await api.stages.evaluate(name)
        except FailedPrecondition:  # the way ends here: archived, on hold, cancelled
            return None

    async def _drawing(self, api: Tapelog, project: str, version: res.Version | None) -> Drawing | None:
        return None if version is None else await self._drawings.of(api, project, version)

    async def _delivery(self, api: Tapelog, song: res.Song) -> res.DeliveryPackage | None:
        if not song.delivery:
            return None
        try:
            return await api.deliveries.get(song.delivery)
        except TapelogApiError:  # the song is readable without it, and its own page says why it is not
            return None


async def _changes(
    api: Tapelog, version: res.Version | None, other: res.Version | None
) -> rpc.DiffVersionsResponse | None:
    if version is None or other is None or version.kind != other.kind or version.name == other.name:
        return None
    earlier, later = sorted((version, other), key=lambda one: one.number)
    return await api.versions.diff(earlier.name, later.name)


async def _with_story(api: Tapelog, name: str) -> tuple[res.Song, list[rpc.HistoryLine]]:
    song = await api.songs.get(name)
    return song, await history.newest(api, song)


def find(song: res.Song, key: str) -> res.Version:
    """Return the version of a key such as "mix-2"; raises `NoSuchPage`."""
    for version in song.versions:
        if words.version_key(version) == key:
            return version
    raise NoSuchPage(f"{song.title!r} has no version {key[:40]!r}.")


def parties(song: res.Song, project: res.Project, story: list[rpc.HistoryLine]) -> Iterator[str]:
    """Yield the parties that a song's page names."""
    for member in project.members:
        yield member.party
    for version in song.versions:
        yield version.proposed_by
        for approval in version.approvals:
            yield approval.party
    for take in song.takes:
        yield take.recorded_by
    for track in song.tracks:
        for asked in track.take_requests:
            yield asked.requested_by
    for note in song.notes:
        yield note.author
        for reply in note.replies:
            yield reply.author
    for disagreement in song.disagreements:
        yield disagreement.opened_by
        for position in disagreement.positions:
            yield position.party
        for option in disagreement.options:
            yield option.proposed_by
    for line in story:
        yield line.actor
