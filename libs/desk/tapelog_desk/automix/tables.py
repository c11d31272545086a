"""The table of rules in docs/automix.md: ``python -m tapelog_desk.automix.tables docs/automix.md`` writes it anew."""

import sys
from pathlib import Path
from typing import Final

from tapelog_desk.automix.rulebook import RULES

BEGIN: Final = "<!-- rules: made by python -m tapelog_desk.automix.tables -->"
END: Final = "<!-- end of rules -->"


def rules_table() -> str:
    """Return the rules as a table in Markdown."""
    rows = [f"| `{name}` | {rule.statement} | {rule.source} |" for name, rule in RULES.items()]
    return "\n".join(["| Rule | What it says | Source |", "|---|---|---|", *rows])


def with_rules(page: str) -> str:
    """Return a page with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{rules_table()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_rules(path.read_text()))
