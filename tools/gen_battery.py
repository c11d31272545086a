"""
Write the tables of docs/reliability.md from what the fault tests left: ``gen_battery.py`` writes, ``--check`` compares.

The figures are those of the last run of each test (`make test-faults` keeps them); nothing is measured here. A test
that the second table names has to be there.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from generated_files import ROOT, write_or_check

sys.path.insert(0, str(ROOT))  # for what the fault tests say of themselves

from tests.faults.harness.elsewhere import ELSEWHERE

FIGURES: Final = ROOT / "tests" / "faults" / "figures.json"
RUN: Final = ROOT / "tests" / "faults" / "run.json"
PAGE: Final = ROOT / "docs" / "reliability.md"
OTHERS: Final = "Tried by other tiers: each commit (`make test`), each night, or as a measurement (`make bench`)."
BEGIN, END = "<!-- battery: made by tools/gen_battery.py -->", "<!-- end of battery -->"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table, with a line about where they were measured."""
    lines = ["| id | criterion | figure | held | took | test |", "| --- | --- | --- | --- | ---: | --- |"]
    for row in rows:
        folder, _, name = str(row["test"]).partition("::")
        held = "yes" if row["held"] else "**no**"
        cells = (row["id"], row["criterion"], row["figure"], held, f"{row['took_s']} s", f"[{name}](../{folder})")
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    machines = sorted({f"{row['machine']}, on {row['day']}" for row in rows})
    loads = [float(row["load"]) for row in rows]
    measured = f"Measured on {'; '.join(machines)}, which others used too: load {min(loads):.0f} to {max(loads):.0f}."
    return "\n".join([*lines, "", measured])


def last_run() -> str:
    """Say how long everything took in one go."""
    if not RUN.exists():
        return "Everything in one go: not measured yet."
    run = json.loads(RUN.read_text())
    return (
        f"Everything in one go (`make test-faults`, without the soak) took {round(run['took_s'] / 60)} min on "
        f"{run['day']}, at load {run['load']}: {run['passed']} passed, {run['failed']} failed, "
        f"{run['skipped']} skipped."
    )


def others() -> str:
    """Return the table of what other tiers try; whatever it names is there."""
    lines = ["| id | what | tier | test |", "| --- | --- | --- | --- |"]
    for one in ELSEWHERE:
        folder, _, name = one.test.partition("::")
        if f"def {name}" not in (ROOT / folder).read_text():
            raise SystemExit(f"tests/faults/harness/elsewhere.py names {one.test}, which is not there")
        shown = name or Path(folder).name
        lines.append(f"| {one.id} | {one.what} | {one.tier} | [{shown}](../{folder}) |")
    return "\n".join(lines)


def page() -> str:
    """Return the whole page with its tables anew."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = table(json.loads(FIGURES.read_text()))
    return f"{before}{BEGIN}\n\n{rows}\n{last_run()}\n\n{OTHERS}\n\n{others()}\n\n{END}{after}"


def main() -> int:
    """Run."""
    return write_or_check({PAGE: page()}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
