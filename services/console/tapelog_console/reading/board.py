"""The board: every song that a person can see, by stage, with who is waited for."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import TapelogApiError

from tapelog_console.identity.cookies import SignedIn

from .people import awaited

STAGES: Final = (
    res.STAGE_PRE_PRODUCTION,
    res.STAGE_RECORDING,
    res.STAGE_MIXING,
    res.STAGE_MASTERING,
    res.STAGE_DELIVERED,
)
"""Columns of the board; songs that are archived, on hold or cancelled stand below it."""
PROJECTS_AT_ONCE: Final = 8
"""Projects whose songs are read side by side."""


@dataclass(frozen=True, slots=True)
class Card:
    """One song on the board.

    Attributes
    ----------
    song : Song
    project : Project
    is_mine : bool
        Whether the song waits for the person who looks.
    open_notes : int
        Notes that nobody has settled.
    violations : int
        Rules of the brief that its newest version breaks.
    awaited : list of (role, parties)
        Whom it waits for.
    """

    song: res.Song
    project: res.Project
    is_mine: bool
    open_notes: int
    violations: int
    awaited: list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that a person can see.

    Attributes
    ----------
    columns : list of (stage, cards)
    aside : list of Card
        Songs that are in no stage of work.
    projects : list of Project
    """

    columns: "list[tuple[res.Stage.ValueType, list[Card]]]"
    aside: list[Card]
    projects: list[res.Project]

    @property
    def parties(self) -> set[str]:
        """Everybody whom a song waits for."""
        cards = [card for _, cards in self.columns for card in cards]
        return {party for card in cards for _, parties in card.awaited for party in parties}

    @property
    def mine(self) -> int:
        """How many songs wait for the person who looks."""
        return sum(card.is_mine for _, cards in self.columns for card in cards)


async def read_board(api: Tapelog, person: SignedIn, *, project: str = "") -> Board:
    """Return the board of all projects of a person, or of one (its resource name)."""
    projects = [await api.projects.get(project)] if project else [item async for item in api.projects.list()]
    limit = asyncio.Semaphore(PROJECTS_AT_ONCE)

    async def cards_of(item: res.Project) -> list[Card]:
        async with limit:
            try:
                songs = [song async for song in api.songs.list(item.name)]
            except TapelogApiError:
                if project:
                    raise
                return []  # of a project whose songs this person may not read, such as a billing reader
        return [_card(person, item, song) for song in songs]

    cards = [card for cards in await asyncio.gather(*map(cards_of, projects)) for card in cards]
    columns = [(stage, [card for card in cards if card.song.stage == stage]) for stage in STAGES]
    aside = [card for card in cards if card.song.stage not in STAGES]
    return Board(columns=columns, aside=aside, projects=projects)


def digest_of(board: Board) -> str:
    """Return what tells one state of a board from another: the cursor of its stream."""
    cards = [card for _, cards in board.columns for card in cards] + board.aside
    state = sorted(f"{card.song.name}@{card.song.sequence}" for card in cards)
    return hashlib.sha256("\n".join(state).encode()).hexdigest()[:32]


def _card(person: SignedIn, project: res.Project, song: res.Song) -> Card:
    mine = {role for member in project.members if member.party == person.party for role in member.roles}
    newest = song.versions[-1] if song.versions else None
    return Card(
        song=song,
        project=project,
        is_mine=bool(mine.intersection(song.waiting_for)),
        awaited=awaited(song, project),
        open_notes=sum(note.state != res.NOTE_STATE_VERIFIED for note in song.notes),
        violations=0
        if newest is None
        else sum(verdict.verdict == brief_pb2.VERDICT_VIOLATION for verdict in newest.verdicts),
    )
