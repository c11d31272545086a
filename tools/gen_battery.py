"""
Write the table of docs/reliability.md from what the fault tests left: ``gen_battery.py`` writes, ``--check`` compares.

The figures are those of the last run of each test (`make test-faults` keeps them); nothing is measured here.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
FIGURES: Final = ROOT / "tests" / "faults" / "figures.json"
PAGE: Final = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- battery: made by tools/gen_battery.py -->", "<!-- end of battery -->"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table, with a line about where they were measured."""
    lines = ["| id | criterion | figure | held | test |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        folder, _, name = str(row["test"]).partition("::")
        held = "yes" if row["held"] else "**no**"
        cells = (row["id"], row["criterion"], row["figure"], held, f"[{name}](../{folder})")
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    machines = sorted({f"{row['machine']}, on {row['day']}" for row in rows})
    loads = [float(row["load"]) for row in rows]
    measured = f"Measured on {'; '.join(machines)}, which others used too: load {min(loads):.0f} to {max(loads):.0f}."
    return "\n".join([*lines, "", measured])


def page() -> str:
    """Return the whole page with its table anew."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(json.loads(FIGURES.read_text()))}\n\n{END}{after}"


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        PAGE.write_text(page())
        return 0
    if PAGE.read_text() == page():
        return 0
    print("docs/reliability.md is not what tools/gen_battery.py makes of tests/faults/figures.json: run it")
    return 1


if __name__ == "__main__":
    sys.exit(main())
