"""`tapelog compare`: two files by ear's numbers, or two recipes by what they say."""

from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog.common.v1 import audio_pb2 as audio
from tapelog_desk.analyzing import analyze_file
from tapelog_recipe import load_mix_recipe
from tapelog_recipe.difference import diff_recipes

from tapelog_cli.desk import show
from tapelog_cli.desk.files import read_recipe
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode

RECIPES: Final = (".yaml", ".yml", ".json")
FIELDS: Final = (
    ("integrated_lufs", "LUFS-I"), ("loudness_range_lu", "LRA, LU"), ("max_short_term_lufs", "max short-term, LUFS"),
    ("true_peak_dbtp", "true peak, dBTP"), ("sample_peak_dbfs", "sample peak, dBFS"),
)  # fmt: skip


def _numbers(path: Path, *, quiet: bool) -> dict[str, float]:
    with show.progress_bar(f"measuring {path.name}", quiet=quiet) as progress:
        measured: audio.Measurements = analyze_file(path, progress=progress).audio.measurements
    return {field.name: float(value) for field, value in measured.ListFields()}


def _sound(one: Path, two: Path, *, json: bool) -> dict[str, Any]:
    first, second = _numbers(one, quiet=json), _numbers(two, quiet=json)
    rows: list[dict[str, Any]] = [
        {"name": name, "title": title, "first": first.get(name), "second": second.get(name),
         "change": second[name] - first[name] if name in first and name in second else None}
        for name, title in FIELDS
    ]  # fmt: skip
    change: float | None = rows[0]["change"]
    gain_db = None if change is None else -change
    return {"first": str(one), "second": str(two), "rows": rows, "gain_to_match_db": gain_db}


@told
def compare(
    one: Annotated[Path, Parameter(help="The one before: an audio file, or a mix recipe.", negative=())],
    two: Annotated[Path, Parameter(help="The one after.", negative=())],
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Say what changed from one mix or master to another, or from one mix recipe to another.

    Audio: loudness and peaks, and by how much to turn the second so that both are equally loud.
    Recipes: each setting by its path. `tapelog report TWO --compare ONE` draws it.

    Example: `tapelog compare mix-1.wav mix-2.wav`
    """
    for path in (one, two):
        if not path.is_file():
            raise WrongUsage(f"{path} is not there", "check the path")
    kinds = {path.suffix.lower() in RECIPES for path in (one, two)}
    if len(kinds) == 2:
        raise WrongUsage("one is a recipe and the other is not", "give two audio files, or two mix recipes")
    if kinds == {True}:
        changes = diff_recipes(read_recipe(one, load_mix_recipe), read_recipe(two, load_mix_recipe))
        found = [{"path": each.path, "before": each.before, "after": each.after} for each in changes]
        if json:
            show.print_json({"first": str(one), "second": str(two), "changes": found})
            return ExitCode.OK
        for item in found:
            show.output().print(f"{item['path']}: {item['before'] or 'nothing'} -> {item['after'] or 'nothing'}",
                                markup=False, soft_wrap=True)  # fmt: skip
        if not found:
            show.output().print("they say the same", markup=False)
        return ExitCode.OK
    told_ = _sound(one, two, json=json)
    if json:
        show.print_json(told_)
        return ExitCode.OK
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("", one.name, two.name, "change"):
        table.add_column(name, justify="right" if name else "left")
    for row in told_["rows"]:
        cells = ("–" if value is None else f"{value:.1f}" for value in (row["first"], row["second"]))
        table.add_row(row["title"], *cells, "–" if row["change"] is None else f"{round(row['change'], 1) + 0.0:+.1f}")
    show.output().print(table)
    if told_["gain_to_match_db"] is not None:
        show.output().print(
            f"equally loud with {two.name} at {round(told_['gain_to_match_db'], 1) + 0.0:+.1f} dB", markup=False
        )
    return ExitCode.OK
