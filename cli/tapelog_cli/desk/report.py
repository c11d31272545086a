"""`tapelog report`."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from tapelog.common.v1 import recipe_pb2
from tapelog_desk.codecs import available_codecs
from tapelog_desk.report.page import FORMATS
from tapelog_desk.report.sheet import write_sheet
from tapelog_dsp import load_curves
from tapelog_recipe import RecipeError, load_master_recipe, load_mix_recipe

from tapelog_cli.connection import Connection
from tapelog_cli.desk import show
from tapelog_cli.desk.files import keep, read_recipe, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.reports.files import Asked, sheet_of_files
from tapelog_cli.reports.recipes import Recipe, recipe_section

HERE: Final = Connection()


@told
def report(
    files: Annotated[
        list[Path] | None,
        Parameter(help="A mix or a master, or several as an album, or an album's folder.", negative=()),
    ] = None,
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"),
            help="What to write: .html for people, .json for programs. Default: FILE-report.html, here.",
        ),
    ] = None,
    title: Annotated[str, Parameter(help="Heading; by default the file's name, or the song's title.")] = "",
    like: Annotated[
        str,
        Parameter(help=f"What the spectrum is held against: {', '.join(load_curves())}, or another master's file."),
    ] = "popular",
    compare: Annotated[
        Path | None, Parameter(help="The file before: what changed in the sound from it to this one.")
    ] = None,
    recipe: Annotated[Path | None, Parameter(help="Recipe of FILE; needs --compare-recipe.")] = None,
    compare_recipe: Annotated[Path | None, Parameter(help="Recipe of the file before: what changed in it.")] = None,
    codec: Annotated[
        bool, Parameter(help="Send it through AAC, MP3 and Opus and back, where ffmpeg is on the PATH.")
    ] = False,
    version: Annotated[
        str,
        Parameter(
            help="Instead of files, from the services: projects/…/songs/…/masterVersions/3, or a song for its newest."
        ),
    ] = "",
    delivery: Annotated[
        str,
        Parameter(
            help="Instead of files, from the services: projects/…/songs/…/deliveries/…, or a song for its newest."
        ),
    ] = "",
    internal: Annotated[
        bool, Parameter(negative="", help="With --version: internal notes too. Not for the client's eyes.")
    ] = False,
    connection: Annotated[Connection | None, Parameter()] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Write a report to send: one page that loads nothing and prints on A4.

    Of files it needs no services: waveform, loudness, spectrum, stereo field, how it plays elsewhere. Of a version or
    a delivery it also tells the brief's checks, what changed, who approved, and which notes were heard.

    Example: `tapelog report master.wav --compare mix.wav -o report.html`
    """
    if sum((bool(files), bool(version), bool(delivery))) != 1:
        raise WrongUsage("what to report on is not plain", "name files, or --version, or --delivery")
    if like not in load_curves() and not Path(like).is_file():
        raise WrongUsage(f"there is no reference {like!r}", f"use {', '.join(load_curves())}, or name a file")
    if not files and (compare or recipe or compare_recipe):
        raise WrongUsage(
            "--compare and the recipes are of files", "a version is compared with the one before it anyway"
        )
    if (recipe is None) != (compare_recipe is None):
        raise WrongUsage("one recipe alone has nothing to be compared with", "give --recipe and --compare-recipe")
    target = output or Path(f"{_stem(files, version or delivery)}-report.html")
    if target.suffix.lower() not in FORMATS:
        raise WrongUsage(f"{target} must end in .html or .json", "the extension decides the form")
    require_folder(target)
    held_against = like if like in load_curves() else Path(like)
    asked = Asked(title, held_against, available_codecs() if codec else (), quiet=json)
    remark = ""
    if files:
        keep([*files, *([compare] if compare else [])], from_outputs=[target])
        changed = recipe_section(_recipe(compare_recipe), _recipe(recipe)) if recipe and compare_recipe else None
        with show.progress_bar("measuring", quiet=json) as progress:
            made = sheet_of_files(files, asked, compare, sections=(changed,) if changed else (), progress=progress)
    else:
        from tapelog_cli.reports.services import sheet_of_delivery, sheet_of_version

        reach = connection or HERE
        if version:
            made, remark = asyncio.run(sheet_of_version(reach, version, asked, internal=internal))
        else:
            made, remark = asyncio.run(sheet_of_delivery(reach, delivery, asked))
    write_sheet(target, made)
    if json:
        show.print_json({"report": str(target), "size_bytes": target.stat().st_size, "title": made.title})
    else:
        show.output().print(f"{target}: {target.stat().st_size / 1e3:.0f} kB", markup=False)
        show.print_notes([remark] if remark else [])
    return ExitCode.OK


def _stem(files: list[Path] | None, name: str) -> str:
    if not files:
        return "-".join(name.split("/")[-2:])
    return files[0].resolve().stem if len(files) == 1 else "album"


def _recipe(path: Path | None) -> Recipe:
    """Read a recipe of either kind: a master's names one source, a mix's has tracks."""
    if path is None:
        return recipe_pb2.MixRecipe()
    try:
        return read_recipe(path, load_mix_recipe)
    except RecipeError as not_a_mix:
        try:
            return read_recipe(path, load_master_recipe)
        except RecipeError:
            raise not_a_mix from None
