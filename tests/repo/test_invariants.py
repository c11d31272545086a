"""Each of the eighteen invariants of the domain has a test by its number; none is lost when files move."""

import re
from pathlib import Path

INVARIANTS = 18
NAME = re.compile(r"^(?:async )?def (test_inv_(\d\d)_\w+)\(", re.MULTILINE)


def test_every_invariant_has_its_named_test() -> None:
    """`test_inv_01_…` to `test_inv_18_…`, each once, each with a sentence that says what holds."""
    sources = [path.read_text() for path in Path(__file__).parents[1].rglob("test_*invariants.py")]
    found = [(int(number), name) for source in sources for name, number in NAME.findall(source)]
    assert sorted(number for number, _ in found) == list(range(1, INVARIANTS + 1))
