"""`tapelog song …`: what a song is made of besides its sound: works, words, codes, references."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, JsonLines, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.choices import ReferenceAspect, value_of
from tapelog_cli.typed.naming import project_of, song_name

Writer = Annotated[list[str], Parameter(negative=(), help="Party id of who wrote it; may be given again.")]
_NOBODY = Connection()


async def register_work(
    song: SongName,
    title: Annotated[str, Parameter(help="Title of the musical work.")],
    *,
    writer: Writer,
    iswc: Annotated[str, Parameter(help="Its ISWC.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Link the musical work and its writers."""
    async with connection.open() as api:
        changed = await api.songs.register_work(await song_name(api, song), title, writer, iswc=iswc)
    return tell(changed, f"{title}: written by {', '.join(writer)}", json=json)


async def set_writers(
    song: SongName,
    work: Annotated[int, Parameter(help="Which work, from 1.")],
    *,
    writer: Writer,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Say anew who wrote a work."""
    async with connection.open() as api:
        changed = await api.songs.set_writers(await song_name(api, song), work, writer)
    return tell(changed, f"work {work}: written by {', '.join(writer)}", json=json)


async def set_lyrics(
    song: SongName,
    file: Annotated[Path, Parameter(help="UTF-8 text; an empty file takes the words away.")],
    *,
    language: Annotated[str, Parameter(help="Language tag, such as en.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Set the words of the song."""
    text = file.read_text(encoding="utf-8")
    async with connection.open() as api:
        changed = await api.songs.set_lyrics(await song_name(api, song), text, language=language)
    return tell(changed, f"{changed.title}: {len(changed.lyrics.text.splitlines())} lines of words", json=json)


async def set_isrc(
    song: SongName,
    isrc: Annotated[str, Parameter(help="Such as ZZTPL2600001.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Set the International Standard Recording Code."""
    async with connection.open() as api:
        changed = await api.songs.set_isrc(await song_name(api, song), isrc)
    return tell(changed, f"{changed.title}: {changed.isrc}", json=json)


async def attach_reference(
    song: SongName,
    title: Annotated[str, Parameter(help="Title of the reference track.")],
    *,
    aspect: Annotated[
        list[ReferenceAspect], Parameter(negative=(), help="What it is a reference for; may be given again.")
    ],
    file: Annotated[Path | None, Parameter(help="Its audio, to be uploaded.")] = None,
    comment: Annotated[str, Parameter(help="What to listen to.")] = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Attach a reference track, beside those that the brief agreed on."""
    from tapelog.session.v1 import brief_pb2

    from tapelog_cli.printed.transfers import bytes_bar

    wanted = brief_pb2.ReferenceTrack(
        title=title, comment=comment, aspects=[value_of(brief_pb2.ReferenceAspect, word) for word in aspect]
    )
    async with connection.open() as api:
        name = await song_name(api, song)
        if file is not None:
            with bytes_bar(f"sending {file.name}", quiet=json) as progress:
                asset = await api.assets.upload(project_of(name), file, progress=progress)
            wanted.asset_sha256 = asset.sha256
        changed = await api.songs.attach_reference(name, wanted)
    return tell(changed, f"{changed.title}: {len(changed.reference_tracks)} references", json=json)


async def events(
    song: SongName,
    *,
    connection: Connection = _NOBODY,
    json: JsonLines = False,  # noqa: ARG001 - said on the command line alone
) -> int:
    """Print the facts of a song from its own log, one JSON object a line."""
    from tapelog_cli.printed.output import print_json_line
    from tapelog_cli.printed.shapes import event_as_dict

    async with connection.open() as api:
        async for event in api.songs.events(await song_name(api, song)):
            print_json_line(event_as_dict(event))
    return ExitCode.OK
