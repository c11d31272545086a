"""Completion scripts, run by the shells themselves where these are installed."""

import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import COMMANDS, main

from .zsh_terminal import offered

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the file of each shell's script, as `tapelog completion` printed it."""
    folder = tmp_path_factory.mktemp("completion")
    made = {}
    for shell in SHELLS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert main(["completion", shell]) == ExitCode.OK
        made[shell] = folder / f"tapelog.{shell}"
        made[shell].write_text(printed.getvalue())
    return made


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_every_command_and_is_read_by_its_shell(shell: str, scripts: dict[str, Path]) -> None:
    """Every word of the table is in it, and it is without a fault of syntax."""
    script = scripts[shell].read_text()

    assert [command.words for command in COMMANDS if command.words.split()[-1] not in script] == []
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here: its script was not read by it")
    read = subprocess.run([shell, "-n", str(scripts[shell])], capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


LINES = pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (["tapelog", "disa"], {"disagreement"}),
        (["tapelog", "note", "ad"], {"add", "address"}),
        (["tapelog", "mix", ""], {"propose", "show", "submit", "diff"}),
        (["tapelog", "note", "add", "sng-1", "low", "--severity", ""], {"blocker", "should", "nice"}),
        (["tapelog", "note", "add", "--sev"], {"--severity"}),
        (["tapelog", "mix", "--alt"], {"--alternate"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)


def _shell(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed here")


@LINES
def test_bash_completes(line: list[str], wanted: set[str], scripts: dict[str, Path]) -> None:
    """Nouns, verbs, options, values of options, and the options of `mix` beside its verbs."""
    bash = _shell("bash")
    code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tapelog; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        [bash, "--norc", "-c", code, "bash", str(scripts["bash"]), *line], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert wanted <= {word.strip() for word in done.stdout.splitlines()}


@LINES
def test_fish_completes(line: list[str], wanted: set[str], scripts: dict[str, Path]) -> None:
    """The same in fish, as its own `complete` prints it."""
    code = 'source $argv[1]; complete --do-complete "$argv[2]"'
    command = [_shell("fish"), "--no-config", "-c", code, str(scripts["fish"]), " ".join(line)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert wanted <= {word.partition("\t")[0] for word in done.stdout.splitlines()}


@LINES
def test_zsh_completes(line: list[str], wanted: set[str], scripts: dict[str, Path], tmp_path: Path) -> None:
    """The same in an interactive zsh that finds the script as docs/command-line.md installs it: the first time, too."""
    (tmp_path / "_tapelog").write_text(scripts["zsh"].read_text())
    setup = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump"
    shown = offered(_shell("zsh"), setup, " ".join(line), tmp_path)

    assert [word for word in wanted if not re.search(rf"(?<![\w-]){word}(?![\w-])", shown)] == []


def test_zsh_completes_what_it_sources(scripts: dict[str, Path], tmp_path: Path) -> None:
    """`source <(tapelog completion zsh)` works as well."""
    setup = f"autoload -Uz compinit; compinit -u -d {tmp_path}/dump; source {scripts['zsh']}"

    assert "address" in offered(_shell("zsh"), setup, "tapelog note ad", tmp_path)
