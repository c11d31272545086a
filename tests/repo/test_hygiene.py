"""What a stranger notices in the first minute."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".proto",
    ".sh",
    ".c",
    ".h",
    ".txt",
    ".j2",
    ".json",
    ".pyi",
    "",
}
CODE_LINES_MAX = 400
GENERATED = ("protos/gen/",)

# Written in pieces, so that this file does not contain what it looks for.
MARKS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")
MOCKS = ("unittest" + ".mock", "Magic" + "Mock", "monkeypatch" + ".setattr")


def _git(*arguments: str) -> list[str]:
    git = shutil.which("git") or pytest.skip("needs git", allow_module_level=True)
    done = subprocess.run([git, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


FILES = [Path(line) for line in _git("ls-files", "--cached", "--others", "--exclude-standard")]
TEXTS = [path for path in FILES if path.suffix in TEXT_SUFFIXES and (ROOT / path).is_file()]
OURS = [path for path in TEXTS if not str(path).startswith(GENERATED)]


def _found(words: tuple[str, ...], paths: list[Path]) -> list[str]:
    pattern = re.compile("|".join(rf"(?<![A-Za-z]){re.escape(word)}" for word in words))
    return [
        f"{path}:{number}"
        for path in paths
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_marked_as_unfinished() -> None:
    """No marks for later: what is not done is not in the tree."""
    assert _found(MARKS, [path for path in OURS if path.suffix in {".py", ".c", ".proto", ".sh"}]) == []


def test_no_path_of_a_developers_machine() -> None:
    """Nothing names the folder that this clone happens to be in, or somebody's home."""
    here = [str(ROOT)] if len(ROOT.parts) > 2 else []
    assert _found((*here, "/ho" + "me/", "/Us" + "ers/", "/ro" + "ot/"), OURS) == []


def test_no_mocks() -> None:
    """Tests run real brokers, real servers and real audio."""
    assert _found(MOCKS, [path for path in OURS if path.suffix == ".py"]) == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_locks_hold_hashes_and_no_host(name: str) -> None:
    """Every pinned package has hashes, and the file names no registry."""
    text = (ROOT / name).read_text()

    assert re.findall(r"https?://|--index-url|--extra-index-url|--find-links|--trusted-host", text) == []
    pins = re.findall(r"^([A-Za-z0-9._-]+)==[^\n]*\n((?:[ ]{4}--hash=\S+[^\n]*\n)*)", text, re.MULTILINE)
    assert pins
    assert [package for package, hashes in pins if "--hash=sha256:" not in hashes] == []


def test_files_fit_on_a_few_screens() -> None:
    """No hand-written source file has more lines than the house allows."""
    long = {
        str(path): lines
        for path in OURS
        if path.suffix in {".py", ".c"}
        if (lines := len((ROOT / path).read_text().splitlines())) > CODE_LINES_MAX
    }
    assert long == {}


def test_public_names_are_documented_by_their_folder() -> None:
    """Every import package says in one line what it is for, or is an empty marker."""
    undocumented = []
    for path in OURS:
        if path.name == "__init__.py" and "tests" not in path.parts:
            text = (ROOT / path).read_text()
            if text.strip() and not text.lstrip().startswith(('"""', "# ", 'r"""')):
                undocumented.append(str(path))
    assert undocumented == []


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "tools/gen_protos.py", "--check"],
        [sys.executable, "tools/gen_reference.py", "--check"],
        [str(Path(sys.executable).with_name("lint-imports"))],
    ],
    ids=["generated code", "generated reference", "import contracts"],
)
def test_checks_of_the_tree_pass(command: list[str]) -> None:
    """Generated files are what their sources make, and every import goes one way."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
