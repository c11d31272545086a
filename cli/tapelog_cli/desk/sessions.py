"""`tapelog import` and `tapelog export`: sessions of other programs as recipes, and recipes as DAWproject."""

import json as json_text
import re
import shutil
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.cutting import cut_audio
from tapelog_desk.files.atomic import atomic_file, partial_path
from tapelog_desk.probe import probe_file
from tapelog_desk.sources import beside
from tapelog_interchange import (
    Archive,
    AudioFacts,
    Imported,
    Loss,
    Marker,
    Session,
    assemble,
    losses_json,
    read_dawproject,
    read_rpp,
    write_dawproject,
)
from tapelog_interchange.limits import RPP_BYTES_MAX
from tapelog_recipe import RecipeError, dump_recipe, load_mix_recipe, validate_mix

from tapelog_cli.desk import show
from tapelog_cli.desk.files import read_recipe, require_file, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode

AUDIO: Final = frozenset({".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3", ".w64"})
"""Extensions that imported audio keeps; what a file really is, the reader finds out."""

RECIPE: Final = "recipe.yaml"
NOTES_BYTES_MAX: Final = 16 * 1024 * 1024


def _print_losses(losses: tuple[Loss, ...], none: str) -> None:
    out = show.output()
    if not losses:
        out.print(none, markup=False)
        return
    out.print(f"did not travel ({len(losses)}):", style="bold")
    for loss in losses:
        out.print(f"  {loss.where}: {loss.what}", markup=False, soft_wrap=True)
        out.print(f"    {loss.instead}", markup=False, soft_wrap=True, style="dim")


class _Audio:
    """Brings the audio of a session into the folder `audio` beside its recipe, each file once."""

    def __init__(self, folder: Path, archive: Archive | None, origin: Path) -> None:
        self._folder = folder / "audio"
        self._archive = archive
        self._origin = origin
        self._brought: dict[str, str] = {}

    def _new(self, name: str) -> Path:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(name).stem)[:64].strip("-") or "audio"
        suffix = Path(name).suffix.lower()
        suffix = suffix if suffix in AUDIO else ""
        path, number = self._folder / f"{stem}{suffix}", 2
        while path.exists():
            path, number = self._folder / f"{stem}-{number}{suffix}", number + 1
        return path

    def bring(self, name: str) -> str | None:
        """Return the path beside the recipe of a session's file, or None if it is not there."""
        if name in self._brought:
            return self._brought[name]
        self._folder.mkdir(exist_ok=True)
        target = self._new(name)
        if self._archive is not None and name in self._archive:
            self._archive.extract(name, target)
        else:
            found = self._beside(name)
            if found is None:
                return None
            shutil.copyfile(found, target)
        self._brought[name] = f"audio/{target.name}"
        return self._brought[name]

    def _beside(self, name: str) -> Path | None:
        """Return a file of the session's own folder: by its relative path, else by its last part."""
        home = self._origin.parent.resolve()
        for candidate in (home / name, home / Path(name).name, home / "Audio" / Path(name).name):
            path = candidate.resolve()
            if path.is_file() and path.is_relative_to(home):
                return path
        return None

    def cut(self, name: str, track: str, offset_s: float, length_s: float | None) -> str:
        """Cut a piece out of a file that was brought; return its path beside the recipe."""
        target = self._new(f"{track}.wav")
        cut_audio(self._folder.parent / name, target, offset_s=offset_s, length_s=length_s)
        return f"audio/{target.name}"


def _settle(imported: Imported, audio: _Audio) -> tuple[Loss, ...]:
    """Give every track its file beside the recipe; return what could not be."""
    losses = list(imported.losses)
    cuts = {cut.track: cut for cut in imported.cuts}
    missing = []
    for track in imported.recipe.tracks:
        name = track.source.file
        brought = audio.bring(name)
        if brought is None:
            missing.append(track.id)
            losses.append(Loss(track.id, f"its audio {name!r} is not beside the session", "the track was left out"))
            continue
        cut = cuts.get(track.id)
        track.source.file = brought if cut is None else audio.cut(brought, track.id, cut.offset_s, cut.length_s)
    kept = [track for track in imported.recipe.tracks if track.id not in missing]
    if not kept:
        raise WrongUsage("none of the session's audio files is there", "put them beside the session file")
    del imported.recipe.tracks[:]
    imported.recipe.tracks.extend(kept)
    return tuple(losses)


def _read(path: Path, archive: Archive | None) -> Session:
    if archive is not None:
        return read_dawproject(archive)
    with path.open("rb") as file:
        return read_rpp(file.read(RPP_BYTES_MAX + 1), path.name)


def _import(path: Path, output: Path, rate: int, archive: Archive | None) -> tuple[Session, Imported, tuple[Loss, ...]]:
    session = _read(path, archive)
    imported = assemble(session, rate)
    output.mkdir(parents=True, exist_ok=True)
    losses = _settle(imported, _Audio(output, archive, path))
    if violations := validate_mix(imported.recipe, services=False):
        raise RecipeError(violations)
    with atomic_file(output / RECIPE) as file:
        file.write(dump_recipe(imported.recipe, "yaml").encode())
    return session, imported, losses


@told
def import_session(
    session: Annotated[Path, Parameter(help="A .dawproject or a Reaper .rpp.", negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="Folder for recipe.yaml and audio/.")],
    rate: Annotated[int, Parameter(help="Sample rate of the mix in Hz; 0 takes the session's.")] = 0,
    force: Annotated[bool, Parameter(negative="", help="Write into a folder that has a recipe already.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Read a session of another program as a recipe, and say item by item what did not travel.

    Faders, pans, mutes, sends, groups, equalisers, compressors, gates, their automation and the markers travel.
    Plug-ins do not: print them into the audio before.

    Example: `tapelog import song.dawproject -o song`
    """
    require_file(session)
    if (output / RECIPE).exists() and not force:
        raise WrongUsage(f"{output / RECIPE} is there already", "choose another folder, or --force to replace it")
    if session.suffix.lower() == ".rpp":
        read, imported, losses = _import(session, output, rate, None)
    else:
        with Archive(session) as archive:
            read, imported, losses = _import(session, output, rate, archive)
    markers = [{"time_s": round(marker.time_s, 6), "name": marker.name} for marker in read.markers]
    if json:
        show.print_json({"recipe": str(output / RECIPE), "written_by": read.source, "markers": markers,
                         "tracks": [track.id for track in imported.recipe.tracks],
                         "buses": [bus.id for bus in imported.recipe.buses],
                         "losses": losses_json(list(losses))})  # fmt: skip
        return ExitCode.OK
    out = show.output()
    out.print(f"{session.name}, written by {read.source}: {len(imported.recipe.tracks)} tracks, "
              f"{len(imported.recipe.buses)} buses, {len(markers)} markers", markup=False)  # fmt: skip
    _print_losses(losses, "everything travelled")
    out.print(f"{output / RECIPE}: tapelog mix {output / RECIPE} -o mix.wav", markup=False, soft_wrap=True)
    return ExitCode.OK


def _markers(notes: Path | None, rate: int) -> list[Marker]:
    """Return the notes of a review, as `--json` prints them, as markers."""
    if notes is None:
        return []
    try:
        with notes.open("rb") as file:
            found = json_text.loads(file.read(NOTES_BYTES_MAX))
        items = found["notes"] if isinstance(found, dict) else found
        return [
            Marker(int(item["start_frame"]) / int(item.get("sample_rate_hz") or rate), str(item["text"]))
            for item in items
            if item.get("start_frame") is not None
        ]
    except OSError as error:
        raise WrongUsage(f"{notes} cannot be read: {error.strerror or error}", "check the path") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{notes} holds no list of notes with start_frame and text: {error!r}"
        raise WrongUsage(problem, "give what a notes command prints with --json") from error


@told
def export_session(
    recipe: Annotated[Path, Parameter(help="Mix recipe, YAML or JSON.", negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The .dawproject to write.")],
    notes: Annotated[Path | None, Parameter(help="JSON list of notes with start_frame and text: the markers.")] = None,
    title: Annotated[str, Parameter(help="Title of the song.")] = "",
    force: Annotated[bool, Parameter(negative="", help="Replace a file that is there.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Write a recipe with its audio as DAWproject, and say what other programs will not see.

    Example: `tapelog export examples/lithium/mix-2.yaml -o lithium.dawproject`
    """
    from importlib.metadata import version

    if output.suffix.lower() != ".dawproject":
        raise WrongUsage(f"{output} must end in .dawproject", "that is the one format that is written")
    if output.exists() and not force:
        raise WrongUsage(f"{output} is there already", "choose another name, or --force to replace it")
    require_folder(output)
    mix: pb.MixRecipe = read_recipe(recipe, load_mix_recipe)
    if violations := validate_mix(mix, services=False):
        raise RecipeError(violations)
    resolve = beside(recipe.parent)

    def facts(track: pb.RecipeTrack) -> AudioFacts:
        path = resolve(track.source)
        audio = probe_file(path)
        return AudioFacts(path, audio.sample_rate_hz, audio.channels, audio.length_frames)

    partial = partial_path(output)
    try:
        losses = write_dawproject(
            partial, mix, facts, version=version("tapelog"), title=title or recipe.stem,
            markers=_markers(notes, mix.sample_rate_hz),
        )  # fmt: skip
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    if json:
        show.print_json({"file": str(output), "bytes": output.stat().st_size, "losses": losses_json(list(losses))})
        return ExitCode.OK
    show.output().print(f"{output}: {len(mix.tracks)} tracks, {output.stat().st_size} bytes", markup=False)
    _print_losses(losses, "other programs see everything")
    return ExitCode.OK
