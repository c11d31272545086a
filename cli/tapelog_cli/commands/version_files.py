"""`tapelog mix alternates|stems|download` and `tapelog master download`: what is made of a version."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell
from tapelog_cli.typed.naming import Kind, project_of, short, song_name, version_name

Number = Annotated[str, Parameter(help="Number of the version. Default: the newest.", show_default=False)]
Output = Annotated[Path, Parameter(name=["--output", "-o"], help="File to write, .wav or .flac.")]
_NOBODY = Connection()


async def alternates(
    song: SongName,
    files: Annotated[list[Path], Parameter(help="Alternates, YAML or JSON, such as examples/lithium/alternates.")],
    *,
    mix: Number = "",
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Ask for alternates of a mix, such as an instrumental; they render as one batch, which is waited for."""
    from tapelog_recipe import load_alternate

    from tapelog_cli.typed.written import notation, read_text

    wanted = [load_alternate(read_text(path), notation(path)) for path in files]
    async with connection.open() as api:
        version = await version_name(api, song, mix, kind="mix")
        await api.versions.request_alternates(version, wanted)
        done = await api.versions.wait_alternates(await song_name(api, song), version)
    made = [item.id for item in done.alternates if item.version == version]
    return tell(done, f"{short(version)}: {', '.join(made)}", json=json)


async def stems(song: SongName, *, mix: Number = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """Render the stems of a mix, one for each bus and track that goes straight into it; they sum to the mix."""
    async with connection.open() as api:
        version = await version_name(api, song, mix, kind="mix")
        await api.versions.request_stems(version)
        made = await api.versions.wait_stems(await song_name(api, song), version)
    return tell(made, f"{short(version)}: {', '.join(stem.id for stem in made.stems)}", json=json)


async def download_mix(
    song: SongName, number: Number = "", *, output: Output, connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Download the audio of a mix, verified by its SHA-256."""
    return await _download(song, number, "mix", output, connection, json=json)


async def download_master(
    song: SongName, number: Number = "", *, output: Output, connection: Connection = _NOBODY, json: Json = False
) -> int:
    """Download the audio of a master, verified by its SHA-256."""
    return await _download(song, number, "master", output, connection, json=json)


async def _download(song: str, number: str, kind: Kind, output: Path, connection: Connection, *, json: bool) -> int:
    from tapelog_cli.printed.transfers import bytes_bar

    async with connection.open() as api:
        version = await api.versions.get(await version_name(api, song, number, kind=kind))
        wanted = output.suffix.lower().removeprefix(".")
        found = next((audio for audio in version.audio if audio.format.container == wanted), None)
        if found is None:
            have = ", ".join(f".{audio.format.container}" for audio in version.audio) or "no audio yet"
            raise UsageError(f"{short(version.name)} has no .{wanted} file", hint=f"it has {have}")
        with bytes_bar(f"fetching {output.name}", quiet=json) as progress:
            await api.assets.download(project_of(version.name), found.sha256, output, progress=progress)
    return tell(found, f"{short(version.name)}: {output}", json=json)
