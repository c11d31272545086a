"""`tapelog mix`."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from tapelog_desk import beside, render_mix
from tapelog_recipe import apply_alternate, load_alternate, load_mix_recipe, sources_of

from tapelog_cli.desk import show
from tapelog_cli.desk.files import keep, outputs_for, read_recipe
from tapelog_cli.desk.told import told
from tapelog_cli.exit_codes import ExitCode


@told
def mix(
    recipe: Annotated[Path, Parameter(help="Mix recipe, YAML or JSON; its files are looked for beside it.")],
    /,
    *,
    output: Annotated[
        list[Path],
        Parameter(name=["--output", "-o"], help="File to make, .wav or .flac; may be given twice.", negative=()),
    ],
    bit_depth: Annotated[int, Parameter(help="16, 24, or 32 for float.")] = 24,
    alternate: Annotated[Path | None, Parameter(help="Alternate to make of it, such as an instrumental.")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Mix a recipe into audio files. The same recipe gives the same bytes.

    Example: `tapelog mix examples/lithium/mix-2.yaml -o mix.wav`
    """
    formats = outputs_for(output, bit_depth=bit_depth)
    wanted = read_recipe(recipe, load_mix_recipe)
    if alternate is not None:
        wanted = apply_alternate(wanted, read_recipe(alternate, load_alternate))
    resolve = beside(recipe.parent)
    keep([resolve(source) for source in sources_of(wanted) if source.file], from_outputs=output)
    with show.progress_bar(f"mixing {recipe.name}", quiet=json) as progress:
        rendered = render_mix(
            wanted,
            resolve,
            formats,
            output[0].parent,
            paths=output,
            analysis_file=False,
            threads=os.cpu_count() or 1,
            progress=progress,
        )
    if json:
        show.print_json(show.rendered_json(rendered))
    else:
        show.print_rendered(rendered)
    return ExitCode.OK
