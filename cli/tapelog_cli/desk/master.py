"""`tapelog master`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import beside, render_master
from tapelog_desk.matching import match_recipe
from tapelog_desk.report import write_report
from tapelog_desk.report.document import verdict_words
from tapelog_desk.report.page import FORMATS
from tapelog_desk.targets import own_targets, written_out
from tapelog_desk.verdict import verdict_json
from tapelog_dsp import ASPECTS
from tapelog_recipe import load_master_recipe

from tapelog_cli.desk import show
from tapelog_cli.desk.asked import TARGETS, OwnTargets, asked_target
from tapelog_cli.desk.files import keep, outputs_for, read_recipe, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode


def _recipe(recipe: Path | None, source: Path, asked: pb.MasterTarget, targets: Path | None) -> pb.MasterRecipe:
    """Return the recipe: the given one or an empty one, with what the command line asks for on top."""
    made = pb.MasterRecipe() if recipe is None else read_recipe(recipe, load_master_recipe)
    made.source.file = source.name
    made.ClearField("outputs")
    if asked.name:
        made.target.Clear()
    made.target.MergeFrom(asked)
    made.target.CopyFrom(written_out(made.target, own_targets(targets)))
    return made


def _aimed(recipe: pb.MasterRecipe) -> None:
    """Raise `WrongUsage` without a loudness to reach; without a ceiling write -1 dBTP."""
    if not recipe.target.name and not recipe.target.HasField("integrated_lufs"):
        raise WrongUsage("no target is given", f"--target is one of: {TARGETS}; or write --lufs")
    if not recipe.target.name and not recipe.target.HasField("ceiling_dbtp"):
        recipe.target.ceiling_dbtp = -1.0


@told
def master(
    mix: Annotated[Path, Parameter(help="The mix: a mono or stereo audio file.")],
    /,
    *,
    output: Annotated[
        list[Path],
        Parameter(name=["--output", "-o"], help="File to make, .wav or .flac; may be given twice.", negative=()),
    ],
    target: Annotated[str | None, Parameter(help=f"Loudness target: {TARGETS}; or one of your own.")] = None,
    targets: OwnTargets = None,
    lufs: Annotated[float | None, Parameter(help="Integrated loudness to reach, instead of the target's.")] = None,
    ceiling: Annotated[float | None, Parameter(help="Highest true peak in dBTP, instead of the target's.")] = None,
    recipe: Annotated[
        Path | None, Parameter(help="Master recipe with a chain; its source is replaced by the mix.")
    ] = None,
    like: Annotated[
        list[Path] | None, Parameter(help="Master to be like; may be given several times.", negative=())
    ] = None,
    match: Annotated[str, Parameter(help="What of it, with commas: tone, dynamics, width, loudness.")] = ",".join(
        ASPECTS
    ),
    bit_depth: Annotated[int, Parameter(help="16, 24, or 32 for float.")] = 24,
    report: Annotated[
        Path | None, Parameter(help="Report to write beside: .html for people, .json for programs.")
    ] = None,
    best_effort: Annotated[
        bool, Parameter(negative="", help="Make the closest master if the target is out of reach (exit code stays 0).")
    ] = False,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Master a mix to a loudness target under a true-peak ceiling. The same mix and recipe give the same bytes.

    Exit codes: 0 done, 1 refused, 2 wrong usage, 4 the target is out of reach.

    Example: `tapelog master mix.wav -o master.wav --target streaming --report master.html`
    """
    formats = outputs_for(output, bit_depth=bit_depth)
    if report is not None:
        if report.suffix.lower() not in FORMATS:
            raise WrongUsage(f"{report} must end in .html or .json", "the extension decides the form")
        require_folder(report)
    keep([mix, *filter(None, [recipe, targets])], from_outputs=[*output, *filter(None, [report])])
    wanted = _recipe(recipe, mix, asked_target(target, targets, lufs, ceiling), targets)
    aspects = match.split(",")
    if set(aspects) - set(ASPECTS):
        raise WrongUsage(f"--match {match!r} is unknown", f"some of {','.join(ASPECTS)}")
    reasons = match_recipe(wanted, mix, like, aspects) if like else ()
    _aimed(wanted)
    wanted.outputs.extend(formats)
    with show.progress_bar(f"mastering {mix.name}", quiet=json) as progress:
        rendered = render_master(
            wanted,
            beside(mix.parent),
            output[0].parent,
            paths=output,
            best_effort=best_effort,
            analysis_file=False,
            progress=progress,
        )
    if report is not None:
        write_report(report, rendered, title=f"Master of {mix.stem}")
    if json:
        judged = {} if rendered.verdict is None else verdict_json(rendered.verdict, rendered.analysis)
        show.print_json({**show.rendered_json(rendered), **judged, "matched": list(reasons)})
    else:
        show.print_notes(reasons)
        show.print_rendered(rendered)
        show.output().print(verdict_words(rendered), markup=False)
    missed = rendered.verdict is not None and not rendered.verdict.reached and not best_effort
    return ExitCode.TARGET_MISSED if missed else ExitCode.OK
