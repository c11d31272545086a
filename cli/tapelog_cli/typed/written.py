"""What people write in files, for the services: recipes whose files become takes, briefs, delivery specs."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tapelog_cli.errors import CliError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message
    from tapelog.common.v1 import recipe_pb2
    from tapelog.session.v1 import brief_pb2
    from tapelog.session.v1 import resources_pb2 as res

Filled = TypeVar("Filled", bound="Message")


class FileNotTaken(CliError):  # noqa: N818 - names a state
    """A recipe names a file of which the song has no take that a mix may use."""


def read_text(path: Path) -> bytes:
    """Return a file's bytes, as many as a recipe may have and one more."""
    from tapelog_recipe.limits import TEXT_MAX_BYTES

    with path.open("rb") as file:
        return file.read(TEXT_MAX_BYTES + 1)


def notation(path: Path) -> Any:
    """Return how a file is written, by its name."""
    return "json" if path.suffix.lower() == ".json" else "yaml"


def read_brief(path: Path) -> "brief_pb2.Brief":
    """Return the brief of a YAML or JSON file."""
    from tapelog_desk.automix import load_brief

    return load_brief(read_text(path), notation(path))


def read_message(path: Path, message: Filled) -> Filled:
    """Fill a message from a YAML or JSON file with the fields of the protos.

    Raises
    ------
    RecipeError
        A field is unknown or of the wrong type; all of them are listed.
    """
    from tapelog_recipe import RecipeError
    from tapelog_recipe.codec import decode
    from tapelog_recipe.text import parse

    violations = tuple(decode(parse(read_text(path), notation(path)), message))
    if violations:
        raise RecipeError(violations)
    return message


def read_mix(path: Path, song: "res.Song") -> "recipe_pb2.MixRecipe":
    """Return the mix recipe of a file for a song: every file that it names becomes the take with the same bytes.

    A file that is not on this machine becomes the selected take of the track with the same id.

    Raises
    ------
    FileNotTaken
        The song has no such take, or one that failed its check.
    """
    from tapelog_recipe import load_mix_recipe, sources_of

    recipe = load_mix_recipe(read_text(path), notation(path))
    takes = {take.asset_sha256: take for take in song.takes}
    selected = {track.id: _selected(song, track) for track in song.tracks}
    for track in recipe.tracks:
        if track.source.file and not (path.parent / track.source.file).is_file() and selected.get(track.id):
            track.source.asset_sha256 = selected[track.id]
    for source in sources_of(recipe):
        if source.file:
            source.asset_sha256 = _taken(path.parent / source.file, takes)
    return recipe


def read_master(path: Path) -> "recipe_pb2.MasterRecipe":
    """Return the master recipe of a file; a source that is a file is left open, it is the approved mix."""
    from tapelog_recipe import load_master_recipe

    recipe = load_master_recipe(read_text(path), notation(path))
    if recipe.source.file:
        recipe.ClearField("source")
    return recipe


def _selected(song: "res.Song", track: "res.Track") -> str:
    return next((take.asset_sha256 for take in song.takes if take.id == track.selected_take), "")


def _taken(path: Path, takes: "Mapping[str, res.Take]") -> str:
    from tapelog.session.v1 import resources_pb2 as res

    if not path.is_file():
        raise UsageError(f"the recipe names {path}, which is not there", hint="check the path, or `tapelog take list`")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 not in takes:
        raise FileNotTaken(f"the song has no take with the bytes of {path}", hint="`tapelog take upload` it first")
    take = takes[sha256]
    if take.check_state == res.TAKE_CHECK_STATE_FAILED:
        why = "; ".join(take.findings)
        raise FileNotTaken(
            f"the take of {path} failed its check: {why}",
            hint=f"leave track {take.track} out of the recipe, or upload the stem mended",
        )
    return sha256
