"""What the pages for newcomers tell people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
from tapelog_cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.exists()]
FENCE = re.compile(r"^```(?:sh|console|bash|text)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:make|tapelog) [^`]+)`")


def _typed(page: Path) -> list[str]:
    """Return every command line of a page, in code blocks and inline."""
    text = page.read_text()
    lines = [line.strip().removeprefix("$ ") for block in FENCE.findall(text) for line in block.splitlines()]
    return [line for line in (*lines, *INLINE.findall(text)) if line.startswith(("make ", "tapelog "))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    """Each `make target` is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [word for line in _typed(page) if line.startswith("make ") for word in _words(line)[1:]]

    assert sorted({word for word in named if re.fullmatch(r"[a-z-]+", word)} - targets) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_tapelog_command_exists(page: Path) -> None:
    """Each `tapelog command` is in the table of commands."""
    known = {command.words for command in COMMANDS}
    unknown = []
    for line in _typed(page):
        words = _words(line)
        is_command = words[0] == "tapelog" and not words[1].startswith("-")
        if is_command and words[1] not in known and " ".join(words[1:3]) not in known:
            unknown.append(line)

    assert unknown == []


def _words(line: str) -> list[str]:
    return shlex.split(line, comments=True)
