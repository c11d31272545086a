"""How commands answer: one JSON document for programs, a line or a table for people."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tapelog_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from google.protobuf.message import Message

Told = TypeVar("Told", bound="Message")


def tell(message: "Message", *lines: str, json: bool) -> int:
    """Print one resource: as JSON, or the lines that a person reads; return `ExitCode.OK`."""
    from tapelog_cli.printed.output import out, print_json
    from tapelog_cli.printed.shapes import as_dict

    if json:
        print_json(as_dict(message))
    else:
        for line in lines:
            out().print(line, markup=False, soft_wrap=True)
    return ExitCode.OK


def tell_all(
    messages: Iterable[Told], columns: Sequence[str], row: Callable[[Told], Sequence[str]], *, json: bool
) -> int:
    """Print a list: as a JSON array, or a table with one row each; return `ExitCode.OK`."""
    from tapelog_cli.printed.output import out, plain, print_json, table
    from tapelog_cli.printed.shapes import as_dict

    if json:
        print_json([as_dict(message) for message in messages])
        return ExitCode.OK
    rows = table(*columns)
    for message in messages:
        rows.add_row(*plain(*row(message)))
    out().print(rows)
    return ExitCode.OK
