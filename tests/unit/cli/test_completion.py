"""Completion scripts, run by the shells themselves where these are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import COMMANDS, build_app, main

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the script of bash in a file."""
    path = tmp_path_factory.mktemp("completion") / "tapelog.bash"
    path.write_text(build_app(whole=True).generate_completion(prog_name="tapelog", shell=SHELLS[0]))
    return path


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_knows_every_command_and_is_read_by_its_shell(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tapelog completion` prints a script with every word of the table, without a fault of syntax."""
    assert main(["completion", shell]) == ExitCode.OK
    script = capsys.readouterr().out

    assert [command.words for command in COMMANDS if command.words.split()[-1] not in script] == []
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here: its script was not read by it")
    path = tmp_path / f"tapelog.{shell}"
    path.write_text(script)
    read = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
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
def test_bash_completes(line: list[str], wanted: set[str], bash_script: Path) -> None:
    """Nouns, verbs, options, values of options, and the options of `mix` beside its verbs."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed here")
    code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tapelog; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        [bash, "--norc", "-c", code, "bash", str(bash_script), *line], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert wanted <= {word.strip() for word in done.stdout.splitlines()}
