"""How a desk command is refused: an error of its own kind, told by the same lines as every other."""

import functools
from collections.abc import Callable
from typing import ParamSpec

from tapelog_cli.errors import UsageError, explain
from tapelog_cli.printed.output import print_error

P = ParamSpec("P")


class WrongUsage(UsageError):  # noqa: N818  # names a state
    """Raised when the command line's values do not fit together."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, hint=remedy)


def told(command: Callable[P, int]) -> Callable[P, int]:
    """Return a command whose expected errors are told and become exit codes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except Exception as error:
            if not isinstance(error, (WrongUsage, *_expected())):
                raise
            explained = explain(error)
            print_error(explained, as_json=bool(kwargs.get("json")))
            return explained.code

    return run


def _expected() -> tuple[type[Exception], ...]:
    """Return what the desk, its recipes and its exchange with others raise; loaded only where something went wrong."""
    from tapelog_desk.errors import DeskError
    from tapelog_interchange.errors import InterchangeError
    from tapelog_recipe import RecipeError

    return RecipeError, InterchangeError, DeskError
