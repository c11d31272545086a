"""Completion scripts, run by the shells themselves where these are installed."""

import contextlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import COMMANDS, main

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


@pytest.mark.parametrize(
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
def test_bash_completes(line: list[str], wanted: set[str], scripts: dict[str, Path]) -> None:
    """Nouns, verbs, options, values of options, and the options of `mix` beside its verbs."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed here")
    code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tapelog; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        [bash, "--norc", "-c", code, "bash", str(scripts["bash"]), *line], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert wanted <= {word.strip() for word in done.stdout.splitlines()}
