"""What a search asks of songs and only their state can answer, remembered until the song moves on.

A row of the lists says at which sequence a song is; a summary made at that sequence is still right. So a search reads
each song that has changed since the last search once, from its snapshot and a few events, and the others not at all.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from tapelog_chassis.aggregates.versioned import Versioned

from tapelog_session.application.aggregates import Aggregates
from tapelog_session.application.reading.lists import SongRow
from tapelog_session.domain.roles import RoleValue
from tapelog_session.domain.song import Song, StageValue
from tapelog_session.domain.talk.notes import SETTLED
from tapelog_session.domain.waiting import waiting_for


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """A song as a search sees it."""

    sequence: int
    update_time: datetime | None
    title: str
    stage: StageValue
    cycle: int
    waiting_for: tuple[RoleValue, ...]
    open_notes: int
    open_client_notes: int


class SongIndex:
    """Summaries by song; what was dropped is made again when it is asked for."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._songs = aggregates.songs
        self._known: dict[tuple[str, str], Summary] = {}

    def __repr__(self) -> str:
        return f"SongIndex({len(self._known)} songs)"

    async def summary(self, tenant: str, row: SongRow) -> Summary:
        """Return a song's summary at the row's sequence or a later one."""
        known = self._known.get((tenant, row.id))
        if known is None or known.sequence < row.sequence:
            versioned = await self._songs.load(self._songs.aggregate(tenant, row.id))
            known = self._known[tenant, row.id] = summary_of(versioned)
        return known

    def drop(self) -> None:
        """Forget everything."""
        self._known.clear()


def summary_of(versioned: Versioned[Song]) -> Summary:
    """Return the summary of a song's state."""
    song = versioned.state
    waiting = [note for note in song.notes.values() if note.state not in SETTLED]
    return Summary(
        sequence=versioned.sequence,
        update_time=versioned.time,
        title=song.title,
        stage=song.stage,
        cycle=song.cycle,
        waiting_for=waiting_for(song),
        open_notes=len(waiting),
        open_client_notes=sum(note.is_client for note in waiting),
    )
