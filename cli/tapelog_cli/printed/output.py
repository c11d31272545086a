"""Printing: tables and colour for people on a terminal, plain lines in a pipe, JSON for machines."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tapelog_cli.errors import Explained
from tapelog_cli.exit_codes import ExitCode

PIPE_COLUMNS: Final = 240
"""Width where nobody looks: lines are not broken in a pipe or a log."""


def out() -> Console:
    """Return the console of standard output; colour only on a terminal."""
    return _console(sys.stdout)


def err() -> Console:
    """Return the console of standard error; colour only on a terminal."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    return Console(file=file, highlight=False, emoji=False, width=None if file.isatty() else PIPE_COLUMNS)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def tell_removed(name: str, *, json: bool) -> ExitCode:
    """Say what is gone."""
    if json:
        print_json({"removed": name})
    else:
        out().print(f"{name} is removed", markup=False)
    return ExitCode.OK


def print_json_line(value: Mapping[str, Any]) -> None:
    """Print one line of JSON lines, at once."""
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


def table(*columns: str, title: str = "") -> Table:
    """Return an empty table in the house style."""
    made = Table(
        title=title or None, title_justify="left", header_style="bold", box=SIMPLE, show_edge=False, pad_edge=False
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def plain(*cells: str) -> list[Text]:
    """Return the cells of a row as they are written: square brackets in them are no mark-up."""
    return [Text(cell) for cell in cells]


def print_error(error: Explained, *, as_json: bool = False) -> None:
    """Print what is wrong and what to do, to standard error."""
    if as_json:
        value = {"error": error.reason, "message": error.message, "details": error.details, "hint": error.hint}
        sys.stderr.write(json.dumps(value) + "\n")
        return
    console = err()
    console.print("error:", style="bold red", end=" ")
    console.print(error.message, markup=False, soft_wrap=True)
    for line in error.details:
        console.print(f"  - {line}", markup=False, soft_wrap=True)
    if error.hint:
        console.print(f"  {error.hint}", markup=False, soft_wrap=True, style="dim")
