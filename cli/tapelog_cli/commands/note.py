"""`tapelog note …`: what people say about a mix, a take or a song, and what became of it."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import NoteCategory, NoteSeverity, NoteState, NoteThread, value_of, word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import short, song_name, version_name
from tapelog_cli.typed.timecodes import passage_of

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res

Id = Annotated[str, Parameter(help="Note id; `tapelog note list` shows them.")]
_NOBODY = Connection()


async def add(
    song: SongName,
    text: Annotated[str, Parameter(help="What should be done.")],
    *,
    on: Annotated[str, Parameter(help="mix-2, master-1, or `song` for the song as a whole. Default: newest.")] = "",
    at: Annotated[str, Parameter(help="Passage: 1:02.5-1:10, or one position. Default: all of it.")] = "",
    track: Annotated[list[str] | None, Parameter(negative=(), help="Track id; may be given again.")] = None,
    take: Annotated[str, Parameter(help="Take id, for a note on a take.")] = "",
    category: Annotated[NoteCategory | None, Parameter(show_default=False, help="What it is about.")] = None,
    severity: Annotated[NoteSeverity, Parameter(help="How much it matters.")] = "should",
    thread: Annotated[NoteThread | None, Parameter(show_default=False, help="Who reads it.")] = None,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Add a note to a version at a passage, to a take, or to the song."""
    from tapelog.session.v1 import resources_pb2 as res

    kind, weight = value_of(res.NoteCategory, category), value_of(res.NoteSeverity, severity)
    reader = value_of(res.NoteThread, thread)
    async with connection.open() as api:
        name = await song_name(api, song)
        if on == "song" or take:
            if at or track:
                raise UsageError("a note on a song or a take has no passage and no tracks", hint="leave them out")
            made = await api.notes.add_to_song(name, text, take=take, category=kind, severity=weight, thread=reader)
            return tell(made, f"{made.id}: {made.text}", json=json)
        version = await version_name(api, song, on)
        rate_hz = (await api.songs.get(name)).sample_rate_hz
        made = await api.notes.add(
            version,
            text,
            frames=passage_of(at, rate_hz) if at else None,
            tracks=track or (),
            category=kind,
            severity=weight,
            thread=reader,
        )
    return tell(made, f"{made.id} on {short(version)}: {made.text}", json=json)


async def list_(
    song: SongName,
    *,
    on: Annotated[str, Parameter(help="Only notes on, or carried to, this version.")] = "",
    state: Annotated[list[NoteState] | None, Parameter(negative=(), help="Only these; may be given again.")] = None,
    as_of: AsOf = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """List the notes of a song, oldest first."""
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.printed.song_sheet import passage

    async with connection.open() as api:
        name = await song_name(api, song)
        whole = await api.songs.get(name)
        version = await version_name(api, song, on) if on else ""
        states = [value_of(res.NoteState, word) for word in state or ()]
        found = [note async for note in api.notes.list(name, version=version, states=states, **moment_of(as_of))]

    def row(note: "res.Note") -> tuple[str, ...]:
        where = short(note.version) or note.take or "song"
        severity, status = word_of(res.NoteSeverity, note.severity), word_of(res.NoteState, note.state)
        return note.id, where, passage(note, whole), note.author, severity, status, note.text

    return tell_all(found, ("note", "on", "at", "by", "severity", "state", "text"), row, json=json)


async def reply(
    song: SongName,
    note: Id,
    text: Annotated[str, Parameter(help="The answer.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Answer a note."""
    async with connection.open() as api:
        return _tell(await api.notes.reply(await song_name(api, song), note, text), json=json)


async def address(
    song: SongName,
    note: Id,
    answer: Annotated[str, Parameter(help="What was done.")],
    *,
    in_: Annotated[str, Parameter(name="--in", help="The version in which it is done, such as mix-2.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say that a note is done, and in which version."""
    async with connection.open() as api:
        version = await version_name(api, song, in_) if in_ else ""
        return _tell(await api.notes.address(await song_name(api, song), note, answer, version), json=json)


async def verify(song: SongName, note: Id, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Confirm that a note is done."""
    async with connection.open() as api:
        return _tell(await api.notes.verify(await song_name(api, song), note), json=json)


async def decline(
    song: SongName,
    note: Id,
    reason: Annotated[str, Parameter(help="Why not.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say that a note should not or cannot be done."""
    async with connection.open() as api:
        return _tell(await api.notes.decline(await song_name(api, song), note, reason), json=json)


async def reopen(
    song: SongName,
    note: Id,
    reason: Annotated[str, Parameter(help="Why.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Let a note wait for an engineer again."""
    async with connection.open() as api:
        return _tell(await api.notes.reopen(await song_name(api, song), note, reason), json=json)


def _tell(note: "res.Note", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    return tell(note, f"{note.id}: {word_of(res.NoteState, note.state)}", json=json)
