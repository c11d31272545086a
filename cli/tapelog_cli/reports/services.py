"""Reports of what the services hold: read through the SDK, the audio downloaded to draw it."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog.session.v1 import session_service_pb2 as rpc
from tapelog_client import Tapelog
from tapelog_client.errors import PermissionDenied
from tapelog_desk.report.compared import Compared, compare
from tapelog_desk.report.heard import Heard, hear
from tapelog_desk.report.sheet import Sheet

from tapelog_cli.connection import Connection
from tapelog_cli.printed.transfers import bytes_bar
from tapelog_cli.reports import delivery as packages
from tapelog_cli.reports import version as versions
from tapelog_cli.reports.files import Asked
from tapelog_cli.reports.people import read_names
from tapelog_cli.typed import naming

SESSIONS_MAX: Final = 500
"""Studio sessions read of one song."""


async def sheet_of_version(reach: Connection, text: str, asked: Asked, *, internal: bool) -> tuple[Sheet, str]:
    """Return the report of a version by its name, or of a song's newest, and what whoever sends it should know.

    Raises
    ------
    CliError
        Nothing is called so.
    TapelogApiError
        The services refuse.
    SourceError
        The audio cannot be read.
    """
    async with reach.open() as api:
        name = await naming.version_name(api, text)
        song, project = await asyncio.gather(
            api.songs.get(await naming.song_name(api, name)), api.projects.get(naming.project_of(name))
        )
        version = next((one for one in song.versions if one.name == name), None)
        if version is None:
            version = await api.versions.get(name)
        before = _before(song, version)
        diff = await api.versions.diff(before.name, version.name) if before is not None else None
        names = await read_names(api, song)
        with tempfile.TemporaryDirectory(prefix="tapelog-report-") as folder:
            heard = await _hear(api, version, asked, Path(folder))
            earlier = (
                await _hear(api, before, asked, Path(folder)) if before is not None and heard is not None else None
            )
    said, missed = versions.verdict_of(version, names)
    hidden = 0 if internal else versions.hidden_notes(song, version, before)
    sheet = Sheet(
        title=asked.title or f"{song.title}, {versions.version_title(version)}",
        subtitle=f"{project.artist_name} · {project.title}",
        parts=(heard,) if heard is not None else (),
        verdict=said,
        missed=missed,
        sections=tuple(versions.sections_of(song, version, before, diff, names, internal=internal)),
        appendix=(versions.digests(version),),
        compared=_compared(earlier, heard),
        target_lufs=_target(version),
    )
    return sheet, f"{hidden} internal notes are left out (--internal)" if hidden else ""


async def sheet_of_delivery(reach: Connection, text: str, asked: Asked) -> tuple[Sheet, str]:
    """Return the report of a package by its name, or of a song's newest; raises as `sheet_of_version`."""
    async with reach.open() as api:
        name = await naming.delivery_name(api, text)
        song_name = await naming.song_name(api, name)
        package, song, project = await asyncio.gather(
            api.deliveries.get(name), api.songs.get(song_name), api.projects.get(naming.project_of(name))
        )
        sessions = []
        async for session in api.sessions.list(song_name):
            sessions.append(session)
            if len(sessions) == SESSIONS_MAX:
                break
        rebuilt, missing = await asyncio.gather(_rebuilt(api, name), _missing(api, song_name))
        names = await read_names(api, song, package, *sessions)
        master = next((file for file in package.files if file.role == "master"), None)
        with tempfile.TemporaryDirectory(prefix="tapelog-report-") as folder:
            heard = None
            if master is not None:
                path = Path(folder, master.filename)
                await _fetch(api, project.name, master.sha256, path, asked)
                heard = await _measure(path, "the master", asked)
    known = {version.name: version for version in song.versions}
    said, missed = packages.verdict_of(package, known, names)
    origin = known.get(master.version) if master is not None else None
    sheet = Sheet(
        title=asked.title or f"{song.title}, delivery",
        subtitle=f"{project.artist_name} · {project.title}",
        parts=(heard,) if heard is not None else (),
        verdict=said,
        missed=missed,
        sections=tuple(
            packages.sections_of(package, song, rebuilt=rebuilt, missing=missing, sessions=sessions, names=names)
        ),
        appendix=(packages.digests(package),),
        target_lufs=_target(origin) if origin is not None else None,
    )
    return sheet, ""


def _before(song: res.Song, version: res.Version) -> res.Version | None:
    """Return the version before of the same kind that has audio."""
    earlier = [one for one in song.versions if one.kind == version.kind and one.number < version.number and one.audio]
    return max(earlier, key=lambda one: one.number, default=None)


def _compared(earlier: Heard | None, heard: Heard | None) -> Compared | None:
    return compare(earlier, heard) if earlier is not None and heard is not None else None


def _target(version: res.Version) -> float | None:
    """Return the loudness that a master was made for."""
    target = version.master.target
    return target.integrated_lufs if version.HasField("master") and target.HasField("integrated_lufs") else None


async def _hear(api: Tapelog, version: res.Version, asked: Asked, folder: Path) -> Heard | None:
    """Download a version's master copy and measure it; None until it is rendered."""
    if not version.audio:
        return None
    audio = version.audio[0]
    title = versions.version_title(version)
    path = folder / f"{title.replace(' ', '-')}.{audio.format.container or 'wav'}"
    await _fetch(api, naming.project_of(version.name), audio.sha256, path, asked)
    return await _measure(path, title, asked)


async def _fetch(api: Tapelog, project: str, sha256: str, path: Path, asked: Asked) -> None:
    with bytes_bar(f"fetching {path.name}", quiet=asked.quiet) as progress:
        await api.assets.download(project, sha256, path, progress=progress)


async def _measure(path: Path, title: str, asked: Asked) -> Heard:
    return await asyncio.to_thread(hear, path, title=title, reference=asked.reference, codecs=asked.codecs)


async def _rebuilt(api: Tapelog, name: str) -> rpc.RebuildDeliveryResponse | None:
    """Return whether the documents are what the log says; None where the caller may not ask."""
    try:
        return await api.deliveries.rebuild(name)
    except PermissionDenied:
        return None


async def _missing(api: Tapelog, song: str) -> list[res.GateCondition] | None:
    """Return what the credits lack; None where the caller may not ask."""
    try:
        return list((await api.sessions.export_credits(song)).missing)
    except PermissionDenied:
        return None
