"""The `tapelog` command: a table of commands, each imported only when it runs."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, MissingArgumentError

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.table.row import Command
from tapelog_cli.table.whole import COMMANDS, GROUPS

OBJECTS_BEFORE_COLLECTING: Final = 20_000
"""What is loaded is no garbage: by its own 700 the collector takes a tenth of the start of a short command."""

__all__ = ["COMMANDS", "GROUPS", "Command", "build_app", "main"]


def build_app(*, word: str = "", whole: bool = False) -> App:
    """Return the command line; nothing but the table is imported.

    Parameters
    ----------
    word : str
        The first word typed. `mix` and `master` are commands and have verbs too; their own function is imported only
        where they are meant. Where it is a command without verbs, no other is made.
    whole : bool
        Import the functions of all such commands.
    """
    app = App(
        name="tapelog",
        help="Record production as facts: sessions, decisions, deterministic mixes and masters.",
        version=_version,
        help_epilogue="Example: `tapelog demo`. Every command has `--help` with an example of its own. "
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing running, 4 target missed, 78 wrong set-up, "
        "130 interrupted.",
        suppress_keyboard_interrupt=False,
    )
    with_verbs = {command.words.partition(" ")[0] for command in COMMANDS if " " in command.words}
    if not whole and word not in with_verbs and (found := [command for command in COMMANDS if command.words == word]):
        _add(app, found[0], verb=word)
        return app
    groups = {name: App(name=name, help=text, help_epilogue=_examples(name)) for name, text in GROUPS.items()}
    for command in COMMANDS:
        if command.words in with_verbs:
            groups[command.words] = _with_own_function(command, is_meant=whole or word == command.words)
    for group in groups.values():
        app.command(group)
    for command in COMMANDS:
        if command.words in groups:
            continue
        group_word, _, verb = command.words.rpartition(" ")
        _add(groups[group_word] if group_word else app, command, verb=verb)
    return app


def _add(parent: App, command: Command, *, verb: str) -> None:
    parent.command(command.target, name=verb, help=command.summary, help_epilogue=f"Example: `{command.example}`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are told, never traced back."""
    gc.set_threshold(OBJECTS_BEFORE_COLLECTING)
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = build_app(word=tokens[0] if tokens else "")(
            tokens, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        return _refuse(error, as_json="--json" in tokens)
    except BrokenPipeError:
        # Whoever read standard output has what it wanted, as `| head` does; nothing is to be said about that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        if os.environ.get("TAPELOG_DEBUG"):
            raise
        from tapelog_cli.errors import explain
        from tapelog_cli.printed.output import print_error

        explained = explain(error)
        print_error(explained, as_json="--json" in tokens)
        return explained.code
    return result if isinstance(result, int) else ExitCode.OK


def _with_own_function(command: Command, *, is_meant: bool) -> App:
    made = App(name=command.words, help=command.summary, help_epilogue=f"Example: `{command.example}`")
    if is_meant:
        from importlib import import_module

        module, _, function = command.target.partition(":")
        made.default(getattr(import_module(module), function))
    return made


def _refuse(error: CycloptsError, *, as_json: bool) -> ExitCode:
    """Tell a wrong command line like every other error: what is wrong, and where the right one is shown."""
    from tapelog_cli.errors import Explained
    from tapelog_cli.printed.output import print_error

    words = " ".join(("tapelog", *(error.command_chain or ())))
    message = str(error)
    if isinstance(error, MissingArgumentError) and error.argument is not None and not error.argument.tokens:
        wanted = error.argument
        is_positional = wanted.field_info.kind is wanted.field_info.POSITIONAL_OR_KEYWORD
        message = f"{words} needs {wanted.name.lstrip('-').upper() if is_positional else wanted.name}"
    print_error(
        Explained(message, hint=f"{words} --help", reason="USAGE", code=ExitCode.USAGE),
        as_json=as_json,
    )
    return ExitCode.USAGE


def _examples(group: str) -> str:
    found = [command.example for command in COMMANDS if command.words.startswith(f"{group} ")]
    return f"Example: `{found[0]}`"


def _version() -> str:
    from importlib.metadata import version

    return version("tapelog")


if __name__ == "__main__":
    sys.exit(main())
