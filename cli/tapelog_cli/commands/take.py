"""`tapelog take …`: recordings of a song."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from tapelog_cli.connection import Connection
from tapelog_cli.errors import UsageError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json, SongName
from tapelog_cli.printed.answers import tell, tell_all
from tapelog_cli.typed.choices import word_of
from tapelog_cli.typed.moments import AsOf, moment_of
from tapelog_cli.typed.naming import only, song_name

if TYPE_CHECKING:
    from tapelog.session.v1 import resources_pb2 as res
    from tapelog_client import Tapelog

FORMAT_FINDINGS = ("SAMPLE_RATE", "BIT_DEPTH")
Take = Annotated[str, Parameter(help="Take id; `tapelog take list` shows them.")]
COLUMNS: Final = ("track", "take", "check", "selected", "LUFS-I", "dBTP", "findings")
_NOBODY = Connection()


async def upload(
    song: SongName,
    files: Annotated[list[Path], Parameter(help="WAV, FLAC or AIFF; each becomes a take of the track of its name.")],
    *,
    track: Annotated[str, Parameter(help="Track id, for a single file. Default: 01_Kick.wav is of track kick.")] = "",
    select: Annotated[
        bool, Parameter(negative="", help="Choose each take that passes its check, as producer.")
    ] = False,
    wait: Annotated[bool, Parameter(help="Wait for the arrival checks.")] = True,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Upload takes and check them; ends with 1 where one fails. A new track is defined, one that is not required."""
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.printed.output import err

    if track and len(files) > 1:
        raise UsageError(f"--track {track} with {len(files)} files", hint="name one file, or leave --track out")
    async with connection.open() as api:
        name = await song_name(api, song)
        tracks = [track] if track else track_ids(files)
        pairs = zip(files, tracks, strict=True)
        added = [await _upload_one(api, name, path, track_id, quiet=json) for path, track_id in pairs]
        found = {take.id: take for take in added}
        if wait or select:
            checked = await api.takes.wait_checked(name)
            found = {take.id: take for take in checked.takes if take.id in found}
        if select:
            for take in found.values():
                if take.check_state == res.TAKE_CHECK_STATE_PASSED:
                    await api.takes.select(name, take.track, take.id)
        now = await api.songs.get(name)
    _tell_takes(now, [take for take in now.takes if take.id in found], json=json)
    failed = [take for take in found.values() if take.check_state == res.TAKE_CHECK_STATE_FAILED]
    if failed and not json:
        err().print(_advice(failed, files[0]), markup=False, soft_wrap=True, style="dim")
    return ExitCode.FAILURE if failed else ExitCode.OK


def _advice(failed: "list[res.Take]", like: Path) -> str:
    """Return what to do about takes that failed their check."""
    if any(finding.startswith(FORMAT_FINDINGS) for take in failed for finding in take.findings):
        return (
            "  a song has one sample rate and bit depth: make it as its stems are, "
            f"`tapelog song create PROJECT TITLE --like {like}`, or convert the stems"
        )
    return (
        "  send them again, exported anew (`tapelog repair` mends clicks, hum and clipping), "
        "or leave them out of the recipe: no mix may use them"
    )


async def list_(song: SongName, *, as_of: AsOf = "", connection: Connection = _NOBODY, json: Json = False) -> int:
    """List the takes of a song: their checks, which are selected, and how loud they are."""
    async with connection.open() as api:
        found = await api.songs.get(await song_name(api, song), **moment_of(as_of))
    return _tell_takes(found, list(found.takes), json=json)


async def select(song: SongName, take: Take, *, connection: Connection = _NOBODY, json: Json = False) -> int:
    """Choose a take for its track. For the producer."""
    async with connection.open() as api:
        name = await song_name(api, song)
        chosen = only((await api.songs.get(name)).takes, take, "take")
        changed = await api.takes.select(name, chosen.track, take)
    return tell(changed, f"{chosen.track}: {take}", json=json)


async def reject(
    song: SongName,
    take: Take,
    reason: Annotated[str, Parameter(help="Why.")],
    *,
    connection: Connection = _NOBODY,
    json: Json = False,
) -> int:
    """Put a take out of the question; it is kept."""
    async with connection.open() as api:
        changed = await api.takes.reject(await song_name(api, song), take, reason)
    return tell(changed, f"{take}: rejected", json=json)


def track_ids(files: Iterable[Path]) -> list[str]:
    """Return the track ids of files: those that `tapelog automix` gives these stems."""
    from tapelog_desk.automix.sheet import stem_id

    made: list[str] = []
    for path in files:
        made.append(stem_id(path.stem, made))
    return made


async def _upload_one(api: "Tapelog", song: str, path: Path, track: str, *, quiet: bool) -> "res.Take":
    from tapelog_cli.printed.transfers import bytes_bar

    known = {item.id for item in (await api.songs.get(song)).tracks}
    if track not in known:
        # Nobody said that the song cannot do without it; `take define` says so.
        title = re.sub(r"^[0-9]+[\W_]+", "", path.stem) or track
        await api.takes.define_track(song, track, title, required=False)
    with bytes_bar(f"sending {path.name}", quiet=quiet) as progress:
        return await api.takes.record(song, track, path, progress=progress)


def _tell_takes(song: "res.Song", takes: "list[res.Take]", *, json: bool) -> int:
    from tapelog.session.v1 import resources_pb2 as res

    from tapelog_cli.printed.shapes import figure

    selected = {track.selected_take for track in song.tracks}

    def row(take: "res.Take") -> tuple[str, ...]:
        state = "rejected" if take.reject_reason else word_of(res.TakeCheckState, take.check_state)
        loudness, peak = figure(take.measurements, "integrated_lufs"), figure(take.measurements, "true_peak_dbtp")
        mark = "yes" if take.id in selected else ""
        return take.track, take.id, state, mark, loudness, peak, "; ".join(take.findings)

    return tell_all(takes, COLUMNS, row, json=json)
