import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import COMMANDS, GROUPS, Command, main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "command-line.md"
WITHOUT_JSON = {"completion"}  # prints a script
VERBS = {
    word: {c.words.split()[1] for c in COMMANDS if c.words.startswith(f"{word} ")}
    for word in (*GROUPS, "mix", "master")
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_has_help_with_an_example(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` of each says what it does, shows a command line that calls it, and `--json` where it prints a result."""
    assert main([*command.words.split(), "--help"]) == ExitCode.OK

    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert command.summary in text
    assert f"Example: {command.example}" in text
    assert command.example.startswith(f"tapelog {command.words}")
    assert ("--json" in text) == (command.words not in WITHOUT_JSON)


@pytest.mark.parametrize("word", VERBS)
def test_the_help_of_a_noun_lists_its_verbs(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`tapelog note --help` names each verb, and `mix` and `master` beside their own options."""
    assert main([word, "--help"]) == ExitCode.OK

    listed = set(re.findall(r"^│ ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE))
    assert VERBS[word] <= listed
    assert VERBS[word]


def test_top_help_imports_no_service() -> None:
    """`tapelog --help` starts fast: neither grpc nor numpy nor a service is imported for it."""
    code = (
        "import sys\nfrom tapelog_cli.main import main\nassert main(['--help']) == 0\n"
        "heavy = {'grpc', 'numpy', 'nats', 'tapelog_session', 'tapelog_client', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    "line", [["nonsense"], ["up", "--no-such-option"], ["up", "--workers", "many"], ["song", "show"]], ids=" ".join
)
def test_a_wrong_command_line_is_usage(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown commands and options, wrong values and missing arguments end with 2 and no traceback."""
    assert main(line) == ExitCode.USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "missing"), [("mix song.yaml", "--output"), ("mix song.yaml -o", "--output"), ("song create", "PROJECT")]
)
def test_what_is_missing_is_called_as_help_calls_it(
    line: str, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option by its dashes, a value by its place in the usage line."""
    assert main(line.split()) == ExitCode.USAGE
    assert f" needs {missing}\n" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    """`tapelog … --json | head`: no message, and no traceback at the end."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "tapelog_cli", "targets", "--json"]
    ended = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (ExitCode.OK, "")


def test_nothing_running_is_unavailable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Client commands without a stack end with 3 and say how to start one."""
    assert main(["status", "--data-dir", str(tmp_path)]) == ExitCode.UNAVAILABLE

    text = capsys.readouterr().err
    assert str(tmp_path) in text
    assert "tapelog up" in text


def test_errors_are_json_when_json_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the error as one JSON object on standard error."""
    main(["status", "--data-dir", str(tmp_path), "--json"])

    error = json.loads(capsys.readouterr().err)
    assert error["error"] == "StackNotRunning"
    assert "tapelog up" in error["hint"]


@pytest.mark.parametrize("line", [["mastr"], ["meter"], ["song", "show"], ["mix", "a.yaml", "--frob"]], ids=" ".join)
def test_a_wrong_command_line_is_json_too(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same object for a wrong command line, with the help to read."""
    assert main([*line, "--json"]) == ExitCode.USAGE

    error = json.loads(capsys.readouterr().err)
    assert error["error"] == "USAGE"
    assert error["message"]
    assert error["hint"].endswith("--help")


def test_an_interrupted_command_says_so(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a desk command is one line and exit code 130, never silence and never a traceback."""
    recipe = tmp_path / "slow.yaml"
    os.mkfifo(recipe)
    # A shell that starts tests in the background has them ignore Ctrl-C, and what they start would too.
    heeds = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = f"{heeds}runpy.run_module('tapelog_cli', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", run, "mix", str(recipe), "-o", str(tmp_path / "x.wav")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, recipe.open("wb"):
        # Opening for writing returns when the command has opened it for reading: it waits for its recipe now.
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (ExitCode.INTERRUPTED, "error: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["slow.yaml"]


def test_a_token_needs_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Minting without a data folder is a wrong set-up, told with the folder."""
    assert main(["token", "pty-ana", "--data-dir", str(tmp_path)]) == ExitCode.CONFIG
    assert "tapelog up" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--kind", "service"], ["--lifetime-s", "901"], ["--lifetime-s", "0"], ["--tenant", "Not An Id"]]
)
def test_a_token_has_limits(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A token is of a person or an integration, and lives 15 minutes at most."""
    assert main(["token", "pty-ana", "--data-dir", str(tmp_path), *arguments]) == ExitCode.USAGE
    assert arguments[1] in capsys.readouterr().err


def test_a_minted_token_is_accepted_by_the_verifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed proves tenant and party to a service."""
    from tapelog_chassis.auth import LocalIssuer, TokenVerifier

    issuer = LocalIssuer.open(tmp_path / "identity", create=True)

    assert main(["token", "pty-ana", "--tenant", "acme", "--data-dir", str(tmp_path)]) == ExitCode.OK

    principal = TokenVerifier.from_jwks(issuer.jwks(), audience="render").verify(capsys.readouterr().out.strip())
    assert (principal.tenant, principal.party, principal.kind) == ("acme", "pty-ana", "person")


def test_the_page_lists_every_noun_with_its_verbs() -> None:
    """The table of docs/command-line.md is the table of commands: no verb missing, none that is not there."""
    rows = re.findall(r"^\| `([a-z-]+)` \| ((?:`[a-z-]+` ?)+)\|$", PAGE.read_text(), re.MULTILINE)
    told = {noun: set(re.findall(r"`([a-z-]+)`", verbs)) for noun, verbs in rows}

    assert {noun: VERBS[noun] for noun in told} == told
    assert [noun for noun in VERBS if f"`{noun}`" not in PAGE.read_text()] == []


def test_the_page_lists_every_exit_code() -> None:
    """Codes are stable: the page and the help of `tapelog` name those that the code has, and no other."""
    rows = re.findall(r"^\| (\d+) \| \S.* \|$", PAGE.read_text(), re.MULTILINE)
    from tapelog_cli.main import build_app

    assert [int(row) for row in rows] == [0, 1, 2, 3, 4, 78, 130]
    assert [int(row) for row in rows] == [code.value for code in ExitCode]
    assert [int(code) for code in re.findall(r"\b(\d+) [a-z]", str(build_app().help_epilogue))] == list(ExitCode)


def test_without_a_terminal_there_is_no_colour(tmp_path: Path) -> None:
    """Neither an answer nor an error has an escape sequence in a pipe, whatever TERM says."""
    for words in (["doctor", "--data-dir", str(tmp_path)], ["targets"], ["status", "--data-dir", str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, "-m", "tapelog_cli", *words],
            capture_output=True, text=True, check=False, env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        assert "\x1b" not in done.stdout + done.stderr
        assert done.stdout + done.stderr
