"""Files named on the command line: recipes by their notation, outputs by their extension."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal, TypeVar

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk.errors import RecipeRefusedError, SourceError
from tapelog_recipe import RecipeError, Violation
from tapelog_recipe.limits import TEXT_MAX_BYTES

from tapelog_cli.desk.told import WrongUsage

CONTAINERS: Final = {".wav": pb.CONTAINER_WAV, ".flac": pb.CONTAINER_FLAC}
BIT_DEPTHS: Final = (16, 24, 32)

_T = TypeVar("_T")


def read_recipe(path: Path, load: Callable[[bytes, Literal["yaml", "json"]], _T]) -> _T:
    """Read a recipe as JSON if its name ends in .json, else as YAML.

    Raises
    ------
    SourceError
        The file cannot be read, or is no text: somebody named the audio.
    RecipeRefusedError
        It is no recipe; every violation names the file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(TEXT_MAX_BYTES + 1)
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error}"
        raise SourceError("RECIPE_NOT_FOUND", problem, "check the path", file=path.name) from error
    if b"\0" in text:
        problem = f"{path} is no recipe: it is not text"
        raise SourceError("RECIPE_INVALID", problem, "name a recipe, YAML or JSON (docs/recipe.md)", file=path.name)
    try:
        return load(text, "json" if path.suffix.lower() == ".json" else "yaml")
    except RecipeError as error:
        raise RecipeRefusedError(
            Violation(path.name if not item.path else f"{path.name}: {item.path}", item.message)
            for item in error.violations
        ) from error


def require_file(path: Path) -> None:
    """Refuse a file to read that is not there, with the exit code and the reason of every other.

    Raises
    ------
    SourceError
        It is not there, or is a folder.
    """
    if not path.is_file():
        problem = f"{path} is a folder" if path.is_dir() else f"{path} is not there"
        raise SourceError("SOURCE_NOT_FOUND", problem, "check the path", file=path.name)


def outputs_for(paths: Sequence[Path], *, bit_depth: int) -> list[pb.OutputFormat]:
    """Return the formats of the named outputs.

    Raises
    ------
    WrongUsage
        An extension or a depth that is not written, one name twice, or a folder that is not there.
    """
    if bit_depth not in BIT_DEPTHS:
        raise WrongUsage(f"--bit-depth must be 16, 24 or 32, got {bit_depth}", "32 is float")
    if len(set(paths)) < len(paths):
        raise WrongUsage("one output is named twice", "give each its own name")
    formats = []
    for path in paths:
        container = CONTAINERS.get(path.suffix.lower())
        if container is None:
            raise WrongUsage(f"{path} must end in .wav or .flac", "the extension decides the format")
        if container == pb.CONTAINER_FLAC and bit_depth == 32:
            raise WrongUsage("FLAC holds no 32-bit float", "use .wav, or --bit-depth 24")
        require_folder(path)
        formats.append(pb.OutputFormat(container=container, bit_depth=bit_depth))
    return formats


def require_folder(path: Path) -> None:
    """Refuse a file to make in a folder that is not there, before the work and not after it."""
    if not path.parent.is_dir():
        raise WrongUsage(f"the folder {path.parent} is not there", f"make it first: mkdir -p {path.parent}")


def keep(sources: Iterable[Path], *, from_outputs: Iterable[Path]) -> None:
    """Refuse to write over what is read: a recording may be the only one there is.

    Raises
    ------
    WrongUsage
        An output is a source, under this or another name.
    """
    outputs = [path for path in from_outputs if path.exists()]
    for source in sources:
        for output in outputs:
            if source.exists() and source.samefile(output):
                raise WrongUsage(f"{output} would be written over, and it is a source", "give the output another name")
