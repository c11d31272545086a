"""The tables of docs/dsp.md: what no recipe sets. ``python -m tapelog_parameters.tables docs/dsp.md`` makes them."""

import re
import sys
from pathlib import Path
from typing import Final

from tapelog_parameters import MASTERING, PROCESSORS, REPAIRS

BEGIN: Final = "<!-- settings: made by python -m tapelog_parameters.tables -->"
END: Final = "<!-- end of settings -->"


def settings_table() -> str:
    """Return the Markdown table of the limiter, the mastering room and the repairs."""
    lines = ["| Of | Setting | Range | Default |", "|---|---|---|---|"]
    for owner, entries in {"TruePeakLimiter": PROCESSORS["TruePeakLimiter"], **MASTERING, **REPAIRS}.items():
        for name, entry in entries.items():
            default = "has to be given" if entry.default is None else f"{entry.default:g}"
            lines.append(f"| `{owner}` | `{name}` | {entry.range_text()} | {default} |")
    return "\n".join(lines)


def update(page: str) -> str:
    """Return a page with the table between its two markers made anew."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n\n{settings_table()}\n\n{END}", page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")
