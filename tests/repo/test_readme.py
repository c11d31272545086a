"""What the pages tell people to type, and where they point, exists."""

import re
import shlex
from pathlib import Path

import pytest
from tapelog_cli.main import COMMANDS, GROUPS, main

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
"""Pages for users: every command in them must be there now."""

PAGES = [*GUIDES, *sorted(ROOT.glob("docs/adr/*.md")), *sorted(ROOT.glob("libs/*/*.md"))]
FENCE = re.compile(r"^ *```(?:sh|console|bash|text)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:make|tapelog) [^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _typed(page: Path) -> list[str]:
    """Return every command line of a page, in code blocks and inline."""
    text = page.read_text().replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for block in FENCE.findall(text) for line in block.splitlines()]
    inline = [" ".join(line.split()) for line in INLINE.findall(text)]
    return [line for line in (*lines, *inline) if line.startswith(("make ", "tapelog "))]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", GUIDES, ids=_name)
def test_every_make_target_exists(page: Path) -> None:
    """Each `make target` is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [word for line in _typed(page) if line.startswith("make ") for word in _words(line)[1:]]

    assert sorted({word for word in named if re.fullmatch(r"[a-z-]+", word)} - targets) == []


@pytest.mark.parametrize("page", GUIDES, ids=_name)
def test_every_tapelog_command_and_option_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each `tapelog command` is in the table of commands, and its help knows each of the options."""
    known, unknown = {command.words for command in COMMANDS}, []
    for line in _typed(page):
        words = _words(line)
        if words[0] != "tapelog" or words[1].startswith(("-", "…")):
            continue
        command = next((name for name in (" ".join(words[1:3]), words[1]) if name in known), None)
        if command is None and not (len(words) == 2 and words[1] in GROUPS):
            unknown.append(line)
        elif command is not None and (options := set(OPTION.findall(line)) - {"--help"}):
            main([*command.split(), "--help"])
            unknown += [f"{command} {option}" for option in options - set(OPTION.findall(capsys.readouterr().out))]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each link to a file or a heading of the project finds it."""
    lost = []
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if re.match(r"[a-z]+:", link):
            continue
        headings = HEADING.findall(target.read_text()) if anchor and target.is_file() else []
        if not target.exists() or (anchor and anchor not in {_anchor(heading) for heading in headings}):
            lost.append(link)

    assert lost == []


def test_each_decision_has_a_number_of_its_own() -> None:
    """ADRs are cited by number: the file's name and its heading have the same, and no other has it."""
    found = [(page.name[:4], page.read_text().splitlines()[0]) for page in sorted(ROOT.glob("docs/adr/*.md"))]
    numbers = [number for number, _ in found]

    assert sorted(set(numbers)) == numbers
    assert [heading for number, heading in found if not re.match(rf"# 0*{int(number)}\b", heading)] == []


def test_every_decision_that_is_cited_exists() -> None:
    """`ADR 0040` in a page or in code is a file of `docs/adr`."""
    numbers = {page.name[:4] for page in ROOT.glob("docs/adr/*.md")}
    sources = [*PAGES, *(path for part in ("libs", "services", "cli") for path in ROOT.glob(f"{part}/**/*.py"))]
    cited = {
        (number, _name(source))
        for source in sources
        for number in re.findall(r"\b(?:ADR |adr/)(\d{4})", source.read_text())
    }

    assert sorted((number, name) for number, name in cited if number not in numbers) == []


def _words(line: str) -> list[str]:
    return shlex.split(line, comments=True)
