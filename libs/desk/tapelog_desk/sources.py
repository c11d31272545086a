"""From what a recipe names to files: by path beside the recipe at the desk, by content everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import sources_of

from tapelog_desk.errors import SourceError
from tapelog_desk.files.atomic import file_sha256

Resolve = Callable[[pb.RecipeSource], Path]
"""Returns the local file of a source."""

_R = TypeVar("_R", pb.MixRecipe, pb.MasterRecipe)


def beside(folder: Path) -> Resolve:
    """Return a resolver of `file` sources relative to a folder; assets are not known at the desk."""

    def resolve(source: pb.RecipeSource) -> Path:
        if source.WhichOneof("from") == "file":
            return folder / source.file
        problem = f"the source {source.asset_sha256[:12]}... is an asset of the services"
        raise SourceError("SOURCE_NOT_FOUND", problem, "name a file beside the recipe: 'file:NAME'")

    return resolve


def _pin(source: pb.RecipeSource, resolve: Resolve) -> None:
    if source.WhichOneof("from") == "file":
        path = resolve(source)
        try:
            source.asset_sha256 = file_sha256(path)
        except OSError as error:
            problem = f"{path.name} cannot be read: {error.strerror or error}"
            raise SourceError("SOURCE_NOT_FOUND", problem, "check the path", file=path.name) from error


def pinned(recipe: _R, resolve: Resolve) -> _R:
    """Return a copy whose sources are named by the SHA-256 of their content.

    A recipe at the desk and the same recipe in the services then have one digest, and so one dither and equal files.

    Raises
    ------
    SourceError
        A file is missing or unreadable.
    """
    copy = type(recipe)()
    copy.CopyFrom(recipe)
    for source in sources_of(copy):
        _pin(source, resolve)
    return copy


def by_content(recipe: _R, known: _R, resolve: Resolve) -> Resolve:
    """Return a resolver of the sources of a pinned recipe: each is where the recipe as written has it."""
    places = {new.asset_sha256: old for old, new in zip(sources_of(recipe), sources_of(known), strict=True)}
    return lambda source: resolve(places[source.asset_sha256])
