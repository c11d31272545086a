"""`tapelog automix`."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog.session.v1 import brief_pb2
from tapelog_desk.automix import FirstMix, first_mix, load_brief, read_stems
from tapelog_desk.automix.rulebook import RULES
from tapelog_desk.files.atomic import atomic_file
from tapelog_recipe.codec import dump_recipe

from tapelog_cli.desk import show
from tapelog_cli.desk.files import read_recipe, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode

RECIPES: Final = (".yaml", ".yml", ".json")


def _checked(output: Path, *, force: bool) -> None:
    if output.suffix.lower() not in RECIPES:
        raise WrongUsage(f"{output} must end in .yaml or .json", "the extension decides the notation")
    require_folder(output)
    if output.exists() and not force:
        raise WrongUsage(f"{output} is there already", "choose another name, or --force to replace it")


def _roles(words: list[str]) -> dict[str, str]:
    roles = {}
    for word in words:
        name, equals, role = word.partition("=")
        if not equals or not name or not role:
            raise WrongUsage(f"--role {word} is not understood", "write --role TRACK=ROLE, such as --role gtr-2=bass")
        roles[name] = role
    return roles


def _print(made: FirstMix, output: Path, *, explain: bool) -> None:
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("track", "role"):
        table.add_column(name)
    for name in ("sure", "fader\n[dim]dB[/dim]", "pan", "send\n[dim]dB[/dim]"):
        table.add_column(name, justify="right", no_wrap=True)
    for strip in made.strips:
        send = "–" if strip.send_db is None else f"{strip.send_db:g}"
        table.add_row(strip.id, strip.role.name, f"{strip.confidence:.0%}", f"{strip.gain_db:+.1f}",
                      f"{strip.pan:+.2f}", send)  # fmt: skip
    out = show.output()
    out.print(table)
    if explain:
        for move in made.moves:
            out.print(f"{move.target}: {move.what}", style="bold", markup=False)
            out.print(f"  {move.reason}", markup=False)
            rule = RULES[move.rule]
            out.print(f"  {rule.statement} ({rule.source})", markup=False, style="dim")
    silent = [move.target for move in made.moves if move.rule == "level.silent"]
    if silent:
        words = "is silent and adds nothing" if len(silent) == 1 else "are silent and add nothing"
        out.print(f"{', '.join(silent)} {words}; the services take no silent stem: leave such files out",
                  markup=False, soft_wrap=True)  # fmt: skip
    out.print(f"{output}: {made.integrated_lufs:.1f} LUFS, {made.true_peak_dbtp:.1f} dBTP; edit it, then: "
              f"tapelog mix {output} -o mix.wav", markup=False, soft_wrap=True)  # fmt: skip


@told
def automix(
    stems: Annotated[
        list[Path], Parameter(help="Audio files, or a session sheet (song.yaml) that names them.", negative=())
    ],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="Recipe to write, .yaml or .json.")],
    brief: Annotated[Path | None, Parameter(help="Vision brief with constraints, YAML or JSON.")] = None,
    role: Annotated[
        list[str] | None, Parameter(help="TRACK=ROLE, where name or ear are wrong; may be given often.", negative=())
    ] = None,
    explain: Annotated[
        bool, Parameter(negative="", help="Print every move with its reason, its rule and the rule's source.")
    ] = False,
    force: Annotated[bool, Parameter(negative="", help="Replace a recipe that is there.")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Make a first mix recipe from stems, to be edited: gains, pans, filters, cuts, compression, one reverb.

    Roles come from the sheet, else from file names, else from the sound. The same stems give the same recipe.

    Example: `tapelog automix examples/lithium/song.yaml -o examples/lithium/first-mix.yaml --explain`
    """
    _checked(output, force=force)
    found = read_stems(stems, _roles(role or []))
    asked: brief_pb2.Brief | None = None if brief is None else read_recipe(brief, load_brief)
    with show.progress_bar(f"listening to {len(found)} stems", quiet=json) as progress:
        made = first_mix(found, output.parent, brief=asked, progress=progress)
    text = dump_recipe(made.recipe, "json") if output.suffix.lower() == ".json" else made.to_yaml()
    with atomic_file(output) as file:
        file.write(text.encode())
    if json:
        show.print_json({"recipe": str(output), **made.to_json()})
    else:
        _print(made, output, explain=explain)
    return ExitCode.OK
