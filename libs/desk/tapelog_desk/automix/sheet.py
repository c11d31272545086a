"""The list of stems: from audio files, or from a session sheet (song.yaml) that names files, roles and tags."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tapelog_recipe import RecipeError
from tapelog_recipe.limits import TEXT_MAX_BYTES, TRACKS_MAX
from tapelog_recipe.routing import MIX_BUS
from tapelog_recipe.text import parse

from tapelog_desk.automix.errors import SheetError
from tapelog_desk.automix.naming import role_of, words_of
from tapelog_desk.automix.roles import BY_NAME, Role

SHEETS: Final = frozenset({".yaml", ".yml", ".json"})
"""Extensions of session sheets; everything else is audio."""

_ID_CHARS: Final = 32
_TAG: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Stem:
    """A stem before anything was measured.

    Attributes
    ----------
    id : str
        Its track in the recipe.
    path : Path
        The audio.
    role : str
        Role in a person's words; empty where nobody wrote one.
    tags : tuple of str
        Of the sheet.
    """

    id: str
    path: Path
    role: str = ""
    tags: tuple[str, ...] = ()


def stem_id(name: str, taken: Iterable[str] = ()) -> str:
    """Return a track id from a file's name: ``12_Lead Vox`` -> ``lead-vox``; numbered if that is taken, or `mix`."""
    words = words_of(re.sub(r"^[0-9]+[\s._-]+", "", name)).replace(" ", "-")
    if not words[:1].isalpha():
        words = f"track-{words}".rstrip("-")
    base, wanted = words[:_ID_CHARS].rstrip("-"), {MIX_BUS, *taken}
    made, number = base, 2
    while made in wanted:
        made = f"{base[: _ID_CHARS - 4]}-{number}"
        number += 1
    return made


def read_stems(paths: Sequence[Path], roles: dict[str, str] | None = None) -> list[Stem]:
    """Return the stems that files and sheets name.

    Parameters
    ----------
    paths : sequence of Path
        Audio files and session sheets.
    roles : dict of str to str, optional
        Roles by track id, before those of sheets and names.

    Raises
    ------
    SheetError
        A sheet cannot be read, there is no stem or too many, or a role is not known.
    """
    stems: list[Stem] = []
    for path in paths:
        if path.suffix.lower() in SHEETS:
            stems += _of_sheet(path, [stem.id for stem in stems])
        else:
            stems.append(Stem(stem_id(path.stem, [stem.id for stem in stems]), path))
    if not 1 <= len(stems) <= TRACKS_MAX:
        raise SheetError("STEMS_COUNT", f"{len(stems)} stems; a mix has 1 to {TRACKS_MAX}", "name the audio files")
    given = dict(roles or {})
    made = [Stem(stem.id, stem.path, given.pop(stem.id, stem.role), stem.tags) for stem in stems]
    if given:
        known = ", ".join(stem.id for stem in stems)
        raise SheetError("STEM_UNKNOWN", f"no stem is called {', '.join(sorted(given))}", f"the stems are {known}")
    return made


def given_role(stem: Stem) -> Role | None:
    """Return the role a person wrote for a stem, None if nobody did.

    Raises
    ------
    SheetError
        The words name no role.
    """
    if not stem.role:
        return None
    found = role_of(stem.role)
    if found is None:
        remedy = f"use one of {', '.join(BY_NAME)}"
        raise SheetError("ROLE_UNKNOWN", f"the role {stem.role!r} of {stem.id} is not known", remedy, stem=stem.id)
    return found


def _of_sheet(path: Path, taken: list[str]) -> list[Stem]:
    try:
        with path.open("rb") as file:
            plain = parse(file.read(TEXT_MAX_BYTES + 1), "json" if path.suffix.lower() == ".json" else "yaml")
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}"
        raise SheetError("SHEET_NOT_READABLE", problem, "check the path", file=path.name) from error
    except RecipeError as error:
        raise SheetError("SHEET_INVALID", f"{path.name}: {error}", "mend the sheet (docs/automix.md)") from error
    rows = plain.get("tracks")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problem = f"{path.name} has no list of tracks"
        remedy = "a session sheet has 'tracks: [{file: kick.wav, role: kick}]'; leave the file out if it is none"
        raise SheetError("SHEET_INVALID", problem, remedy, file=path.name)
    stems: list[Stem] = []
    for index, row in enumerate(rows):
        stems.append(_row(path, index, row, [*taken, *(stem.id for stem in stems)]))
    return stems


def _row(path: Path, index: int, row: dict[str, Any], taken: list[str]) -> Stem:
    file, role, tags = row.get("file"), row.get("role", ""), row.get("tags", [])
    where = f"{path.name}, track {index + 1}"
    if not isinstance(file, str) or not isinstance(role, str):
        raise SheetError("SHEET_INVALID", f"{where}: 'file' and 'role' are text", "write 'file: kick.wav'")
    if not isinstance(tags, list) or not all(isinstance(tag, str) and _TAG.fullmatch(tag) for tag in tags):
        raise SheetError("SHEET_INVALID", f"{where}: tags are words of a-z, 0-9 and '-'", "write 'tags: [drums]'")
    name = row.get("id")
    if name is not None and (not isinstance(name, str) or not _TAG.fullmatch(name) or name in taken):
        raise SheetError("SHEET_INVALID", f"{where}: the id {name!r} is taken or malformed", "use a-z, 0-9 and '-'")
    return Stem(name or stem_id(Path(file).stem, taken), path.parent / file, role, tuple(tags))
