"""The tables of docs/recipe.md, made from the parameter table: ``python -m tapelog_recipe.tables docs/recipe.md``."""

import re
import sys
from pathlib import Path
from typing import Final

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_parameters import Parameter, Smoothing

from tapelog_recipe.naming import Field
from tapelog_recipe.parameters import PARAMETERS

BEGIN: Final = "<!-- parameters: made by python -m tapelog_recipe.tables -->"
END: Final = "<!-- end of parameters -->"


def _range(entry: Parameter) -> str:
    if entry.choices:
        return ", ".join(str(choice) for choice in entry.choices)
    high = f"{entry.high:g} × sample rate" if entry.high_is_share_of_rate else f"{entry.high:.10g}"
    return f"{'0 (off), ' if entry.zero_is_off else ''}{entry.low:g} to {high}"


def _default(entry: Parameter, field: Field) -> str:
    if entry.default is not None:
        return f"{entry.default:g}"
    return "by the target's name" if field.has_presence else "has to be written"


def _moves(entry: Parameter) -> str:
    return "–" if entry.smoothing is Smoothing.FIXED else "yes"


def parameter_tables() -> str:
    """Return the Markdown tables: per message each number with unit, range, default, and whether it moves."""
    lines: list[str] = []
    for message, fields in PARAMETERS.items():
        lines += [f"### {message}", "", "| Field | Unit | Range | Default | Moves |", "|---|---|---|---|---|"]
        for name, entry in fields.items():
            field = pb.DESCRIPTOR.message_types_by_name[message].fields_by_name[name]
            lines.append(
                f"| `{name}` | {entry.unit or '–'} | {_range(entry)} | {_default(entry, field)} | {_moves(entry)} |"
            )
        lines.append("")
    return "\n".join(lines)


def update(page: str) -> str:
    """Return a page with the tables between its two markers made anew."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n\n{parameter_tables()}\n{END}", page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")
